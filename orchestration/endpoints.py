"""Where commands, flows and the dbt plugin find lakeFS and Prefect: the configured servers, else those of `elt up`."""

from __future__ import annotations

import os

from orchestration.lake.cache import ObjectCache
from orchestration.lake.client import Lake
from orchestration.lake.connection import LakeConnection
from orchestration.lake.owner import require_owner
from orchestration.servers.access import lake_access, prefect_access
from orchestration.settings import Settings


def open_lake(settings: Settings) -> Lake:
    """Return the repository that the settings name, on the server that they select.

    Raises:
        IngestCleanError: No server is configured and no local one runs.
    """
    connection = LakeConnection(lake_access(settings), settings.elt.lake_timeout)
    return Lake(connection, settings.repository, ObjectCache(settings.state_dir / "receipts"))


def open_own_lake(settings: Settings) -> Lake:
    """Return the same repository for writing to it. The steps of a run check its owner themselves, with the gate.

    Raises:
        UsageError: It belongs to another project.
    """
    lake = open_lake(settings)
    require_owner(lake, settings.project)
    return lake


def use_prefect(settings: Settings) -> str:
    """Point this process at the configured Prefect API, else at the local one, and return its address.

    Raises:
        ServerFailed: The local Prefect server is selected and does not run.
        UsageError: Prefect's own settings are invalid.
    """
    access = prefect_access(settings)
    # Use the environment, not Prefect's settings context: the threads of prefect-dbt see only the process's own.
    os.environ["PREFECT_API_URL"] = access.url
    if access.auth_string:
        os.environ["PREFECT_API_AUTH_STRING"] = access.auth_string.get_secret_value()
    # Prefect doubles the wait before each retry, and each request starts over. With a dead server, its default of 5
    # retries takes minutes.
    os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "3")
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    return access.url
