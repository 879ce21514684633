"""Two projects on one lakeFS and one Prefect server, each with its own worker, publish the same night."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import refresh_global_settings_context
from prefect.states import Running
from pydantic import SecretStr

from examples.events_api import Options, create_app, serving
from orchestration.doctor.deployments import deployment_checks
from orchestration.doctor.flow_runs import flow_run_checks
from orchestration.doctor.lakefs import lakefs_checks
from orchestration.endpoints import open_lake, open_own_lake, use_prefect
from orchestration.errors import UsageError
from orchestration.flows.deploy import deploy
from orchestration.flows.launch import run_date_flow, run_marts_flow, run_report_flow
from orchestration.flows.own import INGEST, own_deployment
from orchestration.flows.secrets import LAKE, save
from orchestration.housekeeping.flow_runs import configured_flow_runs
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.owner import owner_of
from orchestration.lake.receipt import read_receipt
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.models.generate import write_models
from orchestration.project import dashed, own_name, tag_of
from orchestration.servers import worker
from orchestration.servers.background import LocalServer
from orchestration.servers.prefect import PrefectAccess
from orchestration.settings import LakeSettings, Settings, read_settings
from tests.helpers.checks import found, states
from tests.helpers.elt_runs import Shown, eventually, prefect_environment
from tests.helpers.isolation import PROJECT
from tests.helpers.projects import NAME, copy_project, keys_of

NIGHT = "2017-03-01"
ROWS = {"till": 200, "city": 300}
CHANGING = ("updated", "last_polled", "status", "estimated_runs", "next_run", "last_heartbeat")


@dataclass(frozen=True)
class Project:
    """A project with its own folder, repository and worker on the servers that both use."""

    name: str
    settings: Settings
    lake: Lake
    worker: LocalServer

    @property
    def folder(self) -> Path:
        return self.settings.project_dir

    def use(self, monkeypatch: pytest.MonkeyPatch) -> Settings:
        """Makes this process one of the project, and returns the settings with lakeFS's keys."""
        monkeypatch.setenv("ELT_PROJECT_DIR", str(self.folder))
        return self.settings


@dataclass(frozen=True)
class Both:
    first: Project
    second: Project
    client: SyncPrefectClient
    shown: Shown
    url: str

    def things_of(self, project: Project) -> dict[str, Any]:
        """Returns all that Prefect shows of a project, without what running changes."""
        deployments = [one for one in self.shown.all("deployments") if tag_of(project.name) in one["tags"]]
        pools = {one["work_pool_name"] for one in deployments}
        own = tuple(f"{dashed(project.name)}{end}" for end in ("--", ": "))
        things = {
            "deployments": deployments,
            "automations": [one for one in self.shown.all("automations") if one["name"].startswith(own)],
            "block_documents": [one for one in self.shown.all("block_documents") if str(one["name"]).startswith(own)],
            "work_pools": [one for one in self.shown.all("work_pools") if one["name"] in pools],
            "queues": [one for pool in sorted(pools) for one in self.shown.all(f"work_pools/{pool}/queues")],
        }
        return {
            kind: sorted((without_changes(one) for one in ones), key=lambda one: str(one["id"]))
            for kind, ones in things.items()
        }

    def runs_of(self, project: Project, flow: str) -> list[dict[str, Any]]:
        """Returns the runs of the project's deployments of a flow."""
        flows = {"name": {"any_": [flow]}}
        return self.shown.all("flow_runs", flows=flows, flow_runs={"tags": {"all_": [tag_of(project.name)]}})


def without_changes(one: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name not in CHANGING}


def project_named(name: str, source: str, folder: Path) -> Path:
    """Copies this project under another name, with another name of its source, pool and deployments."""
    copy_project(folder)
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file():
            path.write_text(path.read_text().replace(NAME, name).replace("shop", source))
        if "shop" in path.name:
            path.rename(path.with_name(path.name.replace("shop", source)))
    # The staging models name the source, and have a digest of what it declares.
    write_models(folder)
    declared = (PROJECT / "prefect.yaml").read_text()
    own = declared.replace("etl-pool", f"{source}-pool").replace("- name: ", f"- name: {source}-")
    (folder / "prefect.yaml").write_text(own)
    return folder


