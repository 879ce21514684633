"""`elt up`, `elt status` and `elt down` over the servers, without a real one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.errors import ServerFailed
from orchestration.log import SILENT, log_to
from orchestration.servers import lakefs, local
from orchestration.servers.background import LocalServer
from tests.helpers.isolation import PROJECT
from tests.helpers.local_servers import (
    make_settings,
    pretend_running,
    web_server,
)


@pytest.mark.parametrize("status", [200, 204, 401])
def test_configured_servers_are_checked_and_nothing_is_started(tmp_path: Path, status: int) -> None:
    with web_server(status) as url:
        settings = make_settings(tmp_path, endpoint=url, access_key="key", secret_key="secret", api_url=f"{url}/api")
        servers = local.up(settings, SILENT)
        assert [(server.name, server.url, server.state, server.pid) for server in servers] == [
            ("lakefs", url, "configured", None),
            ("prefect", f"{url}/api", "configured", None),
        ]
        assert local.status(settings) == servers
        local.down(settings, SILENT, purge=True)
    assert [path.name for path in settings.state_dir.rglob("*")] in (["run", "lock"], [])


def test_a_configured_server_that_does_not_answer_fails_up_and_is_unhealthy_in_status(tmp_path: Path) -> None:
    with web_server() as url, web_server(503) as broken:
        settings = make_settings(tmp_path, endpoint=broken, access_key="key", secret_key="secret", api_url=f"{url}/api")
        assert [server.state for server in local.status(settings)] == ["unhealthy", "configured"]
        with pytest.raises(ServerFailed, match=f"lakeFS is configured at {broken} and does not answer") as failed:
            local.up(settings, SILENT)
        assert "remove LAKEFS_ENDPOINT" in failed.value.remedy


def test_down_succeeds_where_nothing_was_started(tmp_path: Path) -> None:
    logged: list[str] = []
    settings = make_settings(tmp_path)
    local.down(settings, log_to(logged.append), purge=True)
    assert logged == ["no server has been started here"]
    assert not settings.state_dir.exists()


def test_purge_removes_the_servers_and_nothing_else(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    state = settings.state_dir
    for kept in ("work/page.json", "lakefs.txt", "logs/lakefs-build.log", "logs/run.log"):
        (state / kept).parent.mkdir(parents=True, exist_ok=True)
        (state / kept).write_text("keep")
    for gone in ("lakefs/credentials.json", "lakefs/objects/x", "prefect/prefect.db", "logs/prefect.log.old"):
        (state / gone).parent.mkdir(parents=True, exist_ok=True)
        (state / gone).write_text("remove")
    local.down(settings, SILENT, purge=False)
    assert (state / "lakefs" / "objects" / "x").exists()
    local.down(settings, SILENT, purge=True)
    assert {str(path.relative_to(state)) for path in state.rglob("*") if path.is_file()} == {
        "work/page.json",
        "lakefs.txt",
        "logs/lakefs-build.log",
        "logs/run.log",
        "run/lock",
    }


def test_data_that_cannot_be_removed_is_a_server_failure(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    (tmp_path / "big-disk").mkdir()
    settings.state_dir.mkdir()
    (settings.state_dir / "lakefs").symlink_to(tmp_path / "big-disk")
    with pytest.raises(ServerFailed, match="stopping the servers"):
        local.down(settings, SILENT, purge=True)
    assert (tmp_path / "big-disk").exists()


def test_a_server_without_an_answer_is_left_running_and_named(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    pretend_running(settings, "lakefs", "http://127.0.0.1:1")
    slow = LocalServer(replace(lakefs.SPEC, limit=0.2), settings)
    assert slow.status().state == "unhealthy"
    with pytest.raises(ServerFailed, match="does not answer after") as failed:
        slow.wait(SILENT)
    assert "elt down" in failed.value.remedy


def test_the_server_modules_import_nothing_heavy() -> None:
    code = (
        "import sys, orchestration.servers.local; "
        "print(sorted({'prefect', 'httpx', 'pydantic', 'lakefs_sdk'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
