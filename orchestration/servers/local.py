"""`elt up`, `elt down`, `elt status`, and the access to lakeFS and Prefect for other commands."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestration.errors import ServerFailed
from orchestration.private import private_folder
from orchestration.servers import lakefs, prefect, worker
from orchestration.servers.access import (
    VARIABLES,
    external_servers,
    lake_access,
    logins,
    named_servers,
    prefect_access,
)
from orchestration.servers.background import LocalServer
from orchestration.servers.files import locked, translate_disk_errors
from orchestration.servers.health import health_checks
from orchestration.servers.model import Server, ServerSpec
from orchestration.servers.prefect import PrefectAccess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from orchestration.log import Log
    from orchestration.settings import Settings

__all__ = [
    "Server",
    "down",
    "lake_access",
    "logins",
    "prefect_access",
    "status",
    "up",
    "up_worker",
]

_SPECS = (lakefs.SPEC, prefect.SPEC)
_CONFIGURED_BY = {
    "lakefs": "LAKEFS_ENDPOINT in the environment or .env",
    "prefect": "PREFECT_API_URL in the environment, .env or Prefect's profile",
}
_CONFIGURED_TIMEOUT = 10.0


def up_worker(settings: Settings, log: Log) -> Server:
    """Start a worker on the pool of prefect.yaml unless one runs. The Prefect API in use must be up.

    Raises:
        ServerFailed: It could not be started.
    """
    server = _worker(settings, prefect_access(settings))
    with translate_disk_errors("starting the worker"), _lock(settings, log):
        server.start(log)
        return server.wait(log)


def up(settings: Settings, log: Log) -> tuple[Server, ...]:
    """Start the local servers that do not run, and check the configured ones.

    Nothing changes if all are up. It is safe to run this twice at once, and again after an interruption.

    Raises:
        ServerFailed: A server could not be built or started, or a configured one does not answer; the others are up.
        UsageError: The configuration of lakeFS is incomplete, or Prefect's own settings are invalid.
    """
    named = named_servers(settings)
    configured = external_servers(settings, named)
    local = {spec.name: LocalServer(spec, settings) for spec in _SPECS if spec.name not in configured}
    servers: dict[str, Server] = {}
    failures: list[ServerFailed] = []
    if "prefect" in local and _is_open(local["prefect"]):
        failures.append(_open_to_all(local.pop("prefect")))
    from orchestration.settings import warn_of_readable_secrets

    warn_of_readable_secrets(settings, log)
    with translate_disk_errors("starting the servers"), _lock(settings, log):
        # Start all before waiting, so that they start in parallel.
        for server in local.values():
            server.start(log)
        for name, server in local.items():
            try:
                servers[name] = server.wait(log)
            except ServerFailed as failed:
                failures.append(failed)
            else:
                if name in named and servers[name].url != named[name].url:
                    failures.append(_moved(server, named[name].url))
    for spec in _SPECS:
        if spec.name in configured:
            servers[spec.name] = _check(spec, configured[spec.name])
            if servers[spec.name].state == "unhealthy":
                failures.append(_not_answering(spec, configured[spec.name]))
            else:
                log.info(f"{spec.title} is configured and answers at {configured[spec.name]}")
    if failures:
        raise failures[0]
    return tuple(servers[spec.name] for spec in _SPECS)


def down(settings: Settings, log: Log, purge: bool) -> None:
    """Stop the servers that `up` started, if any run. Configured servers are left unchanged.

    Args:
        settings: The settings, which give the state folder.
        log: Takes a line for each server stopped and folder removed.
        purge: Also remove the local servers' data, keys and logs, and nothing else of the state folder.

    Raises:
        ServerFailed: A server could not be stopped, or its data could not be removed.
    """
    if not settings.state_dir.exists():
        log.info("no server has been started here")
        return
    with translate_disk_errors("stopping the servers"), _lock(settings, log):
        # Stop the worker first: it depends on the others.
        for server in (_worker(settings), *(LocalServer(spec, settings) for spec in _SPECS)):
            if server.spec.name == "worker" and not server.pid_file.exists():
                continue
            server.stop(log)
            if purge:
                server.purge(log)


def status(settings: Settings) -> tuple[Server, ...]:
    """Return the states of lakeFS and Prefect without changing anything.

    A local worker is included if one was started.

    Raises:
        UsageError: The configuration of lakeFS is incomplete, or Prefect's own settings are invalid.
    """
    configured = external_servers(settings, named_servers(settings))
    servers = tuple(
        _check(spec, configured[spec.name]) if spec.name in configured else LocalServer(spec, settings).status()
        for spec in _SPECS
    )
    local_worker = _worker(settings)
    return (*servers, local_worker.status()) if local_worker.pid_file.exists() else servers


def _worker(settings: Settings, access: PrefectAccess | None = None) -> LocalServer:
    """Return the local worker. The Prefect API matters only for starting it."""
    return LocalServer(worker.spec_for(access or PrefectAccess("")), settings)


def _check(spec: ServerSpec, url: str) -> Server:
    with health_checks(timeout=_CONFIGURED_TIMEOUT, proxies=True) as answers:
        return Server(spec.name, url, "configured" if answers(f"{url}{spec.health}") else "unhealthy")


def _moved(server: LocalServer, named: str) -> ServerFailed:
    title, variable = server.spec.title, VARIABLES[server.spec.name]
    return ServerFailed(
        f"{title} runs at {server.running_url}, because another program listens at {named}, which {variable} names",
        remedy=f"set {variable}={server.running_url}, or remove {_CONFIGURED_BY[server.spec.name]}",
    )


def _is_open(server: LocalServer) -> bool:
    """Return whether this Prefect server runs without a login, as earlier versions started it."""
    return bool(server.running_url) and not prefect.read_login(server.data)


def _open_to_all(server: LocalServer) -> ServerFailed:
    return ServerFailed(
        f"Prefect at {server.running_url} runs without a login, as an earlier version started it: "
        "every user of this machine can run code through it and read its secrets",
        remedy="`elt down`, then `elt up` (with --worker if a worker ran)",
    )


def _not_answering(spec: ServerSpec, url: str) -> ServerFailed:
    return ServerFailed(
        f"{spec.title} is configured at {url} and does not answer",
        remedy=f"start it, or remove {_CONFIGURED_BY[spec.name]} to use a local one",
    )


@contextmanager
def _lock(settings: Settings, log: Log) -> Iterator[None]:
    private_folder(settings.state_dir)
    with locked(settings.state_dir / "run" / "lock", lambda: log.info("waiting for another `elt up` or `elt down`")):
        yield
