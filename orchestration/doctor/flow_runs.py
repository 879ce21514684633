"""The check of flow runs: none is silent, late, or waits for a slot that a dead run holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from orchestration.doctor.checks import Check, Result, failed, ok, warning
from orchestration.doctor.deployments import found_deployments
from orchestration.doctor.prefect import SIGNED_IN
from orchestration.errors import UsageError
from orchestration.flows import crashed
from orchestration.flows.deploy import declared_deployments
from orchestration.text import examples

if TYPE_CHECKING:
    from pathlib import Path

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

LATE = timedelta(minutes=10)
"""How late a run may start before it is reported."""

_MOST = 200


def flow_run_checks(project_dir: Path) -> Iterator[Check]:
    """Return the check of the flow runs of prefect.yaml's flows, with or without a deployment."""
    try:
        names = [one.name for one in declared_deployments(project_dir / "prefect.yaml")]
    except UsageError:
        # The file has a check of its own.
        return
    yield Check("flow runs", partial(look, names), SIGNED_IN)


def look(names: Sequence[str], now: datetime | None = None, silence: timedelta = crashed.SILENCE) -> Result:
    """Look for flow runs that need attention.

    Args:
        names: The deployments whose flows are looked at.
        now: The time to look from; the current one unless given.
        silence: The time without any event after which a run in progress counts as dead.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import StateType

    now = now or datetime.now(UTC)
    with get_client(sync_client=True) as client:
        flows = {found.flow_id for found in found_deployments(client, names).values()}
        if not flows:
            return Result("not checked", "no deployment exists", "elt deploy")
        active = _runs(client, flows, types=[StateType.RUNNING, StateType.PENDING, StateType.CANCELLING])
        waiting = _runs(client, flows, states=["AwaitingConcurrencySlot"])
        overdue = [
            run
            for run in _runs(client, flows, states=["Late"])
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
    client: SyncPrefectClient, flows: Collection[UUID], *, types: Sequence[object] = (), states: Sequence[str] = ()
) -> list[FlowRun]:
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterId,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateName,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.sorting import FlowRunSort

    wanted = FlowRunFilterState(
        type=FlowRunFilterStateType(any_=list(types)) if types else None,
        name=FlowRunFilterStateName(any_=list(states)) if states else None,
    )
    return client.read_flow_runs(
        flow_filter=FlowFilter(id=FlowFilterId(any_=list(flows))),
        flow_run_filter=FlowRunFilter(state=wanted),
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
