"""The nightly run's earlier dates: further flow runs of its deployment, for dates missed and dates to ask for again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import deployment

from orchestration.endpoints import open_lake
from orchestration.errors import DataFailed
from orchestration.flows.nights import unfinished_dates
from orchestration.flows.states import run_log, settings_for
from orchestration.lookback import earlier_dates, missed_dates
from orchestration.source.config import read_tables
from orchestration.text import shortened


def start_earlier_dates(execution_date: str, state: State[Any], parameters: Mapping[str, Any]) -> None:
    """Create a flow run for each missed date, oldest first, then for each date that sources look back to.

    They wait for the deployment's slot. After a failure of the source or the platform, none is created: they would fail
    too, and the next night starts them. An error here does not change the outcome of the date.

    Args:
        execution_date: The date of the nightly run.
        state: The state it ends in.
        parameters: Its `repo`, `bucket` and `engine`, which the further runs get too.
    """
    own = deployment.id
    if not own or not (state.is_completed() or state.name == DataFailed.__name__):
        return
    log = run_log()
    try:
        settings = settings_for(**parameters)
        lake = open_lake(settings)
        missed = missed_dates(lake, execution_date, settings.elt.catch_up_days)
        again = {
            day.execution_date: {"sources": list(day.sources)}
            for day in earlier_dates(read_tables(settings.project_dir), lake, execution_date)
        }
        waiting = _unfinished_dates(UUID(str(own))) if missed else frozenset()
        started = {**{day: {} for day in missed if day not in waiting}, **again}
        _create_runs(UUID(str(own)), execution_date, started, parameters)
    except Exception as error:
        cause = shortened(str(error))
        log.warning("cannot start dates before %s: %s: %s", execution_date, type(error).__name__, cause)
        return
    for day in missed:
        log.info("%s was missed: its flow run %s", day, "still waits" if day in waiting else "is started now")
    if again:
        log.info("asking again for %s", ", ".join(again))


def _unfinished_dates(own: UUID) -> frozenset[str]:
    """Return the dates that have a run. After an outage of the workers, the runs of the schedule still wait."""
    with get_client(sync_client=True) as client:
        return unfinished_dates(client, own)


def _create_runs(own: UUID, after: str, dates: Mapping[str, Mapping[str, Any]], parameters: Mapping[str, Any]) -> None:
    with get_client(sync_client=True) as client:
        for day, further in dates.items():
            client.create_flow_run_from_deployment(
                own,
                parameters={"execution_date": day, **further, **parameters},
                # A retry of the nightly run creates no second one.
                idempotency_key=f"{day} again after {after}",
            )
