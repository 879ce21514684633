"""Fixtures of the server tests: an environment without configured servers, and a lakeFS on the PATH."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.servers import build, prefect
from tests.helpers.local_servers import (
    script,
)


@pytest.fixture(autouse=True)
def _no_configured_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV", raising=False)
    # The process's own settings of Prefect may name the server of another test.
    monkeypatch.setattr(prefect, "_profile", lambda: None)


@pytest.fixture
def lakefs_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = script(tmp_path / "bin" / "lakefs", f"echo lakefs version {build.LAKEFS_VERSION}")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program
