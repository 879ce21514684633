"""Which lakeFS is used: the configured one or the local one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestration.errors import ServerFailed, UsageError
from orchestration.lake.access import LakeAccess
from orchestration.log import SILENT
from orchestration.servers import lakefs, local
from tests.helpers.local_servers import (
    UNREACHABLE,
    make_settings,
    pretend_running,
    remember_stopped,
    web_server,
    with_local_keys,
)


def test_the_configured_lake_is_used_without_its_last_slash(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, endpoint="https://lake.example/", access_key="key", secret_key="secret")
    access = local.lake_access(settings)
    assert access == LakeAccess("https://lake.example", SecretStr("key"), SecretStr("secret"))
    assert "secret'" not in repr(access)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"endpoint": "http://lake"}, ["LAKEFS_ACCESS_KEY", "LAKEFS_SECRET_KEY"]),
        ({"endpoint": "http://lake", "access_key": "a"}, ["LAKEFS_SECRET_KEY"]),
        ({"endpoint": "http://lake", "secret_key": "s"}, ["LAKEFS_ACCESS_KEY"]),
        ({"access_key": "a", "secret_key": "s"}, ["LAKEFS_ENDPOINT"]),
        ({"secret_key": "s"}, ["LAKEFS_ENDPOINT", "LAKEFS_ACCESS_KEY"]),
    ],
)
def test_an_incomplete_lake_configuration_is_a_usage_error_everywhere(
    tmp_path: Path, given: dict[str, str], missing: list[str]
) -> None:
    settings = make_settings(tmp_path, **given)
    for ask in (local.lake_access, local.status, lambda settings: local.up(settings, SILENT)):
        with pytest.raises(UsageError, match=f"set without {' and '.join(missing)}$"):
            ask(settings)
    assert not settings.state_dir.exists()


@pytest.mark.usefixtures("lakefs_on_path")
def test_the_local_lake_is_used_while_it_runs(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with pytest.raises(ServerFailed, match="not running") as failed:
        local.lake_access(settings)
    assert failed.value.remedy.startswith("`elt up`")
    lakefs.prepare(settings, settings.state_dir / "lakefs", SILENT)
    pretend_running(settings, "lakefs", "http://127.0.0.1:8000")
    keys = lakefs.read_credentials(settings.state_dir / "lakefs")
    assert local.lake_access(settings) == LakeAccess(
        "http://127.0.0.1:8000", SecretStr(keys.access_key), SecretStr(keys.secret_key)
    )


def test_another_lake_at_the_remembered_address_is_used_as_configured(tmp_path: Path) -> None:
    with web_server() as url:
        settings = make_settings(tmp_path, endpoint=url, access_key="key", secret_key="secret", api_url=f"{url}/api")
        remember_stopped(settings, "lakefs", url)
        assert local.lake_access(settings) == LakeAccess(url, SecretStr("key"), SecretStr("secret"))
        assert local.status(settings)[0].state == "configured"
        assert local.up(settings, SILENT)[0].state == "configured"
        # A configured lake that responds is used even with the local server's keys.
        own = with_local_keys(settings, url)
        assert local.lake_access(own).endpoint == url
        assert local.status(own)[0].state == "configured"


def test_the_remembered_address_with_other_keys_is_another_lake(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, endpoint=UNREACHABLE, access_key="key", secret_key="secret", api_url=UNREACHABLE)
    remember_stopped(settings, "lakefs", UNREACHABLE)
    with_local_keys(settings, UNREACHABLE)
    assert local.lake_access(settings) == LakeAccess(UNREACHABLE, SecretStr("key"), SecretStr("secret"))
    assert local.status(settings)[0].state == "unhealthy"
    with pytest.raises(ServerFailed, match=f"lakeFS is configured at {UNREACHABLE} and does not answer"):
        local.up(settings, SILENT)


def test_damaged_or_missing_local_keys_do_not_affect_the_configured_lake(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, endpoint=UNREACHABLE, access_key="key", secret_key="secret")
    remember_stopped(settings, "lakefs", UNREACHABLE)
    assert local.lake_access(settings).access_key == SecretStr("key")
    (settings.state_dir / "lakefs").mkdir()
    (settings.state_dir / "lakefs" / "credentials.json").write_text("{")
    assert local.lake_access(settings).access_key == SecretStr("key")


def test_a_configured_lake_elsewhere_is_used_while_the_local_one_runs(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, endpoint="http://lake.example", access_key="key", secret_key="secret")
    pretend_running(settings, "lakefs", "http://127.0.0.1:8000")
    assert local.lake_access(settings).endpoint == "http://lake.example"


def test_the_address_and_keys_of_the_local_lake_in_the_settings_mean_the_local_one(tmp_path: Path) -> None:
    settings = with_local_keys(make_settings(tmp_path), UNREACHABLE)
    pretend_running(settings, "lakefs", UNREACHABLE)
    assert local.lake_access(settings).access_key == settings.lake.access_key
    assert local.status(settings)[0].pid == os.getpid()
    remember_stopped(settings, "lakefs", UNREACHABLE)
    assert local.status(settings)[0].state == "stopped"
    with pytest.raises(ServerFailed, match=f"LAKEFS_ENDPOINT={UNREACHABLE} does not answer") as failed:
        local.lake_access(settings)
    assert "`elt up`" in failed.value.remedy
    assert "LAKEFS_ENDPOINT" in failed.value.remedy
