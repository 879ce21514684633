"""Where commands, flows and the dbt plugin find lakeFS and Prefect: as configured, else the servers of `elt up`."""

from __future__ import annotations

import os

from orchestration.lake.client import Lake
from orchestration.lake.connection import LakeConnection
from orchestration.servers.access import lake_access, prefect_access
from orchestration.settings import Settings


def open_lake(settings: Settings) -> Lake:
    """Return the repository that the settings name, on the server that they name.

    Raises:
        IngestCleanError: No server is configured and no local one runs.
    """
    return Lake(LakeConnection(lake_access(settings), settings.elt.lake_timeout), settings.elt.repository)


def use_prefect(settings: Settings) -> str:
    """Point this process at the Prefect API that is configured, else at the local one; return its address.

    Raises:
        ServerFailed: The local Prefect server is meant and does not run.
    """
    access = prefect_access(settings)
    # By the environment, not by Prefect's context of settings: prefect-dbt's threads see only the process's own.
    os.environ["PREFECT_API_URL"] = access.url
    if access.auth_string:
        os.environ["PREFECT_API_AUTH_STRING"] = access.auth_string.get_secret_value()
    # Each try waits twice as long as the one before, and each request starts over: with a dead server, Prefect's own
    # 5 tries take minutes.
    os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "3")
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    return access.url
