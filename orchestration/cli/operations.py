"""Commands for operators: `elt audit`, `elt show`, `elt rollback`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.output import Json, format_table, show
from orchestration.text import examples

if TYPE_CHECKING:
    from orchestration.operations.audit import Audited
    from orchestration.operations.rollback import Rollback
    from orchestration.operations.versions import Version

FOUND = 5
"""The exit code if something is wrong on `main`: that of PlatformFailed."""


def audit(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read every object, and compare its bytes with its receipt.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Prove that main has only what its gate let through.

    Exit code 0 if nothing is wrong, else 5 with a line for each finding.
    """
    from orchestration.endpoints import open_lake
    from orchestration.operations.audit import audit_main
    from orchestration.settings import read_settings

    settings = read_settings()
    found = audit_main(open_lake(settings), deep=deep)
    show(found, _shown(found), as_json)
    if found.findings:
        raise typer.Exit(FOUND)


def show_date(
    date: Annotated[str, typer.Argument(metavar="DATE", help="The logical day, YYYY-MM-DD in UTC.")],
    as_json: Json = False,
) -> None:
    """Show all versions of a date, latest first.

    Each with its commit, run, rows and rejects. elt sql --at COMMIT reads any of them.
    """
    from orchestration.dates import parse_execution_date
    from orchestration.endpoints import open_lake
    from orchestration.errors import UsageError
    from orchestration.operations.versions import versions_of
    from orchestration.settings import read_settings

    execution_date = parse_execution_date(date)
    found = tuple(versions_of(open_lake(read_settings()), execution_date))
    if not found:
        raise UsageError(f"{execution_date} was never published", remedy=f"elt run {execution_date}")
    show({"date": execution_date, "versions": found}, _versions(found), as_json)


def rollback(
    to: Annotated[
        str | None,
        typer.Option(metavar="POINT", help="All of main: a commit of main, a tag, or a time in UTC."),
    ] = None,
    date: Annotated[
        str | None, typer.Option(metavar="DATE", help="Only this date: to its version before, or off main.")
    ] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; the history shows it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without this, only show what would change.")] = False,
    as_json: Json = False,
) -> None:
    """Put main, or one date, back to what it was.

    It is one new merge through the gate, so it can be rolled back too.
    """
    from orchestration.dates import parse_execution_date
    from orchestration.endpoints import open_lake
    from orchestration.errors import UsageError
    from orchestration.operations.rollback import plan_rollback, plan_rollback_of_date, roll_back
    from orchestration.settings import read_settings

    if (to is None) == (date is None):
        raise UsageError("give either --to or --date", remedy="elt rollback --help")
    if yes and not (reason and reason.strip()):
        raise UsageError("a rollback needs a reason", remedy='add --reason "…"')
    settings = read_settings()
    lake = open_lake(settings)
    plan = plan_rollback_of_date(lake, parse_execution_date(date)) if date else plan_rollback(lake, str(to))
    if not yes:
        show({"plan": plan}, f"{_planned(plan)}\nnothing is changed; do it with --reason TEXT --yes", as_json)
        return
    done = roll_back(lake, plan, settings, str(reason).strip())
    show(done, f"{_planned(plan)}\nrolled back: main is at {done.commit[:12]}", as_json)


def _planned(plan: Rollback) -> str:
    rows = [(one.execution_date, one.effect, _counts(one.before), _counts(one.after)) for one in plan.dates]
    lines = [f"back to {plan.target[:12]}", format_table(("date", "effect", "rows now", "rows then"), rows)]
    if plan.marts:
        lines.append("the marts go back too")
    if plan.stale:
        lines.append(
            f"the marts are then stale for {examples(plan.stale, len(plan.stale))}: elt marts builds them again"
        )
    return "\n".join(lines)


def _versions(found: tuple[Version, ...]) -> str:
    columns = ("commit", "at", "outcome", "by", "raw", "rows", "rejected", "code", "reason", "flow run")
    rows = [
        (
            one.commit[:12],
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            one.outcome,
            " ".join(filter(None, (one.by, one.run_type))),
            *(_counts(counts) for counts in (one.raw, one.rows, one.rejected)),
            one.code_version[:12],
            one.reason,
            one.link,
        )
        for one in found
    ]
    return format_table(columns, rows)


def _counts(by_table: Mapping[str, int]) -> str:
    return ", ".join(f"{table} {count:,}" for table, count in by_table.items())


def _shown(found: Audited) -> str:
    read = ", all of them read" if found.deep else ""
    checked = (
        f"main at {found.commit[:12]}: {found.dates:,} dates, {found.objects:,} listed objects{read}, "
        f"{found.merges:,} commits"
    )
    if not found.findings:
        return f"{checked}: nothing is wrong"
    rows = [(finding.subject, finding.problem, finding.remedy) for finding in found.findings]
    return f"{format_table(('subject', 'problem', 'remedy'), rows)}\n\n{checked}: {len(rows):,} findings"