@pytest.fixture(scope="module")
def both(access: LakeAccess, prefect_server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Sets up the first project and then the second, as their users do, and starts both workers."""
    folder = tmp_path_factory.mktemp("projects")
    login = prefect_environment(prefect_server)
    url = login["PREFECT_API_URL"]
    with ExitStack() as stack, pytest.MonkeyPatch.context() as monkeypatch:
        variables = {**login, "HOME": str(folder), "LAKEFS_ENDPOINT": access.endpoint}
        for name, value in {**variables, "ELT_RETRIES": "0"}.items():
            monkeypatch.setenv(name, value)
        refresh_global_settings_context()
        client = stack.enter_context(get_client(sync_client=True))
        shown = Shown(login)
        stack.callback(shown.close)
        keys_of_lake = f"{access.access_key.get_secret_value()}:{access.secret_key.get_secret_value()}"
        projects = []
        for source, rows in ROWS.items():
            name = f"two_{source}"
            place = project_named(name, source, folder / name)
            api = stack.enter_context(serving(create_app(Options(rows=rows))))
            (place / ".env").write_text(f"{source.upper()}_API_URL={api}\n")
            monkeypatch.setenv("ELT_PROJECT_DIR", str(place))
            settings = read_settings()
            save(name, LAKE, keys_of_lake)
            keyed = LakeSettings(endpoint=access.endpoint, access_key=access.access_key, secret_key=access.secret_key)
            settings = replace(settings, lake=keyed)
            lake = open_lake_of(settings, stack)
            init_lake(lake, settings.elt.bucket, place, SILENT)
            spec = worker.spec_for(PrefectAccess(url, SecretStr(login["PREFECT_API_AUTH_STRING"])))
            projects.append(Project(name, settings, lake, LocalServer(spec, settings)))
        first, second = projects
        running = Both(first, second, client, shown, url)
        try:
            yield running
        finally:
            for one in projects:
                one.worker.stop(SILENT)
            for deployment in client.read_deployments():
                client.delete_deployment(deployment.id)
            for automation in client.read_automations():
                client.delete_automation(automation.id)
            for one in projects:
                block = client.read_block_document_by_name(own_name(one.name, LAKE), "secret")
                client.delete_block_document(block.id)
    refresh_global_settings_context()


def open_lake_of(settings: Settings, stack: ExitStack) -> Lake:
    lake = open_lake(settings)
    stack.callback(lake.connection.close)
    return lake


@pytest.fixture(autouse=True)
def _connected(both: Both, prefect_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives each test the environment of the fixture, which the suite resets before each test."""
    for name, value in prefect_environment(prefect_server).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LAKEFS_ENDPOINT", both.first.lake.connection.access.endpoint)
    refresh_global_settings_context()


def test_the_second_project_is_deployed_beside_the_first_without_a_change_of_it(both: Both) -> None:
    first, second = both.first, both.second
    assert (first.lake.repository, second.lake.repository) == ("two-till", "two-city")
    assert (owner_of(first.lake), owner_of(second.lake)) == ("two_till", "two_city")
    deploy(both.url, first.folder, SILENT)
    before = both.things_of(first)
    assert {kind: len(things) for kind, things in before.items()} == {
        "deployments": 6,
        "automations": 3,
        "block_documents": 1,
        "work_pools": 1,
        "queues": 5,
    }

    deploy(both.url, second.folder, SILENT)

    assert both.things_of(first) == before
    of_second = both.things_of(second)
    assert {kind: len(things) for kind, things in of_second.items()} == {kind: len(one) for kind, one in before.items()}
    for kind, things in of_second.items():
        assert not {one["id"] for one in things} & {one["id"] for one in before[kind]}


def test_deploying_the_second_again_replaces_only_its_own_orphans(both: Both) -> None:
    first, second = both.first, both.second
    before = both.things_of(first)
    (marts,) = (one for one in both.things_of(second)["deployments"] if one["name"] == "city-marts")
    both.client.delete_deployment(marts["id"])

    deploy(both.url, second.folder, SILENT)

    assert both.things_of(first) == before
    after = both.things_of(second)
    assert (len(after["deployments"]), len(after["automations"])) == (6, 3)


def test_both_publish_the_same_night_and_each_only_its_own_data(both: Both) -> None:
    for project in (both.first, both.second):
        project.worker.start(SILENT)
    for project in (both.first, both.second):
        project.worker.wait(SILENT)
    assert both.first.worker.running_url != both.second.worker.running_url

    begun = {}
    for project in (both.first, both.second):
        nightly = own_deployment(both.client, project.name, INGEST)
        assert nightly
        begun[project.name] = both.client.create_flow_run_from_deployment(
            nightly.id, parameters={"execution_date": NIGHT, "run_type": "daily"}
        ).id

    def state_names() -> dict[str, str | None]:
        return {name: both.client.read_flow_run(run).state_name for name, run in begun.items()}

    ended = {"two_till": "Published", "two_city": "Published"}
    final = {"Published", "Failed", "Crashed", "UsageError", "PlatformFailed", "SourceFailed", "DataFailed"}
    assert eventually(state_names, lambda names: set(names.values()) <= final) == ended

    for project, rows in ((both.first, ROWS["till"]), (both.second, ROWS["city"])):
        receipt = read_receipt(project.lake, MAIN, keys.date_receipt(NIGHT))
        assert receipt
        there = keys_of(project.lake, MAIN, NIGHT)
        del there[receipt.key]
        assert there == receipt.content["objects"]
        assert receipt.content["accounting"]["events"]["raw"] == rows
    raw = {
        project.name: {key.key.split("/")[1] for key in project.lake.objects(MAIN, "raw/")}
        for project in (both.first, both.second)
    }
    assert raw == {"two_till": {"till"}, "two_city": {"city"}}


def test_each_projects_marts_and_report_follow_its_own_night_once(both: Both) -> None:
    def ended() -> dict[str, list[str]]:
        return {
            f"{project.name} {flow}": [run["state_name"] for run in both.runs_of(project, flow)]
            for project in (both.first, both.second)
            for flow in ("marts", "eda-report")
        }

    followed = eventually(ended, lambda runs: all(set(states) & {"Published", "Reported"} for states in runs.values()))

    assert followed == {
        "two_till marts": ["Published"],
        "two_till eda-report": ["Reported"],
        "two_city marts": ["Published"],
        "two_city eda-report": ["Reported"],
    }
    # A run of one project that triggered both would have started a run of each.
    artifacts = {one["key"] for one in both.shown.all("artifacts") if one["key"]}
    for project in (both.first, both.second):
        assert {own_name(project.name, key) for key in ("run-summary", "dbt-results", "eda-report")} <= artifacts


def test_the_doctor_and_housekeeping_of_each_see_only_their_own(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    of_first = own_deployment(both.client, both.first.name, INGEST)
    assert of_first
    both.first.worker.stop(SILENT)
    run = both.client.create_flow_run_from_deployment(of_first.id, state=Running())
    try:
        assert configured_flow_runs(both.first.use(monkeypatch), []).any_started
        settings = both.second.use(monkeypatch)
        assert not configured_flow_runs(settings, []).any_started
        # A run that no project has may be one of any.
        untagged = both.client.create_flow_run_from_deployment(of_first.id, state=Running(), tags=[])
        use_prefect(settings)
        checks = (*deployment_checks(settings.project_dir), *flow_run_checks(settings.project_dir))
        checked = found(
            replace(check, needs=()) for check in (*checks, *lakefs_checks(settings, ())) if check.name != "worker"
        )
        both.client.delete_flow_run(untagged.id)
    finally:
        both.client.delete_flow_run(run.id)

    assert states(checked) == {}
    assert {name for name in checked if "deployment" in name} == {
        f"deployment city-{name}"
        for name in ("daily-ingest", "nightly-check", "marts", "eda-report", "housekeeping", "backfill")
    }
    assert checked["flow runs"].seen.startswith("0 in progress")
    assert checked["repository"].seen.endswith("of the project two_city")


def test_a_project_does_not_write_to_the_repository_of_another(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    second = both.second.use(monkeypatch)
    wrong = second.with_elt(repository=both.first.lake.repository)
    heads = {name: both.first.lake.head(name) for name in both.first.lake.branches()}
    cause = "repository two-till belongs to the project two_till, and this is two_city"

    for ended in (
        run_date_flow(wrong, NIGHT, "backfill", force=False),
        run_marts_flow(wrong, full=True),
        run_report_flow(wrong, None),
    ):
        assert (ended.exit_code, ended.outcome) == (2, "UsageError")
        assert cause in ended.message
    with pytest.raises(UsageError, match=cause):
        open_own_lake(wrong)
    with pytest.raises(UsageError, match=cause):
        init_lake(open_lake(wrong), "lakefs", wrong.project_dir, SILENT)

    assert {name: both.first.lake.head(name) for name in both.first.lake.branches()} == heads


def test_a_worker_refuses_the_run_of_another_project(both: Both) -> None:
    """A worker that was started by hand may serve the other's pool."""
    of_second = own_deployment(both.client, both.second.name, INGEST)
    assert of_second
    spec = both.first.worker.spec
    both.second.worker.stop(SILENT)

    def prepare(settings: Settings, data: Path, log: Any) -> Any:
        launch = spec.prepare(settings, data, log)

        def on_the_wrong_pool(port: int) -> Any:
            command = launch(port)
            arguments = tuple("city-pool" if part == "till-pool" else part for part in command.arguments)
            return replace(command, arguments=arguments)

        return on_the_wrong_pool

    wrong = LocalServer(replace(spec, name="wrong-worker", prepare=prepare), both.first.settings)
    wrong.start(SILENT)
    try:
        wrong.wait(SILENT)
        run = both.client.create_flow_run_from_deployment(of_second.id, parameters={"execution_date": "2017-03-02"}).id
        ended = eventually(lambda: both.client.read_flow_run(run), lambda one: bool(one.state and one.state.is_final()))
    finally:
        wrong.stop(SILENT)

    assert ended.state
    assert ended.state_name == "UsageError"
    assert "this worker runs the project two_till" in str(ended.state.message)
    assert both.first.lake.stat(MAIN, keys.date_receipt("2017-03-02")) is None
