"""A connection of this process to the session's Prefect server, without blocks of the project."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from prefect.context import refresh_global_settings_context

from orchestration.endpoints import use_prefect
from orchestration.servers.background import LocalServer
from orchestration.servers.prefect import read_login
from orchestration.settings import (
    PrefectSettings,
    read_settings,
)
from tests.helpers.blocks import (
    remove_blocks,
)


@pytest.fixture
def api(prefect_server: LocalServer) -> Iterator[str]:
    """Connects this process to the session's server, and deletes the project's blocks before and after the test."""
    url = str(prefect_server.running_url)
    login = read_login(prefect_server.data)
    with pytest.MonkeyPatch.context() as monkeypatch:
        # Restore what `use_prefect` sets in the environment.
        for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_MAX_RETRIES"):
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        try:
            use_prefect(replace(read_settings(), prefect=PrefectSettings(api_url=url, api_auth_string=login)))
            remove_blocks()
            yield url
            remove_blocks()
        finally:
            monkeypatch.undo()
            refresh_global_settings_context()
