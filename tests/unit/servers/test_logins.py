"""The login of the local Prefect, and where logins are shown."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.errors import ServerFailed
from orchestration.log import SILENT
from orchestration.servers import lakefs, local, prefect
from orchestration.servers.prefect import PrefectAccess
from tests.helpers.local_servers import (
    UNREACHABLE,
    make_settings,
    mode,
    pretend_running,
    remember_stopped,
    web_server,
    with_local_keys,
)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_status_shows_secrets_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    settings = with_local_keys(make_settings(tmp_path), UNREACHABLE)
    prefect.prepare(settings, settings.state_dir / "prefect", SILENT)
    remember_stopped(settings, "lakefs", UNREACHABLE)
    remember_stopped(settings, "prefect", f"{UNREACHABLE}/api")
    monkeypatch.setenv("ELT_STATE_DIR", str(settings.state_dir))
    keys, login = lakefs.read_credentials(settings.state_dir / "lakefs"), local.logins(settings)["prefect"]
    plain, shown = (CliRunner().invoke(app, ["status", *form, *more]).output for more in ((), ("--show-login",)))
    for secret in (keys.secret_key, login["auth_string"]):
        assert secret not in plain
        assert secret in shown
    assert keys.encrypt_key not in shown
    assert keys.signing_key not in shown


def test_prefects_login_is_generated_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    settings, data = make_settings(tmp_path), tmp_path / "prefect"
    assert prefect.read_login(data) is None
    launches = [prefect.prepare(settings, data, SILENT)(4321) for _ in range(2)]
    login = prefect.read_login(data)
    assert login
    assert {launch.env["PREFECT_SERVER_API_AUTH_STRING"] for launch in launches} == {login.get_secret_value()}
    assert (mode(data), mode(data / "login.json")) == (0o700, 0o600)
    assert len(login.get_secret_value()) > 40
    assert not any(login.get_secret_value() in part for launch in launches for part in launch.arguments)
    prefect.prepare(settings, tmp_path / "other", SILENT)
    assert prefect.read_login(tmp_path / "other") != login


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null"])
def test_a_damaged_login_is_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "login.json").write_text(content)
    with pytest.raises(ServerFailed, match=re.escape(str(tmp_path / "login.json"))) as failed:
        prefect.prepare(make_settings(tmp_path), tmp_path, SILENT)
    assert "`elt up`" in failed.value.remedy


def test_a_prefect_without_a_login_from_an_earlier_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with web_server() as url:
        settings = make_settings(tmp_path, endpoint=url, access_key="key", secret_key="secret")
        pretend_running(settings, "prefect", f"{url}/api")
        with pytest.raises(ServerFailed, match=f"Prefect at {url}/api runs without a login") as failed:
            local.up(settings, SILENT)
        assert "`elt down`" in failed.value.remedy
        assert local.prefect_access(settings) == PrefectAccess(f"{url}/api")


def test_logins_are_those_of_the_local_servers_that_were_started(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    assert local.logins(settings) == {}
    settings = with_local_keys(settings, UNREACHABLE)
    prefect.prepare(settings, settings.state_dir / "prefect", SILENT)
    remember_stopped(settings, "lakefs", UNREACHABLE)
    remember_stopped(settings, "prefect", "http://127.0.0.1:8/api")
    found = local.logins(settings)
    login, secret = prefect.read_login(settings.state_dir / "prefect"), settings.lake.secret_key
    assert login
    assert secret
    assert found["prefect"] == {"url": "http://127.0.0.1:8", "auth_string": login.get_secret_value()}
    assert found["lakefs"]["url"] == UNREACHABLE
    assert found["lakefs"]["secret_key"] == secret.get_secret_value()
