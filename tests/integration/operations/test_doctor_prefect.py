"""`elt doctor` on a real Prefect: each check passes, and fails for what it is there to find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from prefect.blocks.system import Secret
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import refresh_global_settings_context
from prefect.states import Running, Scheduled
from pydantic import SecretStr

from orchestration.doctor import flow_runs
from orchestration.doctor.checks import Finding
from orchestration.doctor.deployments import deployment_checks
from orchestration.doctor.lakefs import lakefs_checks
from orchestration.doctor.prefect import prefect_checks
from orchestration.doctor.secrets import secret_checks
from orchestration.endpoints import use_prefect
from orchestration.flows import crashed
from orchestration.flows.deploy import deploy, trigger_name
from orchestration.flows.secrets import LAKE, NOTIFY, save
from orchestration.lake.access import LakeAccess
from orchestration.log import SILENT
from orchestration.prefect_file import read_prefect_file
from orchestration.project import own_name
from orchestration.servers.background import LocalServer
from orchestration.servers.prefect import read_login
from orchestration.settings import (
    LakeSettings,
    PrefectSettings,
    Settings,
    read_settings,
)
from tests.helpers.checks import found, states
from tests.helpers.elt_runs import eventually
from tests.helpers.isolation import PROJECT
from tests.helpers.projects import NAME

DEPLOYMENTS = ["daily-ingest", "marts", "eda-report"]
FILE = read_prefect_file(PROJECT)


@dataclass(frozen=True)
class Deployed:
    """The deployments of prefect.yaml on the session's Prefect server, which this process uses."""

    client: SyncPrefectClient
    settings: Settings
    url: str

    def check(self, *names: str) -> dict[str, Finding]:
        """Carries out the checks with these names, or all."""
        checks = [*prefect_checks(self.settings), *deployment_checks(PROJECT)]
        if not names:
            return found(checks)
        return found(replace(check, needs=()) for check in checks if check.name in names)

    def deployment(self, name: str) -> Any:
        return next(one for one in self.client.read_deployments() if one.name == name)

    def run(self, state: Any) -> FlowRun:
        return self.client.create_flow_run_from_deployment(self.deployment("daily-ingest").id, state=state)


@pytest.fixture(scope="module")
def deployed(prefect_server: LocalServer) -> Iterator[Deployed]:
    """Deploys prefect.yaml, without a worker; deletes the deployments at the end, because tests share the server."""
    url = str(prefect_server.running_url)
    login = PrefectSettings(api_url=url, api_auth_string=read_login(prefect_server.data))
    settings = replace(read_settings(), prefect=login, lake=LakeSettings())
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_MAX_RETRIES"):
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        try:
            use_prefect(settings)
            with get_client(sync_client=True) as client:
                deploy(url, PROJECT, SILENT)
                yield Deployed(client, settings, url)
                for one in client.read_deployments():
                    client.delete_deployment(one.id)
        finally:
            monkeypatch.undo()
            refresh_global_settings_context()


