"""Send the requests of one table: credentials, throttle, deadlines, and redirects on the same origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestration.errors import SourceRefused
from orchestration.log import Log
from orchestration.settings import SourceSettings
from orchestration.source.address import Request, resolve, same_origin
from orchestration.source.auth import Credentials, credentials
from orchestration.source.config import Table
from orchestration.source.deadline import Deadline, watch
from orchestration.source.decode import ACCEPTED
from orchestration.source.oauth2 import TokenSource
from orchestration.source.schema import OAuth2
from orchestration.source.secrets import Secrets
from orchestration.source.throttle import Throttle
from orchestration.text import FOREIGN_LIMIT, quoted

if TYPE_CHECKING:
    import ssl

    import httpx

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5


class SourceClient:
    """An HTTP client that is signed in to a source. It may be used by several threads."""

    def __init__(
        self, http: httpx.Client, known: Credentials, tokens: TokenSource | None, throttle: Throttle | None
    ) -> None:
        self._http, self._known, self._tokens, self._throttle = http, known, tokens, throttle

    @property
    def settings(self) -> tuple[str, ...]:
        """Return the names of the settings that the credentials come from."""
        return self._known.settings

    def without_key(self, address: str) -> str:
        """Return an address without a key in its query."""
        return self._known.without_key(address)

    def send(self, wanted: Request, deadline: Deadline) -> tuple[str, httpx.Response]:
        """Return the address and the response of a request, which the caller closes. Its body is not read yet.

        Redirects on the same origin are followed. The method stays, except that 303 asks for a GET. A refused access
        token is replaced once.

        Raises:
            httpx.TransportError: There is no response.
            SourceRefused: There are more than five redirects.
            SourceFailed: The token endpoint gives no token.
        """
        refused: Mapping[str, str] | None = None
        redirects = 0
        while True:
            signed = self._tokens.headers(deadline, refused=refused) if self._tokens else {}
            response = self._send(wanted, signed, deadline)
            status = response.status_code
            if status == 401 and self._tokens and refused is None:
                refused = signed
            elif (target := _redirected(wanted, response)) is not None:
                redirects += 1
                if redirects > _MOST_REDIRECTS:
                    response.close()
                    raise SourceRefused(
                        f"{wanted.method} {wanted.address[:FOREIGN_LIMIT]} answered {status} "
                        f"to {quoted(target, FOREIGN_LIMIT)}, after {_MOST_REDIRECTS} other redirects",
                        status=status,
                        remedy="correct the API",
                    )
                wanted = replace(wanted, url=self._known.without_key(target), parameters={})
                if status == 303:
                    wanted = replace(wanted, method="GET", body=None)
            else:
                return wanted.address, response
            response.close()

    def _send(self, wanted: Request, signed: Mapping[str, str], deadline: Deadline) -> httpx.Response:
        if self._throttle:
            self._throttle.wait(deadline)
        request = self._http.build_request(
            wanted.method,
            self._known.address(wanted.address),
            headers={**wanted.headers, **signed},
            json=wanted.body,
            timeout=deadline.limited(self._http.timeout),
            extensions={"trace": watch},
        )
        return self._http.send(request, stream=True)


def _redirected(wanted: Request, response: httpx.Response) -> str | None:
    """Return the address that a redirect on the same origin leads to; None for any other response."""
    location = response.headers.get("Location")
    if response.status_code not in _REDIRECTS or location is None:
        return None
    try:
        target = resolve(wanted.address, location)
        return target if same_origin(wanted.address, target) else None
    except ValueError:
        return None


@contextmanager
def signed_in(
    table: Table,
    source: SourceSettings,
    timeout: float,
    context: ssl.SSLContext,
    throttle: Throttle | None,
    secrets: Secrets,
) -> Iterator[SourceClient]:
    """Open a client for a table's requests.

    Raises:
        UsageError: A secret that the auth needs is not set, or cannot be sent.
    """
    import httpx

    known = credentials(table.source, table.label, table.fetch.auth, source, secrets)
    headers = {
        "Accept": "application/json, application/x-ndjson",
        "Accept-Encoding": ACCEPTED,
        "User-Agent": f"ingest-clean/{version('ingest-clean')}",
    }
    with (
        httpx.Client(headers={**headers, **known.headers}, timeout=timeout, verify=context) as http,
        httpx.Client(headers={"User-Agent": headers["User-Agent"]}, timeout=timeout, verify=context) as other,
    ):
        tokens = TokenSource(other, source.url or "", known.oauth2, known.settings, secrets) if known.oauth2 else None
        yield SourceClient(http, known, tokens, throttle)


def warn_of_open_secrets(table: Table, source: SourceSettings, log: Log, warned: set[str]) -> None:
    """Report secrets that are sent over plain HTTP to another machine, unless `warned` has the line already.

    Raises:
        UsageError: A secret that the auth needs is not set, or cannot be sent.
    """
    known = credentials(table.source, table.label, table.fetch.auth, source, Secrets())
    addresses = [source.url or ""]
    if isinstance(table.fetch.auth, OAuth2):
        addresses.append(resolve(source.url or "", table.fetch.auth.token_url))
    for url in map(urlsplit, addresses if known.settings else ()):
        if url.scheme == "http" and not _is_loopback(url.hostname or ""):
            names = " and ".join(known.settings)
            line = f"{names} is sent to {url.hostname} over plain http, which others can read; use https"
            if line not in warned:
                log.warning(line)
                warned.add(line)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
