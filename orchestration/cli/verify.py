"""The command `elt verify`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.output import Json, format_table, say, show

if TYPE_CHECKING:
    from orchestration.operations.verify import Verified

_EXIT = {"identical": 0, "differs": 3, "failed": 5}
"""Exit codes by outcome: that of DataFailed if something differs, and that of PlatformFailed."""


def verify(
    dates: Annotated[
        list[str] | None, typer.Argument(metavar="[DATE]...", help="Logical days, YYYY-MM-DD in UTC.")
    ] = None,
    all_dates: Annotated[bool, typer.Option("--all", help="All dates on main, and the marts.")] = False,
    as_json: Json = False,
) -> None:
    """Rebuild dates from their raw, and compare the bytes.

    They are built with the code at hand, and compared with their receipts. Nothing is published. Exit code 0 if all
    are identical, 3 if something differs, 5 if a date could not be rebuilt.
    """
    from orchestration.dates import parse_execution_date
    from orchestration.endpoints import open_lake
    from orchestration.errors import UsageError
    from orchestration.lake.catalog import published_dates
    from orchestration.lake.client import MAIN
    from orchestration.log import log_to
    from orchestration.operations.verify import verify_dates, verify_marts
    from orchestration.settings import read_settings

    if bool(dates) == all_dates:
        raise UsageError("give either dates or --all", remedy="elt verify --help")
    named = tuple(dict.fromkeys(map(parse_execution_date, dates or ())))
    settings = read_settings()
    lake, log = open_lake(settings), log_to(say)
    found = list(verify_dates(lake, settings, named or published_dates(lake, MAIN), log))
    if all_dates and (marts := verify_marts(lake, settings, log)):
        found.append(marts)
    show({"verified": found}, _shown(found), as_json)
    if code := max((_EXIT[one.outcome] for one in found), default=0):
        raise typer.Exit(code)


def _shown(found: list[Verified]) -> str:
    rows = [
        (one.subject, difference.table, difference.published, difference.rebuilt, ", ".join(difference.models))
        for one in found
        for difference in one.differences
    ]
    columns = ("date", "table", "rows on main", "rows rebuilt", "built by")
    reasons = [f"{one.subject} {one.outcome}: {reason}" for one in found for reason in one.reasons]
    counts = [(sum(one.outcome == outcome for one in found), outcome) for outcome in _EXIT]
    last = ", ".join(f"{count:,} {outcome}" for count, outcome in counts if count) or "nothing is published yet"
    return "\n".join([*([format_table(columns, rows), ""] if rows else []), *reasons, last])