@pytest.fixture(autouse=True)
def _connected(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives each test of Prefect the environment that `use_prefect` set, which the suite resets before each test."""
    if "deployed" in request.fixturenames:
        use_prefect(request.getfixturevalue("deployed").settings)


def forget_workers(client: SyncPrefectClient) -> None:
    for one in client.read_workers_for_work_pool(FILE.pool):
        client.request("DELETE", f"/work_pools/{FILE.pool}/workers/{one.name}")  # type: ignore[arg-type]


def test_deployments_pass_once_a_worker_polls(deployed: Deployed) -> None:
    forget_workers(deployed.client)
    checked = deployed.check("worker")

    assert states(checked) == {"worker": "failed"}
    assert checked["worker"].seen == f"no worker has ever polled {FILE.pool}"
    assert "elt up --worker" in checked["worker"].remedy

    deployed.client.send_worker_heartbeat(FILE.pool, "doctor", heartbeat_interval_seconds=600)
    # Prefect schedules the runs of new deployments within seconds.
    checked = eventually(deployed.check, lambda one: not states(one))

    assert states(checked) == {}
    assert "doctor" in checked["worker"].seen
    assert "03:00 UTC" in checked["deployment daily-ingest"].seen
    forget_workers(deployed.client)


def test_a_worker_that_stopped_is_found(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed.client.send_worker_heartbeat(FILE.pool, "doctor", heartbeat_interval_seconds=600)
    monkeypatch.setattr("orchestration.doctor.deployments._MISSED_HEARTBEATS", 0)

    checked = deployed.check("worker")

    assert (checked["worker"].state, "the last heartbeat was at" in checked["worker"].seen) == ("failed", True)
    forget_workers(deployed.client)


def test_what_is_paused_or_missing_is_found_and_deploying_again_mends_it(deployed: Deployed) -> None:
    client = deployed.client
    nightly = deployed.deployment("daily-ingest")
    client.update_deployment_schedule(nightly.id, nightly.schedules[0].id, active=False)
    client.delete_deployment(deployed.deployment("marts").id)
    client.pause_deployment(deployed.deployment("eda-report").id)
    (automation,) = client.read_automations_by_name(crashed.automation_name(NAME))
    client.delete_automation(automation.id)

    names = ("automations", *(f"deployment {name}" for name in DEPLOYMENTS))
    broken = deployed.check(*names)

    assert {name: one.seen for name, one in broken.items()} == {
        "deployment daily-ingest": "its schedule is paused, and prefect.yaml declares an active one",
        "deployment marts": "the project ingest_clean has no deployment marts",
        "deployment eda-report": "eda-report is paused, so its schedules start nothing",
        "automations": broken["automations"].seen,
    }
    assert crashed.automation_name(NAME) in broken["automations"].seen
    assert {one.remedy for one in broken.values()} == {"elt deploy"}

    deploy(deployed.url, PROJECT, SILENT)

    assert states(eventually(lambda: deployed.check(*names), lambda one: not states(one))) == {}
    # Prefect keeps the trigger of a deleted deployment.
    (trigger,) = client.read_automations_by_name(trigger_name(NAME, "marts after a date"))
    assert [getattr(action, "deployment_id", None) for action in trigger.actions] == [deployed.deployment("marts").id]


def test_paused_automations_queues_and_pools_are_found(deployed: Deployed) -> None:
    from prefect.client.schemas.actions import WorkPoolUpdate

    client = deployed.client
    (automation,) = client.read_automations_by_name(crashed.automation_name(NAME))
    queue = client.read_work_queue_by_name("backfill", work_pool_name=FILE.pool)
    client.pause_automation(automation.id)
    client.update_work_queue(queue.id, is_paused=True)
    try:
        checked = deployed.check("automations", "work queues")
        client.update_work_queue(queue.id, is_paused=False, priority=9)
        other = deployed.check("work queues")
        client.update_work_pool(FILE.pool, WorkPoolUpdate(is_paused=True))
        stopped = deployed.check("work pool etl-pool")
    finally:
        client.update_work_pool(FILE.pool, WorkPoolUpdate(is_paused=False))
        client.update_work_queue(queue.id, is_paused=False, priority=FILE.queues["backfill"])
        client.resume_automation(automation.id)

    assert checked["automations"].remedy == f"prefect automation resume '{crashed.automation_name(NAME)}'"
    assert checked["work queues"].remedy == f"prefect work-queue resume backfill --pool {FILE.pool}"
    assert (other["work queues"].state, other["work queues"].remedy) == ("warning", "elt deploy")
    assert stopped["work pool etl-pool"].remedy == f"prefect work-pool resume {FILE.pool}"


def test_a_wrong_login_fails_and_what_depends_on_it_is_not_checked(deployed: Deployed) -> None:
    wrong = PrefectSettings(api_url=deployed.url, api_auth_string=SecretStr("elt:sesam"))
    settings = replace(deployed.settings, prefect=wrong)
    try:
        checked = found([*prefect_checks(settings), *deployment_checks(PROJECT)])
    finally:
        use_prefect(deployed.settings)

    assert (checked["prefect"].state, checked["prefect login"].state) == ("ok", "failed")
    assert "PREFECT_API_AUTH_STRING" in checked["prefect login"].remedy
    assert {checked[name].state for name in ("worker", "automations", "deployment marts")} == {"not checked"}
    assert "sesam" not in str(checked)


def test_runs_without_a_heartbeat_are_found(deployed: Deployed) -> None:
    look = partial(flow_runs.look, NAME)
    assert look().state == "ok"
    run = deployed.run(Running())
    waiting = deployed.run(Scheduled(name="AwaitingConcurrencySlot", scheduled_time=datetime.now(UTC)))
    try:
        assert look().state == "ok"
        later = datetime.now(UTC) + timedelta(minutes=11)
        # Prefect's own events of the run are older than the silence.
        silent = look(now=later)
        assert silent.state == "failed"
        assert str(run.id) in silent.seen
        assert "1 wait for the slot that it holds" in silent.seen
        assert "Crashed" in silent.remedy

        heard = datetime.now(UTC)
        event = {
            "occurred": heard.isoformat(),
            "event": "prefect.flow-run.heartbeat",
            "resource": {"prefect.resource.id": f"prefect.flow-run.{run.id}"},
            "id": "01980000-0000-7000-8000-000000000001",
        }
        deployed.client.request("POST", "/events", json=[event])
        state = deployed.client.read_flow_run(run.id).state
        assert state is not None
        # Between the state and the heartbeat.
        between = heard - (heard - state.timestamp) / 2
        silence = timedelta(minutes=10)
        assert eventually(lambda: look(now=between + silence), lambda result: result.state == "ok").state == "ok"
    finally:
        for one in (run, waiting):
            deployed.client.delete_flow_run(one.id)


def test_late_runs_are_found(deployed: Deployed) -> None:
    run = deployed.run(Scheduled(name="Late", scheduled_time=datetime.now(UTC) - timedelta(minutes=11)))
    try:
        result = flow_runs.look(NAME)
    finally:
        deployed.client.delete_flow_run(run.id)

    assert (result.state, str(run.id) in result.seen) == ("warning", True)
    assert "elt up --worker" in result.remedy


def test_keys_of_lakefs_from_a_block_are_named_and_used(deployed: Deployed, access: LakeAccess) -> None:
    settings = replace(deployed.settings, lake=LakeSettings(endpoint=access.endpoint))

    def check() -> dict[str, Finding]:
        checks = (*secret_checks(settings), *lakefs_checks(settings, ()))
        return found(replace(one, needs=()) for one in checks if one.name in ("secret lakefs keys", "lakefs keys"))

    missing = check()
    save(NAME, LAKE, f"{access.access_key.get_secret_value()}:{access.secret_key.get_secret_value()}")
    try:
        there = check()
    finally:
        block = deployed.client.read_block_document_by_name(own_name(NAME, LAKE), "secret")
        deployed.client.delete_block_document(block.id)

    for name in ("secret lakefs keys", "lakefs keys"):
        assert missing[name].state == "failed"
        assert f"elt secrets set {LAKE}" in missing[name].remedy
    assert there["secret lakefs keys"].seen == f"from the Secret block {own_name(NAME, LAKE)}"
    assert there["lakefs keys"].state == "ok"
    assert access.secret_key.get_secret_value() not in str(there)


def test_a_block_of_an_earlier_version_is_reported_as_not_read(deployed: Deployed) -> None:
    def check() -> Finding:
        checks = (one for one in secret_checks(deployed.settings) if one.name == "secret ELT_NOTIFY_URL")
        return found(replace(one, needs=()) for one in checks)["secret ELT_NOTIFY_URL"]

    assert check().state == "ok"
    Secret(value="http://hook.example").save(NOTIFY)
    try:
        left = check()
        save(NAME, NOTIFY, "http://hook.example")
        there = check()
    finally:
        for name in (NOTIFY, own_name(NAME, NOTIFY)):
            deployed.client.delete_block_document(deployed.client.read_block_document_by_name(name, "secret").id)

    assert (left.state, left.remedy) == ("warning", f"elt secrets set {NOTIFY}")
    assert "of an earlier version is not read" in left.seen
    assert (there.state, there.seen) == ("ok", "from the Secret block ingest-clean--notify-url")
