"""Which lakeFS and which Prefect API the settings select: configured ones, or the local servers.

A configured server is used. The local server is selected if nothing is configured. It is also selected if the settings
name its address, with its keys or none, and no other server answers there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.errors import ServerFailed, UsageError
from orchestration.lake.access import LakeAccess
from orchestration.servers import lakefs, prefect
from orchestration.servers.background import LocalServer
from orchestration.servers.health import health_checks
from orchestration.servers.prefect import PrefectAccess

if TYPE_CHECKING:
    from orchestration.settings import Settings

VARIABLES = {"lakefs": "LAKEFS_ENDPOINT", "prefect": "PREFECT_API_URL"}
"""The variable that configures a server, by the name of its spec."""

_CHECK_TIMEOUT = 5.0


def logins(settings: Settings) -> dict[str, dict[str, str]]:
    """Return the logins of the local servers' web pages by server. They are secrets: show them only on request.

    Raises:
        ServerFailed: The file with a server's keys is damaged or may not be read.
    """
    lake, api = (LocalServer(spec, settings) for spec in (lakefs.SPEC, prefect.SPEC))
    found: dict[str, dict[str, str]] = {}
    if lake.last_url:
        keys = lakefs.read_credentials(lake.data)
        found["lakefs"] = {"url": lake.last_url, "access_key": keys.access_key, "secret_key": keys.secret_key}
    if api.last_url and (login := prefect.read_login(api.data)):
        pages = api.last_url.removesuffix(api.spec.path)
        found["prefect"] = {"url": pages, "auth_string": login.get_secret_value()}
    return found


def lake_access(settings: Settings) -> LakeAccess:
    """Return the configured lakeFS, else the local one.

    Raises:
        UsageError: The configuration of lakeFS is incomplete; the message names the missing variables.
        ServerFailed: The local server is selected and does not run.
    """
    configured = _configured_lake(settings)
    server = LocalServer(lakefs.SPEC, settings)
    if configured and not _is_local(server, configured):
        return configured
    url = server.running_url
    if not url:
        raise _not_running(server, configured.endpoint if configured else None)
    return configured or _local_lake(server, url)


def prefect_access(settings: Settings) -> PrefectAccess:
    """Return the configured Prefect API, else that of the local server.

    Raises:
        UsageError: Prefect's own settings are invalid.
        ServerFailed: The local server is selected and does not run, or its login is damaged.
    """
    configured = prefect.configured(settings)
    server = LocalServer(prefect.SPEC, settings)
    if configured and not _is_local(server, configured):
        return configured
    url = server.running_url
    if not url:
        raise _not_running(server, configured.url if configured else None)
    return PrefectAccess(url, prefect.read_login(server.data))


def named_servers(settings: Settings) -> dict[str, LakeAccess | PrefectAccess]:
    """Return the servers that the settings name, local or not, by name."""
    named = {"lakefs": _configured_lake(settings), "prefect": prefect.configured(settings)}
    return {name: access for name, access in named.items() if access}


def external_servers(settings: Settings, named: dict[str, LakeAccess | PrefectAccess]) -> dict[str, str]:
    """Return the addresses of named servers that are not the local ones."""
    # The address of the local server may be set in .env or a profile for dbt or the UI. `elt up` still starts it
    # then.
    return {
        spec.name: named[spec.name].url
        for spec in (lakefs.SPEC, prefect.SPEC)
        if spec.name in named and not _is_local(LocalServer(spec, settings), named[spec.name])
    }


def _is_local(server: LocalServer, named: LakeAccess | PrefectAccess) -> bool:
    """Return whether the settings name the local server: its address and keys, and no other server answers there."""
    if named.url != server.last_url or not _has_its_keys(server, named):
        return False
    if server.running_url:
        return True
    with health_checks(timeout=_CHECK_TIMEOUT, proxies=False) as answers:
        return not answers(f"{named.url}{server.spec.health}")


def _has_its_keys(server: LocalServer, named: LakeAccess | PrefectAccess) -> bool:
    try:
        if isinstance(named, PrefectAccess):
            return named.auth_string in (None, prefect.read_login(server.data))
        keys = lakefs.read_credentials(server.data)
    except ServerFailed:
        return False
    given = (named.access_key.get_secret_value(), named.secret_key.get_secret_value())
    return given == (keys.access_key, keys.secret_key)


def _local_lake(server: LocalServer, url: str) -> LakeAccess:
    from pydantic import SecretStr

    keys = lakefs.read_credentials(server.data)
    return LakeAccess(url, SecretStr(keys.access_key), SecretStr(keys.secret_key))


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
            f"{' and '.join(given)} set without {' and '.join(missing)}",
            remedy=f"set {' and '.join(missing)} too in the environment or .env, or unset all to use the local lakeFS",
        )
    return None


def _not_running(server: LocalServer, named: str | None) -> ServerFailed:
    title, variable = server.spec.title, VARIABLES[server.spec.name]
    if named:
        return ServerFailed(
            f"{title}: {variable}={named} does not answer; it is the address of the local server, which is not running",
            remedy=f"`elt up` starts it, or set {variable} to another",
        )
    return ServerFailed(
        f"{title}: not configured, and the local server is not running", remedy=f"`elt up`, or set {variable}"
    )
