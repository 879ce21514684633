"""What the one-shot services of docker-compose.yml do: `check`, then `prepare`, then `init`. Each is idempotent.

check     the secrets, before any volume is created with them
prepare   the databases and the bucket, before lakeFS and Prefect start
init      lakeFS's administrator and repository; Prefect's work pool, deployments and Secret blocks
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.errors import UsageError
from orchestration.lake.access import LakeAccess
from orchestration.log import Log
from orchestration.project import own_name
from orchestration.stack.settings import StackSettings
from orchestration.stack.wait import health_problem, wait_for

if TYPE_CHECKING:
    from orchestration.lake.setup import Initialised
    from orchestration.settings import Settings


@dataclass(frozen=True)
class Prepared:
    """What `prepare` found or created."""

    bucket: str
    storage: str


@dataclass(frozen=True)
class StackReady:
    """What `init` found or changed.

    Attributes:
        lakefs: Whether lakeFS's administrator was created or existed.
        lake: What `elt init` did.
        secrets: The Secret blocks that were written.
        ui: The address of Prefect's API.
    """

    lakefs: str
    lake: Initialised
    secrets: tuple[str, ...]
    ui: str


def prepare(stack: StackSettings, settings: Settings, log: Log) -> Prepared:
    """Create the databases and the bucket unless they exist, and check the logins to them.

    Raises:
        UsageError: A password, a key or a name is refused; the message names the variable.
        PlatformFailed: PostgreSQL or the store fails, or does not answer.
    """
    from orchestration.stack.postgres import ensure_databases
    from orchestration.stack.store import ensure_bucket

    ensure_databases(stack, log)
    return Prepared(settings.elt.bucket, ensure_bucket(stack, settings.elt.bucket, log))


def init(stack: StackSettings, settings: Settings, log: Log) -> StackReady:
    """Set up lakeFS, the repository and Prefect. What exists is left unchanged, secrets are written again.

    Raises:
        UsageError: lakeFS or Prefect refuses its keys; the message names the variable.
        PlatformFailed: lakeFS or Prefect fails, or does not answer.
    """
    from orchestration.stack.lakefs import set_up_lakefs

    done = set_up_lakefs(stack, log)
    lake = _init_lake(stack, settings, log)
    ui = _init_prefect(stack, settings, log)
    return StackReady(done, lake, _write_secrets(settings.project, secrets_of(stack, settings), log), ui)


def secrets_of(stack: StackSettings, settings: Settings) -> dict[str, str]:
    """Return the secrets of the deployments: lakeFS's keys, and of the others those that are set."""
    from orchestration.flows import secrets

    keys = f"{stack.lakefs_access_key.get_secret_value()}:{stack.lakefs_secret_key.get_secret_value()}"
    of_sources = {
        secrets.source_block(name, field): value.get_secret_value()
        for name, source in settings.sources.items()
        for field, value in source.secrets.items()
    }
    notify = settings.elt.notify_url
    return {secrets.LAKE: keys, **of_sources, **({secrets.NOTIFY: notify.get_secret_value()} if notify else {})}


def _init_lake(stack: StackSettings, settings: Settings, log: Log) -> Initialised:
    from orchestration.lake.client import Lake
    from orchestration.lake.connection import LakeConnection
    from orchestration.lake.setup import init_lake

    access = LakeAccess(stack.lakefs_endpoint, stack.lakefs_access_key, stack.lakefs_secret_key)
    connection = LakeConnection(access, settings.elt.lake_timeout)
    try:
        return init_lake(Lake(connection, settings.repository), settings.elt.bucket, settings.project_dir, log)
    finally:
        connection.close()


def _init_prefect(stack: StackSettings, settings: Settings, log: Log) -> str:
    """Create the work pool and the deployments, and return the address of Prefect's API."""
    from orchestration.flows.deploy import deploy

    url = stack.prefect_api_url.rstrip("/")
    wait_for(f"prefect-server at {url}", lambda: health_problem(f"{url}/ready"), log)
    _require_login(url, stack)
    os.environ["PREFECT_API_URL"] = url
    os.environ["PREFECT_API_AUTH_STRING"] = stack.prefect_login.get_secret_value()
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    deploy(url, settings.project_dir, log)
    return url


def _require_login(url: str, stack: StackSettings) -> None:
    import httpx

    user, _, password = stack.prefect_login.get_secret_value().partition(":")
    answer = httpx.get(f"{url}/admin/version", auth=(user, password), timeout=30.0, trust_env=False)
    if answer.status_code == 401:
        raise UsageError(
            f"STACK_PREFECT_PASSWORD: Prefect at {url} was started with another password",
            remedy="docker compose up again, which starts it with the one in .env",
        )


def _write_secrets(project: str, secrets: dict[str, str], log: Log) -> tuple[str, ...]:
    from orchestration.flows.secrets import save

    for name, text in secrets.items():
        save(project, name, text)
        log.info(f"Secret block {own_name(project, name)}")
    return tuple(own_name(project, name) for name in secrets)
