"""Checks of the Prefect server: whether it answers, to whom, and its version."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from orchestration.doctor.checks import Check, Result, failed, ok, warning
from orchestration.doctor.http import TIMEOUT, ask, clock

if TYPE_CHECKING:
    import httpx

    from orchestration.servers.prefect import PrefectAccess
    from orchestration.settings import Settings

SERVER = "prefect"
LOGIN = "prefect login"
SIGNED_IN = (SERVER, LOGIN)
"""The checks that must not have failed before anything is asked of Prefect."""


def prefect_checks(settings: Settings) -> Iterator[Check]:
    """Return the checks of the Prefect server itself."""
    looks = _Prefect(settings)
    yield Check(SERVER, looks.server)
    yield Check("prefect clock", looks.clock, (SERVER,))
    yield Check(LOGIN, looks.login, (SERVER,))
    yield Check("prefect version", looks.version, SIGNED_IN)


class _Prefect:
    """What the checks of Prefect share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def access(self) -> PrefectAccess:
        from orchestration.servers.access import prefect_access

        return prefect_access(self.settings)

    @cached_property
    def is_configured(self) -> bool:
        from orchestration.servers.prefect import configured

        return configured(self.settings) is not None

    def _ask(self) -> httpx.Response:
        remedy = "start it, and check PREFECT_API_URL" if self.is_configured else "elt status; elt up"
        return ask(f"{self.access.url}/health", proxies=self.is_configured, remedy=remedy)

    def server(self) -> Result:
        answer = self._ask()
        # A server behind another sign-in may ask for it here. The next check is whether Prefect accepts this login.
        if answer.is_error and answer.status_code not in (401, 403):
            return failed(
                f"{self.access.url}/health answered {answer.status_code}", "correct PREFECT_API_URL; see its log"
            )
        return ok(f"answers at {self.access.url}")

    def clock(self) -> Result:
        answer = self._ask()
        return clock(answer, datetime.now(UTC))

    def login(self) -> Result:
        import httpx
        from prefect.client.orchestration import get_client
        from prefect.exceptions import PrefectHTTPStatusError

        from orchestration.endpoints import use_prefect

        url = use_prefect(self.settings)
        try:
            with get_client(sync_client=True) as client:
                client.read_work_pools(limit=1)
        except PrefectHTTPStatusError as error:
            if error.response.status_code not in (401, 403):
                raise
            return failed(
                f"{url} refuses the login ({error.response.status_code})",
                "set PREFECT_API_AUTH_STRING to the server's user:password, or PREFECT_API_KEY",
            )
        without = httpx.post(
            f"{url}/work_pools/filter", json={"limit": 1}, timeout=TIMEOUT, trust_env=self.is_configured
        )
        if without.is_success:
            return warning(
                f"{url} answers without a login: anyone who reaches it can run code as the worker",
                "set PREFECT_SERVER_API_AUTH_STRING on the server (docs/operations.md#who-can-use-prefect)",
            )
        return ok("accepted, and required")

    def version(self) -> Result:
        import prefect
        from prefect.client.base import ServerType
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            if client.server_type == ServerType.CLOUD:
                return ok(f"Prefect Cloud, client {prefect.__version__}")
            server = client.api_version()
        seen = f"server {server}, client {prefect.__version__}"
        if _line(server) == _line(prefect.__version__):
            return ok(seen)
        return warning(seen, f"run a server of Prefect {_line(prefect.__version__)}, with which this project is tested")


def _line(version: str) -> str:
    return ".".join(version.split(".")[:2])
