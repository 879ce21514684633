"""`elt up`, `elt status`, `elt down` with a real lakeFS and a real Prefect server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import lakefs_sdk
import psutil
import pytest
from prefect.context import refresh_global_settings_context

from orchestration.errors import ServerFailed
from orchestration.flows.deploy import deploy
from orchestration.log import SILENT, log_to
from orchestration.prefect_file import read_prefect_file
from orchestration.servers import local, ports, prefect
from orchestration.servers.background import LocalServer
from orchestration.servers.lakefs import SPEC as LAKEFS
from orchestration.settings import EltSettings, LakeSettings, PrefectSettings, Settings, read_settings
from tests.helpers.elt_runs import eventually
from tests.helpers.isolation import PROJECT
from tests.helpers.own_lake import own_lake


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    # The Prefect settings of this process may point to the server of another test.
    monkeypatch.setattr(prefect, "_profile", lambda: None)
    made = Settings(
        project_dir=PROJECT,
        cache_dir=read_settings().cache_dir,
        elt=EltSettings(state_dir=tmp_path / "state"),
        lake=LakeSettings(),
        prefect=PrefectSettings(),
    )
    yield made
    local.down(made, SILENT, purge=True)
    monkeypatch.undo()
    refresh_global_settings_context()


@pytest.fixture
def lake(settings: Settings) -> LocalServer:
    """Only lakeFS, not started; the fixture `settings` stops it."""
    return LocalServer(LAKEFS, settings)


@pytest.fixture
def usual_port_taken() -> Iterator[int]:
    """Occupies the default port of lakeFS, unless another process has it already."""
    with socket.socket() as taken:
        if ports.is_free(LAKEFS.port):
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((ports.HOST, LAKEFS.port))
            taken.listen()
        yield LAKEFS.port


def lake_client(settings: Settings) -> lakefs_sdk.ApiClient:
    access = local.lake_access(settings)
    return lakefs_sdk.ApiClient(
        lakefs_sdk.Configuration(
            host=f"{access.endpoint}/api/v1",
            username=access.access_key.get_secret_value(),
            password=access.secret_key.get_secret_value(),
        )
    )


def repositories(settings: Settings) -> list[str]:
    with lake_client(settings) as client:
        return [found.id for found in lakefs_sdk.RepositoriesApi(client).list_repositories().results]


def create_repository(settings: Settings, name: str) -> None:
    with lake_client(settings) as client:
        lakefs_sdk.RepositoriesApi(client).create_repository(
            lakefs_sdk.RepositoryCreation(name=name, storage_namespace=f"local://{name}", default_branch="main")
        )


def kill(server: local.Server) -> None:
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(server.pid)], timeout=10)


def lives(server: local.Server) -> bool:
    try:
        return psutil.Process(server.pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def states(servers: tuple[local.Server, ...]) -> list[str]:
    return [server.state for server in servers]


def test_the_life_of_the_local_servers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    other = settings.state_dir / "work" / "page.json"
    other.parent.mkdir(parents=True)
    other.write_text("{}")
    assert states(local.status(settings)) == ["stopped", "stopped"]

    said: list[str] = []
    first = local.up(settings, log_to(said.append))
    assert [(server.name, server.state) for server in first] == [("lakefs", "running"), ("prefect", "running")]
    assert [line.split(" at ")[0] for line in said[:2]] == ["starting lakeFS", "starting Prefect"]
    assert local.status(settings) == first
    create_repository(settings, "kept")
    access = local.prefect_access(settings)
    api = access.url
    assert api == first[1].url
    assert access.auth_string
    user, _, password = access.auth_string.get_secret_value().partition(":")
    login = httpx.BasicAuth(user, password)
    assert httpx.post(f"{api}/flows/filter", json={}, auth=login, trust_env=False).json() == []
    assert httpx.get(f"{api.removesuffix('/api')}/ui-settings", trust_env=False).json()["api_url"] == api
    assert (settings.state_dir / "prefect" / "prefect.db").exists()

    assert local.up(settings, SILENT) == first

    kill(first[0])
    assert states(local.status(settings)) == ["stopped", "running"]
    with pytest.raises(ServerFailed, match="not running"):
        local.lake_access(settings)
    restarted = local.up(settings, SILENT)
    assert restarted[0].url == first[0].url
    assert restarted[0].pid != first[0].pid
    assert restarted[1] == first[1]
    assert repositories(settings) == ["kept"]

    limits = f"{api}/v2/concurrency_limits"
    assert httpx.post(f"{limits}/", json={"name": "one", "limit": 1}, auth=login, trust_env=False).is_success
    taken = httpx.post(
        f"{limits}/increment-with-lease", json={"slots": 1, "names": ["one"]}, auth=login, trust_env=False
    ).json()
    kill(restarted[1])
    restarted = local.up(settings, SILENT)
    assert restarted[1].url == api
    # A server that had forgotten the lease would never free the slot of a killed run.
    renewed = httpx.post(
        f"{limits}/leases/{taken['lease_id']}/renew", json={"lease_duration": 60}, auth=login, trust_env=False
    )
    assert renewed.status_code == 204

    monkeypatch.setenv("PREFECT_API_URL", api)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", access.auth_string.get_secret_value())
    refresh_global_settings_context()
    deploy(api, PROJECT, SILENT)
    running_worker = local.up_worker(settings, SILENT)
    assert (running_worker.name, running_worker.state) == ("worker", "running")
    assert local.up_worker(settings, SILENT) == running_worker
    polling = f"{api}/work_pools/{read_prefect_file(PROJECT).pool}/workers/filter"
    workers = eventually(lambda: httpx.post(polling, json={}, auth=login, trust_env=False).json())
    assert [worker["status"] for worker in workers] == ["ONLINE"]
    assert local.status(settings) == (*restarted, running_worker)

    said.clear()
    local.down(settings, log_to(said.append), purge=False)
    assert [line.split(" (")[0] for line in said] == ["stopped the worker", "stopped lakeFS", "stopped Prefect"]
    assert states(local.status(settings)) == ["stopped", "stopped", "stopped"]
    assert not lives(running_worker)
    said.pop(0)
    assert not any(lives(server) for server in restarted)
    local.down(settings, log_to(said.append), purge=False)
    assert said[2:] == ["the worker is not running", "lakeFS is not running", "Prefect is not running"]

    local.down(settings, SILENT, purge=True)
    left = {str(path.relative_to(settings.state_dir)) for path in settings.state_dir.rglob("*") if path.is_file()}
    assert left == {"work/page.json", "run/lock"}


def test_a_taken_port_is_avoided_and_the_chosen_one_is_kept(lake: LocalServer, usual_port_taken: int) -> None:
    lake.start(SILENT)
    first = lake.wait(SILENT)
    assert first.url
    assert first.url != f"http://127.0.0.1:{usual_port_taken}"
    lake.stop(SILENT)
    lake.start(SILENT)
    assert lake.wait(SILENT).url == first.url


def test_a_second_lake_at_the_address_of_the_stopped_local_one_is_used(
    lake: LocalServer, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_SPECS", (LAKEFS,))
    (first,) = local.up(settings, SILENT)
    own = local.lake_access(settings)
    local.down(settings, SILENT, purge=False)
    monkeypatch.setattr(ports, "free_port", lambda preferred: int(str(first.url).rpartition(":")[2]))
    with own_lake(tmp_path / "second") as second:
        monkeypatch.undo()
        theirs = second.access
        assert theirs.endpoint == first.url
        configured = replace(
            settings,
            lake=LakeSettings(endpoint=theirs.endpoint, access_key=theirs.access_key, secret_key=theirs.secret_key),
        )
        create_repository(configured, "of-the-second")
        assert repositories(configured) == ["of-the-second"]
        assert local.status(configured)[0].state == "configured"
    # The second one has stopped; its keys differ from the local server's, so none is started instead.
    monkeypatch.setattr(local, "_SPECS", (LAKEFS,))
    with pytest.raises(ServerFailed, match=r"is configured at .* and does not answer"):
        local.up(configured, SILENT)
    # With the local server's own address and keys, as in .env, the local server is started again.
    remembered = replace(
        settings, lake=LakeSettings(endpoint=own.endpoint, access_key=own.access_key, secret_key=own.secret_key)
    )
    with pytest.raises(ServerFailed, match="does not answer") as stopped:
        local.lake_access(remembered)
    assert "`elt up`" in stopped.value.remedy
    assert local.up(remembered, SILENT)[0].url == first.url
    assert local.lake_access(remembered) == own
    assert repositories(remembered) == []


def test_a_local_server_reports_that_it_left_its_configured_address(
    lake: LocalServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_SPECS", (LAKEFS,))
    (first,) = local.up(settings, SILENT)
    own = local.lake_access(settings)
    lake.stop(SILENT)
    remembered = replace(
        settings, lake=LakeSettings(endpoint=own.endpoint, access_key=own.access_key, secret_key=own.secret_key)
    )
    monkeypatch.setattr("orchestration.servers.access._CHECK_TIMEOUT", 0.5)
    with (
        socket.create_server((ports.HOST, int(str(first.url).rpartition(":")[2]))),
        pytest.raises(ServerFailed, match=f"another program listens at {first.url}, which LAKEFS_ENDPOINT") as moved,
    ):
        local.up(remembered, SILENT)
    assert f"set LAKEFS_ENDPOINT={lake.running_url}" in moved.value.remedy


def test_a_port_lost_between_probing_and_binding_is_retried(
    lake: LocalServer, usual_port_taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose: Callable[..., int] = ports.free_port
    guesses = [usual_port_taken]
    monkeypatch.setattr(ports, "free_port", lambda preferred: guesses.pop() if guesses else choose(preferred))
    said: list[str] = []
    lake.start(log_to(said.append))
    assert lake.wait(log_to(said.append)).state == "running"
    assert f"port {usual_port_taken} has been taken by another program" in said


def test_a_server_that_ends_while_starting_fails_with_its_last_log_lines(lake: LocalServer) -> None:
    lake.start(SILENT)
    lake.wait(SILENT)
    lake.stop(SILENT)
    manifest = lake.data / "metadata" / "MANIFEST"
    manifest.write_bytes(b"no manifest")
    lake.start(SILENT)
    with pytest.raises(ServerFailed, match="lakeFS ended while starting") as failed:
        lake.wait(SILENT)
    assert "Failed to open KV store" in failed.value.cause
    assert str(lake.log) in failed.value.cause
    assert lake.status().state == "stopped"


def test_a_server_that_hangs_is_unhealthy(lake: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.start(SILENT)
    running = lake.wait(SILENT)
    assert running.pid
    monkeypatch.setattr("orchestration.servers.background._CHECK_TIMEOUT", 0.5)
    os.kill(running.pid, signal.SIGSTOP)
    try:
        assert lake.status().state == "unhealthy"
    finally:
        os.kill(running.pid, signal.SIGCONT)
    assert lake.status() == running


def test_two_concurrent_ups_start_one_server(
    settings: Settings, lake: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_SPECS", (LAKEFS,))
    with ThreadPoolExecutor(2) as pool:
        both = [task.result(60) for task in [pool.submit(local.up, settings, SILENT) for _ in "ab"]]
    assert both[0] == both[1]
    assert lake.status() == both[0][0]


def test_a_lakefs_killed_during_its_setup_is_started_again(lake: LocalServer, settings: Settings) -> None:
    # The state after a kill between its two last writes: an administrator, but no record of a complete setup.
    half = LAKEFS.prepare(settings, lake.data, SILENT)(LAKEFS.port)
    program, _, *config = half.arguments
    subprocess.run(
        [program, "superuser", *config, "--user-name", "admin"], env=half.env, check=True, capture_output=True
    )
    said: list[str] = []
    lake.start(log_to(said.append))
    assert lake.wait(log_to(said.append)).state == "running"
    assert "lakeFS was interrupted during its first start; starting again" in said
    assert repositories(settings) == []
