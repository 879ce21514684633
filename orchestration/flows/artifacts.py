"""Artifacts of a run for operators, as Markdown and tables. All functions here are pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchestration.text import one_line, quoted, shortened

if TYPE_CHECKING:
    from orchestration.dbt_runner.results import BuildResult
    from orchestration.lake.receipt import Receipt

_REASONS = 20
"""The maximum number of reject reasons shown."""


def commit_url(endpoint: str, repository: str, commit: str) -> str:
    """Return the URL of a commit in lakeFS's UI."""
    return f"{endpoint.rstrip('/')}/repositories/{repository}/commits/{commit}"


def summary(
    title: str,
    message: str,
    built: BuildResult | None,
    seconds: Mapping[str, float],
    link: str | None = None,
    superseded: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the summary of a run as Markdown.

    Args:
        title: The subject of the run and its outcome.
        message: The message of its final state.
        built: What dbt built, if the run got there.
        seconds: The seconds of each step.
        link: The URL of the commit's page.
        superseded: The result of `before_and_after`, if the run superseded a version.
    """
    return "\n".join(_summary(title, message, built, seconds, link, superseded))


def _summary(
    title: str,
    message: str,
    built: BuildResult | None,
    seconds: Mapping[str, float],
    link: str | None,
    superseded: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    yield f"## {_escaped(one_line(title))}\n"
    fence = "`" * max(4, _longest_run(message) + 1)
    yield f"{fence}\n{shortened(message)}\n{fence}\n"
    if link:
        yield f"[The commit in lakeFS]({link})\n"
    if superseded:
        yield from _table(tuple(superseded[0]), (row.values() for row in superseded))
    if built and built.accounting:
        yield from _table(
            ("table", "raw", "curated", "identical", "conflicting", "rejected"),
            (
                (table, parts.raw, parts.curated, parts.identical, parts.conflicting, sum(parts.rejected.values()))
                for table, parts in built.accounting.items()
            ),
        )
        others = [(t, parts.other_dates) for t, parts in built.accounting.items() if parts.other_dates]
        if others:
            yield from _table(("table", "rows of other dates"), others)
        reasons = [(t, r, n) for t, parts in built.accounting.items() for r, n in parts.rejected.items()]
        if reasons:
            most = sorted(reasons, key=lambda reason: -reason[2])[:_REASONS]
            yield from _table(("table", "rejected for", "rows"), most)
            if more := len(reasons) - len(most):
                yield f"{more:,} more reasons\n"
        drift = [(t, _Code(quoted(f)), n) for t, parts in built.accounting.items() for f, n in parts.drift.items()]
        if drift:
            yield from _table(("table", "undeclared field", "records"), drift)
        for table, parts in built.accounting.items():
            if more := parts.undeclared - len(parts.drift):
                yield f"{table}: {more:,} more undeclared fields\n"
    if built and built.across_dates:
        yield from _table(
            ("table of all dates", "", "rows"),
            ((t, name.removesuffix("_rows"), n) for t, rows in built.across_dates.items() for name, n in rows.items()),
        )
    if seconds:
        yield from _table(("step", "seconds"), ((name, f"{spent:.2f}") for name, spent in seconds.items()))


def dbt_table(built: BuildResult) -> list[dict[str, Any]]:
    """Return dbt's nodes as a table, failed and skipped ones first, then warnings."""
    order = {"success": 2, "pass": 2, "warn": 1}
    nodes = sorted(built.nodes, key=lambda node: order.get(node.status, 0))
    return [
        {
            "node": node.name,
            "kind": node.kind,
            "status": node.status,
            "failures": node.failures or 0,
            "seconds": node.seconds,
            "message": one_line(node.message, 200) if node.status not in ("success", "pass") else "",
        }
        for node in nodes
    ]


def before_and_after(former: Receipt, rows: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the rows before and after of each curated table of a superseded date, or of each mart."""
    before = former.rows
    return [
        {
            "table": table,
            "rows before": before.get(table, 0),
            "rows after": rows.get(table, 0),
            "difference": f"{rows.get(table, 0) - before.get(table, 0):+,}",
        }
        for table in sorted({*before, *rows})
    ]


def _table(head: tuple[str, ...], rows: Any) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(_cell(value) for value in row) + " |"
    yield ""


class _Code(str):
    """Foreign text escaped by `quoted`, to be shown as a code span. Nothing in it is read as Markdown or HTML."""


def _cell(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    # `quoted` has doubled each backslash, so that none escapes the one before the bar.
    text = " ".join(str(value).split()).replace("|", "\\|")
    if not isinstance(value, _Code):
        return _escaped(text)
    ticks = "`" * (_longest_run(text) + 1)
    return f"{ticks}{text}{ticks}"


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _longest_run(text: str) -> int:
    """Return the length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)
