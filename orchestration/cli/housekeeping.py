"""`elt clean`: report what is stored, remove what is dead, audit `main`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.operations import FOUND
from orchestration.cli.output import Json, format_table, say, show
from orchestration.housekeeping import OLDER_THAN, UNUSED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from orchestration.housekeeping.clean import Cleaned

_DATES = 20
"""The number of dates that the text shows; --json has all."""

_FINDINGS = 5
"""The number of findings that the text shows; elt audit has all."""


def clean(
    older_than: Annotated[
        int, typer.Option(metavar="DAYS", help="Remove a failed run's branch at this age.")
    ] = OLDER_THAN,
    unused: Annotated[
        int,
        typer.Option(metavar="DAYS", help="Warn of a sandbox after so many days without use; remove it a week later."),
    ] = UNUSED,
    yes: Annotated[bool, typer.Option("--yes", help="Remove. Without this, only show what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove what dead runs left, and show what is stored.

    Branches, old reports, local files; unused sandboxes after a warning. Then main is audited: exit code 5 if
    something is wrong. Bytes are freed by lakeFS's garbage collection, not by this command.
    """
    from datetime import UTC, datetime
    from functools import partial

    from orchestration.endpoints import open_own_lake
    from orchestration.housekeeping.clean import Cleaning
    from orchestration.housekeeping.clean import clean as clean_lake
    from orchestration.housekeeping.flow_runs import configured_flow_runs
    from orchestration.log import log_to
    from orchestration.settings import read_settings

    settings = read_settings()
    cleaned = clean_lake(
        Cleaning(
            lake=open_own_lake(settings),
            settings=settings,
            now=datetime.now(UTC),
            log=log_to(say),
            flow_runs=partial(configured_flow_runs, settings),
            older_than=older_than,
            unused=unused,
            dry_run=not yes,
        )
    )
    show(cleaned, _shown(cleaned), as_json)
    if cleaned.audited.findings:
        raise typer.Exit(FOUND)


def _shown(cleaned: Cleaned) -> str:
    from orchestration.housekeeping.texts import message_of, rows_of_branches, rows_of_storage

    stored = rows_of_storage(cleaned.storage)
    dates = [row for row in stored if row["of"] == "date"]
    largest = sorted(dates, key=lambda row: -row["only in old commits"] or -row["bytes"])[:_DATES]
    parts = [
        _table([row for row in stored if row["of"] != "date" or row in largest]),
        f"{len(dates) - len(largest):,} more dates: --json has all" if len(dates) > len(largest) else "",
        _table(rows_of_branches(cleaned)),
        _table([{"file": left.path, "bytes": left.bytes, "reason": left.reason} for left in cleaned.files]),
        "\n".join(f"{one.subject}: {one.problem}; {one.remedy}" for one in cleaned.audited.findings[:_FINDINGS]),
        f"Prefect did not say which runs have ended: {cleaned.flow_runs_unknown}" if cleaned.flow_runs_unknown else "",
        message_of(cleaned) + ("; do it with --yes" if cleaned.dry_run else ""),
    ]
    return "\n\n".join(part for part in parts if part)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    shown = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row.values()] for row in rows]
    return format_table(tuple(rows[0]), shown) if rows else ""
