"""Dates that run through the deployment, and what must hold afterwards for each date and for all of `main`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun

from tests.helpers.invariant import require_sound
from tests.helpers.pipeline import publications_of, require_whole
from tests.helpers.projects import RETAIL
from tests.stack.deployment import Deployment, eventually

DEPLOYMENT = "ingest-clean/daily-ingest"
DAYS = sorted(file.stem for file in (RETAIL / "by-day").glob("*.csv"))
"""The days of the retail data."""

LIMIT = 600.0


def begin(client: SyncPrefectClient, execution_date: str) -> UUID:
    """Create a flow run of a date, for now."""
    found = client.read_deployment_by_name(DEPLOYMENT)
    parameters = {"execution_date": execution_date, "run_type": "backfill"}
    return client.create_flow_run_from_deployment(found.id, parameters=parameters).id


def ended(client: SyncPrefectClient, run: UUID, limit: float = LIMIT) -> FlowRun:
    """Wait for the end of a flow run, and return it."""
    end = time.monotonic() + limit
    while not ((found := client.read_flow_run(run)).state and found.state.is_final()):
        assert time.monotonic() < end, f"{found.name} is still {found.state}"
        time.sleep(1)
    return found


def state_of(run: FlowRun) -> str:
    """Return the name of a flow run's state, with its message."""
    assert run.state
    return f"{run.state.name}: {run.state.message}"


def publish(stack: Deployment, *dates: str) -> None:
    """Run dates through the deployment, all created at once, and require that each is published."""
    with stack.prefect() as client:
        runs = {day: begin(client, day) for day in dates}
        for day, run in runs.items():
            found = ended(client, run)
            assert found.state
            assert found.state.name == "Published", f"{day} {state_of(found)}\n{log_of(stack)}"


def log_of(stack: Deployment) -> str:
    """Return the end of the workers' logs, for messages of failed tests."""
    return "\n".join(stack.logs("prefect-worker").splitlines()[-60:])


def has_branch(stack: Deployment, execution_date: str) -> bool:
    """Return whether a run of a date is between its first write and its merge."""
    with stack.lake() as lake:
        return any(lake.branches(f"etl-{execution_date}-"))


def run_under_way(stack: Deployment, execution_date: str) -> UUID:
    """Begin a date, and wait until its run has created its branch."""
    with stack.prefect() as client:
        run = begin(client, execution_date)
        eventually(lambda: has_branch(stack, execution_date) or is_final(client, run), LIMIT)
        assert not is_final(client, run), state_of(client.read_flow_run(run))
        return run


def is_final(client: SyncPrefectClient, run: UUID) -> bool:
    """Return whether a flow run has ended."""
    state = client.read_flow_run(run).state
    return bool(state and state.is_final())


def require_published_once(stack: Deployment, dates: Iterable[str]) -> None:
    """Check that each date is whole on `main`, that one merge published it, and the invariant of all of `main`."""
    with stack.lake() as lake:
        for day in dates:
            assert require_whole(lake, day), f"{day} is not on main"
            assert publications_of(lake, day) == 1, day
        require_sound(lake)
