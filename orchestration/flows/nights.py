"""The flow runs of the nightly deployment: the date of each, and why a date is not published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType, WorkQueueStatus
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import flow_run

from orchestration.dates import day_before
from orchestration.flows.own import INGEST, own_deployment
from orchestration.flows.states import page_of
from orchestration.project import tag_of
from orchestration.text import shortened

FLOW = "ingest-clean"

_ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED]
_PAGE = 200
_CAUSE = 500


@dataclass(frozen=True)
class Cause:
    """Why a date is not published, with the page of its flow run; no page if there is no run."""

    text: str
    link: str = ""


def date_of(run: FlowRun) -> str:
    """Return the date of a run: the one it was started for, else the day before its scheduled start."""
    return run.parameters.get("execution_date") or day_before(run.expected_start_time or datetime.now(UTC))


def own_date() -> str:
    """Return the date of the current flow run, however late it begins."""
    return flow_run.parameters.get("execution_date") or day_before(flow_run.scheduled_start_time)


def unfinished_dates(client: SyncPrefectClient, deployment: UUID) -> frozenset[str]:
    """Return the dates for which a deployment has a run that is scheduled, late, waiting or running."""
    of_deployment = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
    unfinished = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(not_any_=_ENDED)))
    return frozenset(map(date_of, _runs(client, deployment_filter=of_deployment, flow_run_filter=unfinished)))


def cause_of(execution_date: str, project: str) -> Cause:
    """Return what Prefect knows about the reason why a date is not published. Nothing is raised."""
    try:
        with get_client(sync_client=True) as client:
            deployment = own_deployment(client, project, INGEST)
            if deployment is None:
                return Cause(f"Prefect has no deployment of {FLOW} for the project {project}: `elt deploy` creates it")
            run = _last_run(client, execution_date, deployment.id, project)
            return _of_run(client, deployment, run) if run else _of_no_run(deployment)
    except Exception as error:
        return Cause(f"Prefect does not answer: {type(error).__name__}: {shortened(str(error), _CAUSE)}")


def _last_run(client: SyncPrefectClient, execution_date: str, deployment: UUID, project: str) -> FlowRun | None:
    """Return the run of a date that was scheduled last, of the project's deployment or started by hand."""
    begin = datetime.combine(date.fromisoformat(execution_date), time(), UTC)
    since = FlowRunFilter(expected_start_time=FlowRunFilterExpectedStartTime(after_=begin))
    of_flow = FlowFilter(name=FlowFilterName(any_=[FLOW]))
    runs = _runs(client, flow_filter=of_flow, flow_run_filter=since)
    own = (run for run in runs if run.deployment_id == deployment or tag_of(project) in run.tags)
    return next((run for run in own if date_of(run) == execution_date), None)


def _runs(client: SyncPrefectClient, **filters: Any) -> Iterator[FlowRun]:
    offset, more = 0, True
    while more:
        found = client.read_flow_runs(**filters, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=_PAGE, offset=offset)
        yield from found
        offset, more = offset + _PAGE, len(found) == _PAGE


def _of_no_run(deployment: DeploymentResponse) -> Cause:
    if deployment.paused or not any(schedule.active for schedule in deployment.schedules):
        return Cause(f"no flow run was created: {FLOW}/{deployment.name} has no active schedule, resume it in Prefect")
    return Cause(
        f"no flow run was created, although {FLOW}/{deployment.name} has an active schedule: the Prefect server did "
        "not run at that time, or the schedule is newer"
    )


def _of_run(client: SyncPrefectClient, deployment: DeploymentResponse, run: FlowRun) -> Cause:
    state, link = run.state, page_of(run.id)
    name = run.state_name or "unknown"
    if state is None or state.is_scheduled():
        due = f"{run.expected_start_time:%Y-%m-%d %H:%M} UTC" if run.expected_start_time else "an unknown time"
        return Cause(f"its flow run of {due} has not started ({name}): {_reason_of_waiting(client, deployment)}", link)
    if not state.is_final():
        since = f" since {run.start_time:%Y-%m-%d %H:%M} UTC" if run.start_time else ""
        return Cause(f"its flow run has not ended: {name}{since}", link)
    if state.is_completed():
        return Cause(f"its flow run ended as {name}, and main does not have the date now: see `elt log`", link)
    return Cause(f"its flow run ended as {name}: {shortened(state.message or 'no message', _CAUSE)}", link)


def _reason_of_waiting(client: SyncPrefectClient, deployment: DeploymentResponse) -> str:
    """Return why a run of the deployment waits. A queue is ready if a worker asked for its runs in the last minute."""
    pool, queue = str(deployment.work_pool_name), str(deployment.work_queue_name)
    if client.read_work_pool(pool).is_paused:
        return f"the work pool {pool} is paused"
    status = client.read_work_queue_by_name(queue, work_pool_name=pool).status
    if status == WorkQueueStatus.PAUSED:
        return f"the work queue {queue} is paused"
    if status == WorkQueueStatus.NOT_READY:
        return f"no worker serves the queue {queue} of {pool}: start one"
    return f"the workers of the queue {queue} are busy, or another run of the deployment has not ended"
