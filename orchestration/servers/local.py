"""`elt up`, `elt down`, `elt status`, and where the other commands find lakeFS and Prefect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.errors import ServerFailed, UsageError
from orchestration.servers import lakefs, prefect, worker
from orchestration.servers.background import LocalServer
from orchestration.servers.files import disk_errors, locked
from orchestration.servers.health import health_checks
from orchestration.servers.model import Kind, Server

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pydantic import SecretStr

    from orchestration.progress import Report
    from orchestration.settings import Settings

__all__ = ["LakeAccess", "Server", "down", "lake_access", "prefect_api_url", "status", "up", "up_worker"]

_KINDS = (lakefs.KIND, prefect.KIND)
_CONFIGURED_BY = {
    "lakefs": "LAKEFS_ENDPOINT in the environment or .env",
    "prefect": "PREFECT_API_URL in the environment, .env or Prefect's profile",
}
_CONFIGURED_TIMEOUT = 10.0


@dataclass(frozen=True)
class LakeAccess:
    """A lakeFS and who we are there.

    Attributes:
        endpoint: Its URL, without a `/` at the end.
        access_key: The access key id.
        secret_key: The secret access key.
    """

    endpoint: str
    access_key: SecretStr
    secret_key: SecretStr


def up_worker(settings: Settings, report: Report) -> Server:
    """Have a worker running on the pool of prefect.yaml, against the Prefect API in use, which must be up.

    Raises:
        ServerFailed: It could not be started.
    """
    server = _worker(settings, prefect_api_url(settings) or "")
    with disk_errors("starting the worker"), _lock(settings, report):
        server.start(report)
        return server.wait(report)


def up(settings: Settings, report: Report) -> tuple[Server, ...]:
    """Have lakeFS and Prefect running: start what is local and not up, check what is configured.

    Changes nothing where all are up. Safe to run twice at once, and again after an interruption.

    Raises:
        ServerFailed: A server could not be built or started, or a configured one does not answer; the others are up.
        UsageError: lakeFS is configured by halves, or Prefect's own settings are invalid.
    """
    configured = _configured(settings)
    local = {kind.name: LocalServer(kind, settings) for kind in _KINDS if kind.name not in configured}
    servers: dict[str, Server] = {}
    failures: list[ServerFailed] = []
    with disk_errors("starting the servers"), _lock(settings, report):
        # All first, so that they start side by side.
        for server in local.values():
            server.start(report)
        for name, server in local.items():
            try:
                servers[name] = server.wait(report)
            except ServerFailed as failed:
                failures.append(failed)
    for kind in _KINDS:
        if kind.name in configured:
            servers[kind.name] = _check(kind, configured[kind.name])
            if servers[kind.name].state == "unhealthy":
                failures.append(_silent(kind, configured[kind.name]))
            else:
                report(f"{kind.title} is configured and answers at {configured[kind.name]}")
    if failures:
        raise failures[0]
    return tuple(servers[kind.name] for kind in _KINDS)


def down(settings: Settings, report: Report, purge: bool) -> None:
    """Stop the servers that `up` started; fine where none runs. Configured servers are left alone.

    Args:
        settings: Say where the state folder is.
        report: Told what was stopped and removed.
        purge: Remove the local servers' data, keys and logs too, and nothing else of the state folder.

    Raises:
        ServerFailed: A server could not be stopped, or its data not be removed.
    """
    if not settings.state_dir.exists():
        report("no server was ever started here")
        return
    with disk_errors("stopping the servers"), _lock(settings, report):
        # The worker first: it would miss the others.
        for server in (_worker(settings), *(LocalServer(kind, settings) for kind in _KINDS)):
            if server.kind.name == "worker" and not server.pid_file.exists():
                continue
            server.stop(report)
            if purge:
                server.purge(report)


def status(settings: Settings) -> tuple[Server, ...]:
    """What lakeFS and Prefect are now; changes nothing.

    Raises:
        UsageError: lakeFS is configured by halves, or Prefect's own settings are invalid.
    """
    configured = _configured(settings)
    servers = tuple(
        _check(kind, configured[kind.name]) if kind.name in configured else LocalServer(kind, settings).status()
        for kind in _KINDS
    )
    ours = _worker(settings)
    return (*servers, ours.status()) if ours.pid_file.exists() else servers


def lake_access(settings: Settings) -> LakeAccess:
    """The configured lakeFS, else the local one.

    Raises:
        UsageError: lakeFS is configured by halves; names the variable that is missing.
        ServerFailed: None is configured and the local one does not run.
    """
    configured = _configured_lake(settings)
    server = LocalServer(lakefs.KIND, settings)
    if configured and configured.endpoint != server.last_url:
        return configured
    url = server.running_url
    if not url:
        raise ServerFailed(
            "lakeFS: none is configured and the local one is not running", remedy="`elt up`, or set LAKEFS_ENDPOINT"
        )
    if configured:
        return configured
    from pydantic import SecretStr

    keys = lakefs.read_credentials(server.data)
    return LakeAccess(url, SecretStr(keys.access_key), SecretStr(keys.secret_key))


def prefect_api_url(settings: Settings) -> str | None:
    """The configured Prefect API, else that of the local server, else None.

    Raises:
        UsageError: Prefect's own settings are invalid.
    """
    configured = prefect.configured_api(settings)
    server = LocalServer(prefect.KIND, settings)
    return configured if configured and configured != server.last_url else server.running_url


def _worker(settings: Settings, api_url: str = "") -> LocalServer:
    """The local worker; whose it is matters only where it is started."""
    return LocalServer(worker.kind_for(api_url), settings)


def _configured(settings: Settings) -> dict[str, str]:
    lake = _configured_lake(settings)
    named = {"lakefs": lake.endpoint if lake else None, "prefect": prefect.configured_api(settings)}
    # Whoever puts the address of the local server into .env or a profile, for dbt or the UI, still wants it started.
    ours = {kind.name: LocalServer(kind, settings).last_url for kind in _KINDS}
    return {name: url for name, url in named.items() if url and url != ours[name]}


def _configured_lake(settings: Settings) -> LakeAccess | None:
    lake = settings.lake
    values = {
        "LAKEFS_ENDPOINT": lake.endpoint,
        "LAKEFS_ACCESS_KEY": lake.access_key,
        "LAKEFS_SECRET_KEY": lake.secret_key,
    }
    if lake.endpoint and lake.access_key and lake.secret_key:
        return LakeAccess(lake.endpoint.rstrip("/"), lake.access_key, lake.secret_key)
    missing = [name for name, value in values.items() if not value]
    if len(missing) < len(values):
        given = [name for name in values if name not in missing]
        raise UsageError(
            f"{' and '.join(given)} given without {' and '.join(missing)}",
            remedy=f"set {' and '.join(missing)} too in the environment or .env, or none of them for the local lakeFS",
        )
    return None


def _check(kind: Kind, url: str) -> Server:
    with health_checks(timeout=_CONFIGURED_TIMEOUT, proxies=True) as answers:
        return Server(kind.name, url, "configured" if answers(f"{url}{kind.health}") else "unhealthy")


def _silent(kind: Kind, url: str) -> ServerFailed:
    return ServerFailed(
        f"{kind.title} is configured at {url} and does not answer",
        remedy=f"start it, or remove {_CONFIGURED_BY[kind.name]} to have a local one",
    )


def _lock(settings: Settings, report: Report) -> AbstractContextManager[None]:
    return locked(settings.state_dir / "run" / "lock", lambda: report("waiting for another `elt up` or `elt down`"))
