"""The stack of docker-compose.yml in real containers: dates, restarts, kills, and what is open to the host."""

from __future__ import annotations

import time
from itertools import pairwise

import psutil
import pytest
from prefect.client.schemas.actions import DeploymentUpdate

from orchestration.lake.client import MAIN
from tests.stack.deployment import PORTS, Deployment, inspected
from tests.stack.engine import podman
from tests.stack.figures import note
from tests.stack.runs import (
    DAYS,
    DEPLOYMENT,
    begin,
    ended,
    log_of,
    publish,
    require_published_once,
    run_under_way,
    state_of,
)

FIRST, EIGHT, KEPT, KILLED = DAYS[0], DAYS[1:9], DAYS[9], DAYS[10:15]
SERVERS = ("postgres", "object-store", "lakefs", "prefect-server", "prefect-worker")
published: list[str] = []
"""The dates that must be on `main`, once each."""


@pytest.fixture(scope="module", autouse=True)
def _of_one_store(store: str) -> None:
    published.clear()


def test_only_the_three_pages_are_published_and_only_on_loopback(stack: Deployment) -> None:
    ports = {int(stack.variables[name]) for name in PORTS}
    listening = [found.laddr for found in psutil.net_connections("tcp") if found.laddr and found.status == "LISTEN"]
    assert {address.ip for address in listening if address.port in ports} == {"127.0.0.1"}
    assert {address.port for address in listening} >= ports
    bound = []
    for container in podman("ps", "--filter", f"label=com.docker.compose.project={stack.name}", "-q").split():
        for addresses in filter(None, (inspected(container)["HostConfig"]["PortBindings"] or {}).values()):
            bound += [(address["HostIp"], int(address["HostPort"])) for address in addresses]
    assert sorted(bound) == sorted(("127.0.0.1", port) for port in ports)
    note(f"published: {sorted(bound)}")


def test_a_retail_date_is_published_through_the_deployment(stack: Deployment) -> None:
    begun = time.monotonic()
    publish(stack, FIRST)
    note(f"{FIRST} through the deployment: {time.monotonic() - begun:.0f} s")
    published.append(FIRST)
    require_published_once(stack, published)
    with stack.lake() as lake:
        merge = next(merge for merge in lake.log(MAIN) if merge.metadata.get("execution_date") == FIRST)
        links = [value for value in merge.metadata.values() if "/runs/flow-run/" in value]
    assert links, merge.metadata
    assert links[0].startswith(f"{stack.variables['STACK_PREFECT_URL']}/runs/flow-run/")


def test_init_changes_nothing_the_second_time(stack: Deployment) -> None:
    with stack.lake() as lake:
        head = lake.head(MAIN)
        stack.start("check")
        stack.start("prepare")
        stack.start("init")
        assert lake.head(MAIN) == head
    said = stack.logs("init")
    assert "lakeFS administrator unchanged" in said
    assert "gate unchanged" in said
    require_published_once(stack, published)


def test_two_workers_publish_eight_dates_at_once(stack: Deployment) -> None:
    stack.start("prefect-worker", workers=2)
    assert len(stack.containers("prefect-worker")) == 2
    with stack.prefect() as client:
        # The deployment runs one date at a time. Here two must meet at the gate.
        found = client.read_deployment_by_name(DEPLOYMENT)
        client.update_deployment(found.id, DeploymentUpdate(concurrency_limit=2))
    begun = time.monotonic()
    publish(stack, *EIGHT)
    note(f"eight dates with two workers: {time.monotonic() - begun:.0f} s")
    published.extend(EIGHT)
    require_published_once(stack, published)
    with stack.prefect() as client:
        starts = sorted(
            (run.start_time, run.end_time)
            for run in client.read_flow_runs(limit=100)
            if run.start_time and run.end_time and run.parameters.get("execution_date") in EIGHT
        )
    assert any(later[0] < earlier[1] for earlier, later in pairwise(starts)), "none overlapped"


@pytest.mark.parametrize("service", SERVERS)
def test_a_service_may_be_killed_during_a_run(stack: Deployment, service: str) -> None:
    day = KILLED[SERVERS.index(service)]
    run = run_under_way(stack, day)
    stack.kill(service)
    begun = time.monotonic()
    stack.restarted(service)
    note(f"{service} killed during {day}: healthy again after {time.monotonic() - begun:.0f} s")
    with stack.prefect() as client:
        # After a killed worker, nobody is left to report the run's end. The deployment must be free again by itself.
        found = client.read_flow_run(run) if service == "prefect-worker" else ended(client, run)
        note(f"{service} killed during {day}: {state_of(found)[:100]}")
        if not found.state or found.state.name != "Published":
            again = ended(client, begin(client, day))
            assert again.state
            assert again.state.name in ("Published", "Unchanged"), f"{state_of(again)}\n{log_of(stack)}"
    published.append(day)
    require_published_once(stack, published)


def test_volumes_outlive_down_and_up(stack: Deployment) -> None:
    with stack.lake() as lake:
        head = lake.head(MAIN)
    stack.down()
    assert not podman("ps", "--all", "-q", "--filter", f"label=com.docker.compose.project={stack.name}")
    stack.up()
    with stack.lake() as lake:
        assert lake.head(MAIN) == head
    publish(stack, KEPT)
    published.append(KEPT)
    require_published_once(stack, published)
