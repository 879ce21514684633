"""A flow run whose process was killed is set to Crashed, and its deployment's slot is free again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.states import Completed, Pending, Running

from orchestration.flows.crashed import automation_name, ensure_automation, of_project
from orchestration.project import tag_of

WATCHED, OTHER = "test-crashed-watched", "test-crashed-other"
NAME = "test_crashed"
SILENCE = timedelta(seconds=10)
"""The least that Prefect allows for a trigger that waits for absence."""


@pytest.fixture
def client(prefect_client: SyncPrefectClient) -> Iterator[SyncPrefectClient]:
    yield prefect_client
    for automation in prefect_client.read_automations_by_name(automation_name(NAME)):
        prefect_client.delete_automation(automation.id)
    for found in prefect_client.read_deployments():
        prefect_client.delete_deployment(found.id)


def deployment(client: SyncPrefectClient, flow: str, name: str, project: str = NAME) -> UUID:
    """Creates a deployment of a project that runs one flow run at a time."""
    return client.create_deployment(
        client.create_flow_from_name(flow),
        name,
        concurrency_limit=1,
        enforce_parameter_schema=False,
        tags=[tag_of(project)],
    )


def running(client: SyncPrefectClient, of: UUID) -> UUID:
    """Creates a flow run, and takes it to Running without any process behind it."""
    run = client.create_flow_run_from_deployment(of).id
    client.set_flow_run_state(run, Pending())
    client.set_flow_run_state(run, Running())
    assert state_of(client, run) == "Running"
    return run


def state_of(client: SyncPrefectClient, run: UUID) -> str:
    state = client.read_flow_run(run).state
    return str(state.name) if state else ""


def beat(client: SyncPrefectClient, run: UUID, flow: str) -> None:
    """Sends the heartbeat of a flow run, as its process does."""
    event = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": "prefect.flow-run.heartbeat",
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
        "related": [
            {
                "prefect.resource.id": "prefect.flow.any",
                "prefect.resource.role": "flow",
                "prefect.resource.name": flow,
            },
            of_project(NAME),
        ],
    }
    client._client.post("/events", json=[event]).raise_for_status()


def test_a_run_without_a_heartbeat_becomes_crashed_and_frees_its_slot(client: SyncPrefectClient) -> None:
    ensure_automation(client, NAME, {WATCHED}, silence=SILENCE)
    ensure_automation(client, NAME, {WATCHED}, silence=SILENCE)
    assert len(client.read_automations_by_name(automation_name(NAME))) == 1
    # The server's triggers read a new automation a moment after its creation.
    time.sleep(2)
    of_killed = deployment(client, WATCHED, "killed")
    killed = running(client, of_killed)
    alive = running(client, deployment(client, WATCHED, "alive"))
    done = running(client, deployment(client, WATCHED, "done"))
    client.set_flow_run_state(done, Completed(name="Published"))
    unwatched = running(client, deployment(client, OTHER, "unwatched"))
    of_another = running(client, deployment(client, WATCHED, "of another project", project="another"))
    waiting = client.create_flow_run_from_deployment(of_killed).id
    client.set_flow_run_state(waiting, Pending())
    assert state_of(client, waiting) == "AwaitingConcurrencySlot"

    end = time.monotonic() + 60
    while state_of(client, killed) == "Running" and time.monotonic() < end:
        beat(client, alive, WATCHED)
        time.sleep(1)

    found = client.read_flow_run(killed)
    assert found.state
    assert (found.state.type, found.state.message) == (
        StateType.CRASHED,
        "no heartbeat for 10 s: its process was killed; run the date again",
    )
    assert [state_of(client, run) for run in (alive, done, unwatched, of_another)] == [
        "Running",
        "Published",
        "Running",
        "Running",
    ]
    client.set_flow_run_state(waiting, Pending())
    assert state_of(client, waiting) == "Pending"
