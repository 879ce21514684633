"""Checks of what `elt deploy` creates in Prefect, and of the worker that runs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from orchestration.doctor.checks import Check, Result, failed, ok, warning
from orchestration.doctor.prefect import SIGNED_IN
from orchestration.errors import UsageError
from orchestration.flows import crashed
from orchestration.flows.deploy import trigger_name
from orchestration.flows.own import own_deployments
from orchestration.prefect_file import Declared, PrefectFile, read_prefect_file
from orchestration.project import is_of_another, project_name

if TYPE_CHECKING:
    from pathlib import Path

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

_DEPLOY = "elt deploy"
_MISSED_HEARTBEATS = 3
_HEARTBEAT = 30


def deployment_checks(project_dir: Path) -> Iterator[Check]:
    """Return the checks of the work pool, its queues and workers, and of each deployment of prefect.yaml."""
    try:
        file, project = read_prefect_file(project_dir), project_name(project_dir)
    except UsageError as error:
        yield Check("prefect.yaml", partial(failed, error.cause, error.remedy))
        return
    work_pool = f"work pool {file.pool}"
    in_pool = (*SIGNED_IN, work_pool)
    yield Check(work_pool, partial(_pool, file.pool, project), SIGNED_IN)
    yield Check("work queues", partial(_queues, file), in_pool)
    yield Check("worker", partial(_worker, file.pool), in_pool)
    for one in file.deployments:
        yield Check(f"deployment {one.name}", partial(_deployment, one, project), SIGNED_IN)
    yield Check("automations", partial(_automations, file.deployments, project), SIGNED_IN)


def _pool(name: str, project: str) -> Result:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import WorkPoolFilter, WorkPoolFilterName
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            pool = client.read_work_pool(name)
        except ObjectNotFound:
            return failed(f"there is no work pool {name}", _DEPLOY)
        served = client.read_deployments(work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[name])))
    if pool.is_paused:
        return failed(f"{name} is paused, so no run starts", f"prefect work-pool resume {name}")
    if other := next((one.name for one in served if is_of_another(one.tags, project)), None):
        return failed(
            f"{name} has deployments of another project too, such as {other}: its runs fail in this project's workers",
            "name the pools differently in the two prefect.yaml, then elt deploy in both",
        )
    return ok(f"of type {pool.type}")


def _queues(file: PrefectFile) -> Result:
    from prefect.client.orchestration import get_client

    pool, queues = file.pool, file.queues
    with get_client(sync_client=True) as client:
        found = {queue.name: queue for queue in client.read_work_queues(work_pool_name=pool)}
    if missing := [name for name in queues if name not in found]:
        return failed(f"{pool} has no queue {', '.join(missing)}", _DEPLOY)
    if paused := [name for name in queues if found[name].is_paused]:
        return failed(
            f"paused: {', '.join(paused)}; no run of theirs starts",
            "; ".join(f"prefect work-queue resume {name} --pool {pool}" for name in paused),
        )
    if wrong := [f"{name} has {found[name].priority}" for name in queues if found[name].priority != queues[name]]:
        return warning(f"other priorities than declared: {', '.join(wrong)}", _DEPLOY)
    return ok(", ".join(queues))


def _worker(pool: str) -> Result:
    from prefect.client.orchestration import get_client

    remedy = f"elt up --worker, or on another machine: prefect worker start --pool {pool}"
    with get_client(sync_client=True) as client:
        workers = client.read_workers_for_work_pool(pool)
    now = datetime.now(UTC)
    last = max((worker.last_heartbeat_time for worker in workers if worker.last_heartbeat_time), default=None)
    alive = [
        worker.name
        for worker in workers
        if worker.last_heartbeat_time
        and now - worker.last_heartbeat_time
        <= timedelta(seconds=_MISSED_HEARTBEATS * (worker.heartbeat_interval_seconds or _HEARTBEAT))
    ]
    if alive:
        return ok(f"{len(alive)} alive: {', '.join(alive)}")
    if last is None:
        return failed(f"no worker has ever polled {pool}", remedy)
    return failed(f"no worker polls {pool}; the last heartbeat was at {last:%Y-%m-%d %H:%M:%S} UTC", remedy)


def _deployment(declared: Declared, project: str) -> Result:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = next((one for one in own_deployments(client, project) if one.name == declared.name), None)
        if found is None:
            return failed(f"the project {project} has no deployment {declared.name}", _DEPLOY)
        if found.paused:
            return failed(f"{declared.name} is paused, so its schedules start nothing", _DEPLOY)
        if not declared.scheduled:
            return ok("exists; it has no schedule")
        if not any(schedule.active for schedule in found.schedules):
            why = "its schedule is paused" if found.schedules else "it has no schedule"
            return failed(f"{why}, and prefect.yaml declares an active one", _DEPLOY)
        begins = _next_run(client, found, datetime.now(UTC))
    if begins is None:
        return failed(
            "its schedule is active, and no run is scheduled",
            "look again in a minute; if there is still none, restart the Prefect server and see its log",
        )
    return ok(f"scheduled; the next run is at {begins:%Y-%m-%d %H:%M} UTC")


def _next_run(client: SyncPrefectClient, deployment: DeploymentResponse, now: datetime) -> datetime | None:
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterId,
        FlowRunFilter,
        FlowRunFilterExpectedStartTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    runs = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment.id])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
            expected_start_time=FlowRunFilterExpectedStartTime(after_=now),
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=20,
    )
    begins = (run.expected_start_time for run in runs if run.auto_scheduled and run.expected_start_time)
    return next((begin.astimezone(UTC) for begin in begins), None)


def _automations(declared: Sequence[Declared], project: str) -> Result:
    from prefect.client.orchestration import get_client

    of_triggers = (trigger_name(project, name) for one in declared for name in one.triggers)
    names = [crashed.automation_name(project), *of_triggers]
    with get_client(sync_client=True) as client:
        found = {one.name: one for one in client.read_automations()}
    if missing := [name for name in names if name not in found]:
        return failed(f"missing: {'; '.join(missing)}", _DEPLOY)
    if disabled := [name for name in names if not found[name].enabled]:
        remedy = "; ".join(f"prefect automation resume '{name}'" for name in disabled)
        return failed(f"paused: {'; '.join(disabled)}", remedy)
    return ok(f"{len(names)} are active")
