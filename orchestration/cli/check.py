"""`elt check`: whether a date is published, for people and for cron."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestration.cli.output import Json, say, show
from orchestration.log import log_to

NOT_PUBLISHED = 5
"""The exit code if the date is not on `main`: that of PlatformFailed."""


def check(
    date: Annotated[
        str | None, typer.Argument(metavar="[DATE]", help="The logical day, YYYY-MM-DD in UTC (default: yesterday).")
    ] = None,
    notify: Annotated[bool, typer.Option("--notify", help="Notify the webhook if the date is not published.")] = False,
    as_json: Json = False,
) -> None:
    """Check that a date is published, also when Prefect is down.

    Exit code 0 if main has it, else 5 with what is known about the cause.
    """
    from orchestration.dates import day_before, parse_execution_date
    from orchestration.settings import read_settings

    execution_date = parse_execution_date(day_before(datetime.now(UTC)) if date is None else date)
    from orchestration.flows.check import check_outside_of_prefect

    found = check_outside_of_prefect(read_settings(), execution_date, notify_people=notify, log=log_to(say))
    text = f"{found.date} {found.outcome}: {found.message}\n{found.link}".strip()
    show(found, text, as_json)
    if found.outcome != "Published":
        raise typer.Exit(NOT_PUBLISHED)
