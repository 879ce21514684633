"""What an operator sees of a run, as Markdown and tables: pure functions of what the steps gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orchestration.dbt_results import BuildResult
    from orchestration.receipt import Receipt


def commit_url(endpoint: str, repository: str, commit: str) -> str:
    """The page of a commit in lakeFS's UI."""
    return f"{endpoint.rstrip('/')}/repositories/{repository}/commits/{commit}"


def summary(
    title: str, told: str, built: BuildResult | None, seconds: Mapping[str, float], link: str | None = None
) -> str:
    """A run as Markdown.

    Args:
        title: What it was about and how it ended.
        told: The message of its final state.
        built: What dbt built, if the run got there.
        seconds: By step.
        link: The commit's page.
    """
    return "\n".join(_summary(title, told, built, seconds, link))


def _summary(
    title: str, told: str, built: BuildResult | None, seconds: Mapping[str, float], link: str | None
) -> Iterator[str]:
    yield f"## {title}\n"
    yield "````\n" + told.replace("````", "```") + "\n````\n"
    if link:
        yield f"[The commit in lakeFS]({link})\n"
    if built and built.accounting:
        yield from _table(
            ("table", "raw", "curated", "identical", "conflicting", "rejected"),
            (
                (table, parts.raw, parts.curated, parts.identical, parts.conflicting, sum(parts.rejected.values()))
                for table, parts in built.accounting.items()
            ),
        )
        reasons = [(t, r, n) for t, parts in built.accounting.items() for r, n in parts.rejected.items()]
        if reasons:
            yield from _table(("table", "rejected for", "rows"), reasons)
        drift = [(t, f"`{f}`", n) for t, parts in built.accounting.items() for f, n in parts.drift.items()]
        if drift:
            yield from _table(("table", "undeclared field", "records"), drift)
    if built and built.across_dates:
        yield from _table(
            ("table of all dates", "", "rows"),
            ((t, name.removesuffix("_rows"), n) for t, rows in built.across_dates.items() for name, n in rows.items()),
        )
    if seconds:
        yield from _table(("step", "seconds"), ((name, f"{spent:.2f}") for name, spent in seconds.items()))


def dbt_table(built: BuildResult) -> list[dict[str, Any]]:
    """dbt's nodes, those that did not go well first."""
    order = {"success": 2, "pass": 2, "warn": 1}
    nodes = sorted(built.nodes, key=lambda node: order.get(node.status, 0))
    return [
        {
            "node": node.name,
            "kind": node.kind,
            "status": node.status,
            "failures": node.failures or 0,
            "seconds": node.seconds,
            "message": node.message[:200] if node.status not in ("success", "pass") else "",
        }
        for node in nodes
    ]


def before_and_after(former: Receipt, rows: Mapping[str, int]) -> list[dict[str, Any]]:
    """The curated rows of each table of a superseded date, or the rows of each mart, before and after."""
    before = former.rows
    return [
        {"table": table, "rows before": before.get(table, 0), "rows after": rows.get(table, 0)}
        for table in sorted({*before, *rows})
    ]


def _table(head: tuple[str, ...], rows: Any) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(_cell(value) for value in row) + " |"
    yield ""


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else " ".join(str(value).split()).replace("|", "\\|")
