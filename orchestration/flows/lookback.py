"""The nightly run's lookback: further flow runs of its deployment, one for each earlier date."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import deployment

from orchestration.endpoints import open_lake
from orchestration.errors import DataFailed
from orchestration.flows.states import run_log, settings_for
from orchestration.lookback import EarlierDate, earlier_dates
from orchestration.source.config import read_tables
from orchestration.text import shortened


def start_lookback(execution_date: str, state: State[Any], repo: str, bucket: str) -> None:
    """Create a flow run for each earlier date that sources look back to. They wait for the deployment's slot.

    After a failure of the source or the platform, none is created: they would fail too, and the next night looks back
    again. An error here does not change the outcome of the date.
    """
    own = deployment.id
    if not own or not (state.is_completed() or state.name == DataFailed.__name__):
        return
    log = run_log()
    try:
        settings = settings_for(repo, bucket)
        dates = tuple(earlier_dates(read_tables(settings.project_dir), open_lake(settings), execution_date))
        _create_runs(UUID(str(own)), execution_date, dates, repo, bucket)
    except Exception as error:
        log.warning("cannot look back from %s: %s: %s", execution_date, type(error).__name__, shortened(str(error)))
        return
    if dates:
        log.info("asking again for %s", ", ".join(day.execution_date for day in dates))


def _create_runs(own: UUID, after: str, dates: tuple[EarlierDate, ...], repo: str, bucket: str) -> None:
    with get_client(sync_client=True) as client:
        for day in dates:
            client.create_flow_run_from_deployment(
                own,
                parameters={
                    "execution_date": day.execution_date,
                    "sources": list(day.sources),
                    "repo": repo,
                    "bucket": bucket,
                },
                # A retry of the nightly run creates no second one.
                idempotency_key=f"{day.execution_date} again after {after}",
            )
