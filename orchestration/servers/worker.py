"""How the local worker is run: Prefect's process worker on the pool of prefect.yaml, against the Prefect API in use."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.prefect_file import read_prefect_file
from orchestration.servers.model import ServerCommand, ServerSpec
from orchestration.servers.ports import HOST

if TYPE_CHECKING:
    from orchestration.log import Log
    from orchestration.servers.prefect import PrefectAccess
    from orchestration.settings import Settings


def spec_for(access: PrefectAccess) -> ServerSpec:
    """Return the spec of a worker of a Prefect API."""

    def prepare(settings: Settings, data: Path, log: Log) -> Callable[[int], ServerCommand]:
        pool = read_prefect_file(settings.project_dir).pool
        for folder in (data, _temporary(data)):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

        def launch(port: int) -> ServerCommand:
            # Its health page shows that it polls. Flow runs are processes of the same Python and environment.
            command = (sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--with-healthcheck")
            return ServerCommand(command, _environment(settings, data, access, port))

        return launch

    return ServerSpec("worker", "the worker", port=8080, path="", health="/health", limit=60, prepare=prepare)


def _environment(settings: Settings, data: Path, access: PrefectAccess, port: int) -> dict[str, str]:
    return {
        **os.environ,
        **_credentials(access),
        "PREFECT_HOME": str(data),
        # Prefect stores the code of flows in a folder below it. In /tmp, that folder belongs to the first user who
        # creates it.
        "TMPDIR": str(_temporary(data)),
        "PREFECT_API_URL": access.url,
        "PREFECT_WORKER_WEBSERVER_HOST": HOST,
        "PREFECT_WORKER_WEBSERVER_PORT": str(port),
        # The poll interval for scheduled runs. The default of 10 s is meant for many workers.
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        # A flow run starts in a folder of its own.
        "ELT_PROJECT_DIR": str(settings.project_dir),
        "ELT_STATE_DIR": str(settings.state_dir),
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _temporary(data: Path) -> Path:
    return data / "tmp"


def _credentials(access: PrefectAccess) -> dict[str, str]:
    """Return the API's credentials. With its own PREFECT_HOME the worker does not see the user's profile."""
    from prefect.settings import get_current_settings

    api = get_current_settings().api
    held = {"PREFECT_API_KEY": api.key, "PREFECT_API_AUTH_STRING": access.auth_string or api.auth_string}
    return {name: secret.get_secret_value() for name, secret in held.items() if secret}
