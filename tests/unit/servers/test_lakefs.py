"""The keys and the configuration of the local lakeFS."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestration.errors import ServerFailed
from orchestration.log import SILENT
from orchestration.servers import lakefs
from tests.helpers.local_servers import (
    make_settings,
    mode,
)


@pytest.mark.usefixtures("lakefs_on_path")
def test_keys_are_generated_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    settings, data = make_settings(tmp_path), tmp_path / "state" / "lakefs"
    lakefs.prepare(settings, data, SILENT)
    first = lakefs.read_credentials(data)
    lakefs.prepare(settings, data, SILENT)
    assert lakefs.read_credentials(data) == first
    assert mode(data / "credentials.json") == 0o600
    assert mode(data) == 0o700
    assert 3 <= len(first.access_key) <= 20
    keys = [first.access_key, first.secret_key, first.encrypt_key, first.signing_key]
    assert len(set(keys)) == len(keys)
    assert not any(key in repr(first) for key in keys[1:])


@pytest.mark.usefixtures("lakefs_on_path")
def test_two_folders_have_different_keys(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lakefs.prepare(make_settings(tmp_path), tmp_path / name, SILENT)
    assert lakefs.read_credentials(tmp_path / "a") != lakefs.read_credentials(tmp_path / "b")


@pytest.mark.usefixtures("lakefs_on_path")
def test_keys_are_passed_in_the_environment_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_DATABASE_TYPE", "postgres")
    data = tmp_path / "lakefs"
    launch = lakefs.prepare(make_settings(tmp_path), data, SILENT)(8123)
    keys = lakefs.read_credentials(data)
    visible = " ".join(launch.arguments) + (data / "config.json").read_text()
    for key in (keys.access_key, keys.secret_key, keys.encrypt_key, keys.signing_key):
        assert key in launch.env.values()
        assert key not in visible
    assert "LAKEFS_DATABASE_TYPE" not in launch.env
    assert json.loads((data / "config.json").read_text())["listen_address"] == "127.0.0.1:8123"


@pytest.mark.usefixtures("lakefs_on_path")
def test_no_new_keys_are_generated_for_existing_data(tmp_path: Path) -> None:
    data = tmp_path / "lakefs"
    lakefs.prepare(make_settings(tmp_path), data, SILENT)
    (data / "metadata").mkdir()
    (data / "credentials.json").unlink()
    with pytest.raises(ServerFailed, match=r"credentials\.json") as failed:
        lakefs.prepare(make_settings(tmp_path), data, SILENT)
    assert "elt down --purge" in failed.value.remedy
    assert not (data / "credentials.json").exists()


def test_damaged_keys_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"access_key": "a"}')
    with pytest.raises(ServerFailed, match=r"credentials\.json"):
        lakefs.read_credentials(tmp_path)
