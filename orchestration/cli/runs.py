"""Commands that run a flow in this process: `elt run`, `marts`, `report`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestration.cli.output import Engine, Json, show

if TYPE_CHECKING:
    from orchestration.flows.launch import FlowResult

RunType = Literal["daily", "backfill"]


def run(
    date: Annotated[
        str | None, typer.Argument(metavar="[DATE]", help="The logical day, YYYY-MM-DD in UTC (default: yesterday).")
    ] = None,
    run_type: Annotated[
        RunType, typer.Option(help="daily: one Prefect task run per dbt node; backfill: faster, more retries.")
    ] = ("daily"),
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Build even if nothing changed; publish even if more rows than loss_limit are lost."
        ),
    ] = False,
    engine: Engine = None,
    as_json: Json = False,
) -> None:
    """Publish one date: extract, land, transform, audit, publish.

    It is a Prefect flow run, in this process.
    """
    from orchestration.dates import day_before, parse_execution_date

    execution_date = parse_execution_date(day_before(datetime.now(UTC)) if date is None else date)
    from orchestration.flows.launch import run_date_flow
    from orchestration.settings import read_settings

    _show_result(run_date_flow(read_settings(), execution_date, run_type, force, engine), as_json)


def marts(
    full: Annotated[
        bool, typer.Option("--full", help="Build all dates, even if neither dates nor code changed.")
    ] = False,
    engine: Engine = None,
    as_json: Json = False,
) -> None:
    """Publish the marts of all published dates.

    They are built from one commit of main, in a Prefect flow run in this process. Marts by date are built for the
    dates that changed; for all dates if the code changed.
    """
    from orchestration.flows.launch import run_marts_flow
    from orchestration.settings import read_settings

    _show_result(run_marts_flow(read_settings(), full, engine), as_json)


def report(
    commit: Annotated[
        str | None, typer.Argument(metavar="[COMMIT]", help="A commit of main (default: its head).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a report on the published data to the branch reports.

    It is a Prefect flow run, in this process.
    """
    from orchestration.flows.launch import run_report_flow
    from orchestration.settings import read_settings

    _show_result(run_report_flow(read_settings(), commit), as_json)


def _show_result(result: FlowResult, as_json: bool) -> None:
    if result.error:
        raise result.error
    show(result.result, result.message, as_json)
