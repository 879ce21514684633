"""The check of flow runs: none is silent, late, or waits for a slot that a dead run holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from orchestration.doctor.checks import Check, Result, failed, ok, warning
from orchestration.doctor.prefect import SIGNED_IN
from orchestration.errors import UsageError
from orchestration.flows import crashed
from orchestration.flows.own import own_deployments
from orchestration.prefect_file import read_prefect_file
from orchestration.project import project_name, tag_of
from orchestration.text import examples

if TYPE_CHECKING:
    from pathlib import Path

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

LATE = timedelta(minutes=10)
"""How late a run may start before it is reported."""

_MOST = 200


def flow_run_checks(project_dir: Path) -> Iterator[Check]:
    """Return the check of the project's flow runs, with or without a deployment."""
    try:
        read_prefect_file(project_dir)
        project = project_name(project_dir)
    except UsageError:
        # The files have a check of their own.
        return
    yield Check("flow runs", partial(look, project), SIGNED_IN)


def look(project: str, now: datetime | None = None, silence: timedelta = crashed.SILENCE) -> Result:
    """Look for flow runs that need attention.

    Args:
        project: The project whose flow runs are looked at, with or without a deployment.
        now: The time to look from; the current one unless given.
        silence: The time without any event after which a run in progress counts as dead.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType

    now = now or datetime.now(UTC)
    with get_client(sync_client=True) as client:
        if not own_deployments(client, project):
            return Result("not checked", "no deployment exists", "elt deploy")
        active = _runs(client, project, types=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
        waiting = _runs(client, project, states=["AwaitingConcurrencySlot"])
        overdue = [
            run
            for run in _runs(client, project, states=["Late"])
            if run.expected_start_time and now - run.expected_start_time > LATE
        ]
        silent = [run for run in active if _is_silent(client, run, now - silence)]
    if silent:
        blocked = len({run.id for run in waiting if run.deployment_id in {one.deployment_id for one in silent}})
        holding = f"; {blocked} wait for the slot that it holds" if blocked else ""
        return failed(
            f"no heartbeat for {silence.total_seconds() / 60:g} minutes: {_shown(silent)}{holding}",
            "their processes are gone: set them to Crashed on their pages in Prefect, and run the dates again; "
            "elt deploy creates the automation that does it",
        )
    if overdue:
        return warning(
            f"late by more than {LATE.total_seconds() / 60:g} minutes: {_shown(overdue)}",
            "start a worker, or another one, if the workers are busy: elt up --worker",
        )
    return ok(f"{len(active)} in progress, {len(waiting)} waiting for a slot, none late or silent")


def _runs(
    client: SyncPrefectClient, project: str, *, types: Sequence[object] = (), states: Sequence[str] = ()
) -> list[FlowRun]:
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateName,
        FlowRunFilterStateType,
        FlowRunFilterTags,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    wanted = FlowRunFilterState(
        type=FlowRunFilterStateType(any_=list(types)) if types else None,
        name=FlowRunFilterStateName(any_=list(states)) if states else None,
    )
    return client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=wanted, tags=FlowRunFilterTags(all_=[tag_of(project)])),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=_MOST,
    )


def _is_silent(client: SyncPrefectClient, run: FlowRun, since: datetime) -> bool:
    """Return whether a run has neither changed its state nor sent a heartbeat since a time."""
    from prefect.events.filters import EventFilter, EventOccurredFilter, EventResourceFilter

    if run.state is None or run.state.timestamp >= since:
        return False
    sent = EventFilter(
        occurred=EventOccurredFilter.model_validate({"since": since}),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
    )
    return not client.read_events(sent, limit=1).events


def _shown(runs: Sequence[FlowRun]) -> str:
    return examples((f"{run.name} ({run.state_name} since {_since(run)}, {run.id})" for run in runs), len(runs))


def _since(run: FlowRun) -> str:
    begin = run.start_time or run.expected_start_time
    return f"{begin.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if begin else "an unknown time"
