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
from orchestration.flows.deploy import QUEUES, Declared, declared_deployments
from orchestration.servers.worker import POOL

if TYPE_CHECKING:
    from pathlib import Path

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

WORK_POOL = f"work pool {POOL}"
_DEPLOY = "elt deploy"
_START_A_WORKER = f"elt up --worker, or on another machine: prefect worker start --pool {POOL}"
_MISSED_HEARTBEATS = 3
_HEARTBEAT = 30


def deployment_checks(project_dir: Path) -> Iterator[Check]:
    """Return the checks of the work pool, its queues and workers, and of each deployment of prefect.yaml."""
    try:
        declared = declared_deployments(project_dir / "prefect.yaml")
    except UsageError as error:
        yield Check("prefect.yaml", partial(failed, error.cause, error.remedy))
        return
    in_pool = (*SIGNED_IN, WORK_POOL)
    yield Check(WORK_POOL, _pool, SIGNED_IN)
    yield Check("work queues", _queues, in_pool)
    yield Check("worker", _worker, in_pool)
    for one in declared:
        yield Check(f"deployment {one.name}", partial(_deployment, one), SIGNED_IN)
    yield Check("automations", partial(_automations, declared), SIGNED_IN)


def found_deployments(client: SyncPrefectClient, names: Sequence[str]) -> dict[str, DeploymentResponse]:
    """Return the deployments with these names."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    named = DeploymentFilter(name=DeploymentFilterName(any_=list(names)))
    return {found.name: found for found in client.read_deployments(deployment_filter=named)}


def _pool() -> Result:
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            pool = client.read_work_pool(POOL)
        except ObjectNotFound:
            return failed(f"there is no work pool {POOL}", _DEPLOY)
    if pool.is_paused:
        return failed(f"{POOL} is paused, so no run starts", f"prefect work-pool resume {POOL}")
    return ok(f"of type {pool.type}")


def _queues() -> Result:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = {queue.name: queue for queue in client.read_work_queues(work_pool_name=POOL)}
    if missing := [name for name in QUEUES if name not in found]:
        return failed(f"{POOL} has no queue {', '.join(missing)}", _DEPLOY)
    if paused := [name for name in QUEUES if found[name].is_paused]:
        return failed(
            f"paused: {', '.join(paused)}; no run of theirs starts",
            "; ".join(f"prefect work-queue resume {name} --pool {POOL}" for name in paused),
        )
    if wrong := [f"{name} has {found[name].priority}" for name in QUEUES if found[name].priority != QUEUES[name]]:
        return warning(f"other priorities than declared: {', '.join(wrong)}", _DEPLOY)
    return ok(", ".join(QUEUES))


def _worker() -> Result:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        workers = client.read_workers_for_work_pool(POOL)
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
        return failed(f"no worker has ever polled {POOL}", _START_A_WORKER)
    return failed(f"no worker polls {POOL}; the last heartbeat was at {last:%Y-%m-%d %H:%M:%S} UTC", _START_A_WORKER)


def _deployment(declared: Declared) -> Result:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        found = found_deployments(client, [declared.name]).get(declared.name)
        if found is None:
            return failed(f"there is no deployment {declared.name}", _DEPLOY)
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


def _automations(declared: Sequence[Declared]) -> Result:
    from prefect.client.orchestration import get_client

    names = [crashed.NAME, *(name for one in declared for name in one.triggers)]
    with get_client(sync_client=True) as client:
        found = {one.name: one for one in client.read_automations()}
    if missing := [name for name in names if name not in found]:
        return failed(f"missing: {'; '.join(missing)}", _DEPLOY)
    if disabled := [name for name in names if not found[name].enabled]:
        remedy = "; ".join(f"prefect automation resume '{name}'" for name in disabled)
        return failed(f"paused: {'; '.join(disabled)}", remedy)
    return ok(f"{len(names)} are active")
