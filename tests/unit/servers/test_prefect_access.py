"""Which Prefect is used: the configured one, the profile's or the local one."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestration.errors import ServerFailed
from orchestration.log import SILENT
from orchestration.servers import local, prefect
from orchestration.servers.prefect import PrefectAccess
from tests.helpers.local_servers import (
    UNREACHABLE,
    make_settings,
    pretend_running,
    remember_stopped,
    web_server,
)


def test_prefect_is_taken_from_the_settings_then_the_profile_then_the_local_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(tmp_path)
    with pytest.raises(ServerFailed, match="Prefect: not configured, and the local server is not running") as failed:
        local.prefect_access(settings)
    assert failed.value.remedy == "`elt up`, or set PREFECT_API_URL"
    pretend_running(settings, "prefect", "http://127.0.0.1:4200/api")
    assert local.prefect_access(settings) == PrefectAccess("http://127.0.0.1:4200/api")
    login = SecretStr("user:password")
    monkeypatch.setattr(prefect, "_profile", lambda: PrefectAccess("https://profile.example/api/", login))
    assert local.prefect_access(settings) == PrefectAccess("https://profile.example/api", login)
    # The profile's login is for the profile's server only.
    configured = make_settings(tmp_path, api_url="http://env.example/api")
    assert local.prefect_access(configured) == PrefectAccess("http://env.example/api")


def test_another_prefect_at_the_remembered_address_is_used_without_the_local_login(tmp_path: Path) -> None:
    with web_server() as url:
        settings = make_settings(tmp_path, api_url=f"{url}/api")
        remember_stopped(settings, "prefect", f"{url}/api")
        prefect.prepare(settings, settings.state_dir / "prefect", SILENT)
        assert local.prefect_access(settings) == PrefectAccess(f"{url}/api")
        assert local.status(settings)[1].state == "configured"


def test_the_remembered_address_with_another_login_is_another_prefect(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, api_url=f"{UNREACHABLE}/api", api_auth_string="user:password")
    remember_stopped(settings, "prefect", f"{UNREACHABLE}/api")
    prefect.prepare(settings, settings.state_dir / "prefect", SILENT)
    assert local.prefect_access(settings) == PrefectAccess(f"{UNREACHABLE}/api", SecretStr("user:password"))
    assert local.status(settings)[1].state == "unhealthy"


@pytest.mark.parametrize("with_login", [False, True])
def test_the_address_of_the_stopped_local_prefect_means_the_local_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_login: bool
) -> None:
    settings, url = make_settings(tmp_path), f"{UNREACHABLE}/api"
    data = settings.state_dir / "prefect"
    prefect.prepare(settings, data, SILENT)
    login = prefect.read_login(data)
    monkeypatch.setattr(prefect, "_profile", lambda: PrefectAccess(url, login if with_login else None))
    remember_stopped(settings, "prefect", url)
    assert local.status(settings)[1].state == "stopped"
    with pytest.raises(ServerFailed, match=f"PREFECT_API_URL={url} does not answer") as failed:
        local.prefect_access(settings)
    assert failed.value.remedy == "`elt up` starts it, or set PREFECT_API_URL to another"
    pretend_running(settings, "prefect", url)
    assert local.prefect_access(settings) == PrefectAccess(url, login)
