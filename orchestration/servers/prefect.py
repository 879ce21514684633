"""How the local Prefect server is run and protected, and which Prefect API is configured instead."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.errors import ServerFailed, UsageError
from orchestration.imports import heavy_imports
from orchestration.servers.files import write_private
from orchestration.servers.model import ServerCommand, ServerSpec
from orchestration.servers.ports import HOST

if TYPE_CHECKING:
    from pydantic import SecretStr

    from orchestration.log import Log
    from orchestration.settings import Settings

_PATH = "/api"


@dataclass(frozen=True)
class PrefectAccess:
    """A Prefect API and its login.

    Attributes:
        url: Its URL, without a trailing `/`.
        auth_string: Its `user:password`. None if Prefect's own settings hold the credentials, or if it needs none.
    """

    url: str
    auth_string: SecretStr | None = None


def configured(settings: Settings) -> PrefectAccess | None:
    """Return the Prefect API that the user configured by PREFECT_API_URL, by `.env` or by Prefect's own profile.

    Raises:
        UsageError: Prefect's own settings are invalid.
    """
    named = settings.prefect
    access = PrefectAccess(named.api_url, named.api_auth_string) if named.api_url else _profile()
    return PrefectAccess(access.url.rstrip("/"), access.auth_string) if access else None


def read_login(data: Path) -> SecretStr | None:
    """Return the auth string of the local server with this data folder; None if it was started without one.

    Raises:
        ServerFailed: The file is damaged or may not be read.
    """
    from pydantic import SecretStr

    path = _login_file(data)
    try:
        return SecretStr(str(json.loads(path.read_bytes())["auth_string"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ServerFailed(
            f"cannot read the login of the local Prefect server, {path}: {type(error).__name__}",
            remedy=f"remove {path}, then `elt down` and `elt up` generate another",
        ) from error


def prepare(settings: Settings, data: Path, log: Log) -> Callable[[int], ServerCommand]:
    """Prepare a run of Prefect's server with its database and its login in the folder `data`.

    Return a function from a port to the command to run.

    Raises:
        ServerFailed: The login is damaged or may not be read.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not read_login(data):
        write_private(_login_file(data), {"auth_string": f"elt:{secrets.token_urlsafe(30)}"})
    login = read_login(data)

    def launch(port: int) -> ServerCommand:
        command = (sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", str(port))
        return ServerCommand(command, _environment(data, port, login.get_secret_value() if login else ""))

    return launch


def _environment(data: Path, port: int, login: str) -> dict[str, str]:
    # The user's profile, database or API key is meant for another server.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | {
        "PREFECT_HOME": str(data),
        # The address that the web pages use for the API.
        "PREFECT_API_URL": f"http://{HOST}:{port}{_PATH}",
        # Without a login every user of this machine, and every web page open on it, could run code through this API.
        "PREFECT_SERVER_API_AUTH_STRING": login,
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://{HOST}:{port}",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Below PREFECT_HOME. In memory, the default, a restart would forget when a killed run's slot becomes free.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "DO_NOT_TRACK": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _login_file(data: Path) -> Path:
    return data / "login.json"


def _profile() -> PrefectAccess | None:
    try:
        # This import takes 0.8 s, so only the commands that use Prefect pay for it.
        with heavy_imports():
            from prefect.settings import get_current_settings

        api = get_current_settings().api
    except ValueError as error:
        raise UsageError(
            f"Prefect's own settings are invalid: {error}", remedy="correct them: `prefect config validate`"
        ) from error
    return PrefectAccess(api.url, api.auth_string) if api.url else None


SPEC = ServerSpec("prefect", "Prefect", port=4200, path=_PATH, health="/health", limit=300, prepare=prepare)
