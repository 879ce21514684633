"""How the worker is launched, and what `elt deploy` refuses before it calls Prefect."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from prefect.server.schemas.schedules import RRuleSchedule
from pydantic import SecretStr

from orchestration.errors import UsageError
from orchestration.flows.deploy import deploy
from orchestration.log import SILENT, log_to
from orchestration.prefect_file import read_prefect_file
from orchestration.servers import worker
from orchestration.servers.background import LocalServer
from orchestration.servers.model import ServerCommand
from orchestration.servers.prefect import PrefectAccess
from orchestration.settings import PROJECT_DIR
from tests.helpers.projects import settings_of

API = "http://127.0.0.1:4200/api"


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServerCommand:
    """The worker of a project elsewhere, its health page on port 8123."""
    monkeypatch.setenv("SHOP_API_TOKEN", "sesam")
    monkeypatch.setenv("PREFECT_API_URL", "http://another.example/api")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "somebody"))
    # Like a key in the user's profile, which Prefect always reads.
    monkeypatch.setenv("PREFECT_API_KEY", "pnu_of-somebody")
    (tmp_path / "project").mkdir()
    shutil.copy(PROJECT_DIR / "prefect.yaml", tmp_path / "project")
    settings = settings_of(monkeypatch, tmp_path / "project", ELT_STATE_DIR="state")
    # These settings may come from `.env`, and then the worker does not inherit them.
    monkeypatch.delenv("ELT_PROJECT_DIR")
    monkeypatch.delenv("ELT_STATE_DIR")
    return worker.spec_for(PrefectAccess(API)).prepare(settings, tmp_path / "data", SILENT)(8123)


def test_the_worker_polls_the_pool_of_the_deployments_and_has_a_health_page(launch: ServerCommand) -> None:
    command = (sys.executable, "-m", "prefect", "worker", "start", "--pool", "etl-pool", "--with-healthcheck")

    assert launch.arguments == command
    deployed = yaml.safe_load((PROJECT_DIR / "prefect.yaml").read_text())["deployments"]
    assert {one["work_pool"]["name"] for one in deployed} == {"etl-pool"}


def test_the_workers_health_page_is_local_and_on_the_polled_port(launch: ServerCommand) -> None:
    assert launch.env["PREFECT_WORKER_WEBSERVER_HOST"] == "127.0.0.1"
    assert launch.env["PREFECT_WORKER_WEBSERVER_PORT"] == "8123"
    spec = worker.spec_for(PrefectAccess(API))
    assert (spec.path, spec.health) == ("", "/health")


def test_the_worker_uses_the_given_api_and_its_own_home(launch: ServerCommand, tmp_path: Path) -> None:
    assert launch.env["PREFECT_API_URL"] == API
    assert launch.env["PREFECT_HOME"] == str(tmp_path / "data")
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_the_workers_temporary_files_are_in_its_own_folder(launch: ServerCommand, tmp_path: Path) -> None:
    assert launch.env["TMPDIR"] == str(tmp_path / "data" / "tmp")
    assert stat.S_IMODE((tmp_path / "data" / "tmp").stat().st_mode) == 0o700


def test_the_login_of_the_api_wins_over_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "of:another-server")
    access = PrefectAccess(API, SecretStr("elt:sesam"))
    shutil.copy(PROJECT_DIR / "prefect.yaml", tmp_path)
    launch = worker.spec_for(access).prepare(settings_of(monkeypatch, tmp_path), tmp_path / "data", SILENT)(8123)
    assert launch.env["PREFECT_API_AUTH_STRING"] == "elt:sesam"
    assert not any("sesam" in part for part in launch.arguments)


def test_the_workers_runs_find_the_project_and_the_state_from_any_folder(launch: ServerCommand, tmp_path: Path) -> None:
    assert launch.env["ELT_PROJECT_DIR"] == str(tmp_path / "project")
    assert launch.env["ELT_STATE_DIR"] == str(tmp_path / "project" / "state")


def test_the_workers_runs_have_the_environment_and_no_secret_is_an_argument(launch: ServerCommand) -> None:
    assert launch.env["SHOP_API_TOKEN"] == "sesam"
    assert launch.env["PATH"] == os.environ["PATH"]
    assert not any("sesam" in part for part in launch.arguments)
    # The environment of this process is not touched.
    assert "PREFECT_WORKER_WEBSERVER_PORT" not in os.environ
    assert os.environ["PREFECT_API_URL"] == "http://another.example/api"


def test_the_worker_has_its_own_pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = LocalServer(worker.spec_for(PrefectAccess(API)), settings_of(monkeypatch, tmp_path))

    assert server.pid_file == tmp_path / ".elt" / "run" / "worker.json"
    assert server.status().state == "stopped"


# what is deployed


def test_each_queue_has_its_own_priority_in_the_order_of_the_file() -> None:
    queues = read_prefect_file(PROJECT_DIR).queues

    assert queues == {"nightly": 1, "check": 2, "downstream": 3, "backfill": 4}


def test_prefects_own_scheduler_finds_the_nights_their_checks_and_the_weekly_housekeeping() -> None:
    deployed = yaml.safe_load((PROJECT_DIR / "prefect.yaml").read_text())["deployments"]
    schedules = {one["name"]: one["schedules"] for one in deployed if "schedules" in one}

    found: dict[str, list[str]] = {}
    for name, (declared,) in schedules.items():
        schedule = RRuleSchedule(rrule=declared["rrule"], timezone=declared["timezone"])
        dates = asyncio.run(schedule.get_dates(2, start=datetime(2026, 2, 28, 12, tzinfo=UTC)))
        found[name] = [str(date)[:19] for date in dates]

    assert found == {
        "daily-ingest": ["2026-03-01 03:00:00", "2026-03-02 03:00:00"],
        "nightly-check": ["2026-03-01 08:00:00", "2026-03-02 08:00:00"],
        "housekeeping": ["2026-03-01 12:00:00", "2026-03-08 12:00:00"],
    }


def test_a_folder_without_prefect_yaml_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    logged: list[str] = []

    # No server listens there: the deployment fails before it calls Prefect.
    with pytest.raises(UsageError) as refused:
        deploy("http://127.0.0.1:9/api", tmp_path, log_to(logged.append))

    assert refused.value.cause == f"there is no prefect.yaml in {tmp_path}"
    assert "checkout" in refused.value.remedy
    assert logged == []


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("deployments: [", "no list of deployments: "),
        ("name: x", "no list of deployments: 'deployments'"),
        ("- name: x", "no list of deployments: "),
        ("deployments: [x]", "no list of deployments: "),
        ("deployments: [{name: a}, {entrypoint: b}]", "deployment 2 has no name"),
        ("deployments: [{name: a, work_pool: {name: p}}]", "a has no work_pool with name and work_queue_name"),
        ("deployments: []", "its deployments have 0 work pools"),
        (
            "deployments: [{name: a, work_pool: {name: p, work_queue_name: q}},"
            " {name: b, work_pool: {name: o, work_queue_name: q}}]",
            "its deployments have 2 work pools: o, p",
        ),
    ],
)
def test_an_invalid_prefect_yaml_is_refused_before_anything_is_made(tmp_path: Path, text: str, cause: str) -> None:
    (tmp_path / "prefect.yaml").write_text(text)

    # No server listens there: the deployment fails before it calls Prefect.
    with pytest.raises(UsageError) as refused:
        deploy("http://127.0.0.1:9/api", tmp_path, SILENT)

    assert refused.value.cause.startswith(f"{tmp_path / 'prefect.yaml'}: {cause}")


def test_the_worker_has_the_users_key_for_the_api(launch: ServerCommand) -> None:
    assert launch.env["PREFECT_API_KEY"] == "pnu_of-somebody"
