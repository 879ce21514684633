"""How the local Prefect server is run, and which Prefect API is configured instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.errors import UsageError
from orchestration.servers.model import Kind, Launch
from orchestration.servers.ports import HOST

if TYPE_CHECKING:
    from orchestration.progress import Report
    from orchestration.settings import Settings

_PATH = "/api"


def configured_api(settings: Settings) -> str | None:
    """The Prefect API the user named: by PREFECT_API_URL, by `.env`, or by Prefect's own profile; without a `/` last.

    Raises:
        UsageError: Prefect's own settings are invalid.
    """
    url = settings.prefect.api_url or _profile_api()
    return url.rstrip("/") if url else None


def prepare(settings: Settings, data: Path, report: Report) -> Callable[[int], Launch]:
    """Say how to run Prefect's server on a given port, with its database in the folder `data`."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)

    def launch(port: int) -> Launch:
        command = (sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port))
        return Launch(command, _environment(data, port))

    return launch


def _environment(data: Path, port: int) -> dict[str, str]:
    # A profile, a database or an API key of the user's is meant for another server.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | {
        "PREFECT_HOME": str(data),
        # Where the pages look for the API.
        "PREFECT_API_URL": f"http://{HOST}:{port}{_PATH}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _profile_api() -> str | None:
    try:
        # 0.8 s, which only the commands pay that ask for Prefect.
        from prefect.settings import get_current_settings

        return get_current_settings().api.url
    except ValueError as error:
        raise UsageError(
            f"Prefect's own settings are invalid: {error}", remedy="correct them: `prefect config validate`"
        ) from error


KIND = Kind("prefect", "Prefect", port=4200, path=_PATH, health="/health", limit=120, prepare=prepare)
