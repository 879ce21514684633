"""The environment of the local Prefect."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestration.log import SILENT
from orchestration.servers import prefect
from tests.helpers.local_servers import (
    make_settings,
)


def test_prefect_runs_on_loopback_without_the_users_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_PROFILE", "mine")
    monkeypatch.setenv("PREFECT_API_KEY", "secret")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "user:password")
    data = tmp_path / "prefect"
    launch = prefect.prepare(make_settings(tmp_path), data, SILENT)(4321)
    login = prefect.read_login(data)
    assert login
    assert launch.arguments[0] == sys.executable
    assert launch.arguments[-4:] == ("--host", "127.0.0.1", "--port", "4321")
    assert {name: value for name, value in launch.env.items() if name.startswith("PREFECT_")} == {
        "PREFECT_HOME": str(data),
        "PREFECT_API_URL": "http://127.0.0.1:4321/api",
        "PREFECT_SERVER_API_AUTH_STRING": login.get_secret_value(),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "http://127.0.0.1:4321",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    }
    assert launch.env["DO_NOT_TRACK"] == "1"
