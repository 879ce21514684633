"""Build, resolve and compare request URLs without changing what was declared or what the API named."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    import httpx

_PORTS = {"http": 80, "https": 443}
# RFC 3986, appendix B.
_PARTS = re.compile(r"([^:/?#]+):(//[^/?#]*)([^?#]*)(\??[^#]*)")
_ESCAPED = re.compile(rb"%[0-9a-fA-F]{2}")


@dataclass(frozen=True)
class Request:
    """One request for a page.

    Attributes:
        url: An absolute URL. Its query is kept.
        parameters: Query parameters sent in addition to that query.
        method: GET or POST.
        headers: Request headers in addition to the client's.
        body: The JSON that is sent; None sends no body.
        at: The page number, offset or cursor, as `paging` counts it; None without one.
    """

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    at: str | int | None = None

    @property
    def address(self) -> str:
        """Return the URL with its own query followed by the parameters.

        httpx would replace the URL's query by the parameters.
        """
        if not self.parameters:
            return self.url
        joint = "?" if "?" not in self.url else "" if self.url.endswith(("?", "&")) else "&"
        return f"{self.url}{joint}{urlencode(self.parameters)}"

    @property
    def shown(self) -> str:
        """Return the request as messages name it: its address, and the page it asks for in a header or body."""
        beside = "" if self.at is None or (self.body is None and not self.headers) else f" at {self.at!r}"
        return f"{self.address}{beside}"

    @property
    def identity(self) -> tuple[object, ...]:
        """Return a value that is equal for two equal requests.

        Raises:
            ValueError: The address is invalid.
        """
        body = json.dumps(self.body, sort_keys=True, default=str)
        return (*identity(self.address), self.method, tuple(sorted(self.headers.items())), body)


def identity(address: str) -> tuple[object, ...]:
    """Return a value that is equal for two addresses of the same request.

    These differences are ignored: the order of different parameters, the case of the host and of percent escapes, and
    an explicit default port.

    Raises:
        ValueError: The address is invalid.
    """
    url = _parsed(address)
    path, _, query = url.raw_path.partition(b"?")
    # Latin-1 keeps different bytes different, also where they are not UTF-8. Values of a repeated parameter keep
    # their order.
    pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, encoding="latin-1")
    ordered = sorted(pairs, key=lambda pair: pair[0])
    return (*_origin(url), _ESCAPED.sub(lambda escape: escape[0].upper(), path), tuple(ordered))


def resolve(asked: str, link: str) -> str:
    """Return the absolute address of a link found in the response to `asked`.

    Raises:
        ValueError: The link is invalid.
    """
    if _parsed(link).scheme:
        return link
    parts = _PARTS.match(asked)
    if parts is None:
        raise ValueError(f"{asked!r} is not absolute")
    scheme, host, path, query = parts.groups()
    # Not urljoin: it removes control characters and a trailing semicolon, which changes the link.
    match link[:1], link[:2]:
        case _, "//":
            return f"{scheme}:{link}"
        case "/", _:
            return f"{scheme}:{host}{link}"
        case "?", _:
            return f"{scheme}:{host}{path}{link}"
        case (("" | "#"), _):
            return f"{scheme}:{host}{path}{query}{link}"
    return f"{scheme}:{host}{path[: path.rfind('/') + 1] or '/'}{link}"


def same_origin(one: str, other: str) -> bool:
    """Return whether two addresses share scheme, host and port, and neither contains a user name or password.

    Raises:
        ValueError: One of the addresses is invalid.
    """
    first, second = _parsed(one), _parsed(other)
    return _origin(first) == _origin(second) and not first.userinfo and not second.userinfo


def same_resource(one: str, other: str) -> bool:
    """Return whether two addresses share origin and path, and the second has no fragment.

    Raises:
        ValueError: One of the addresses is invalid.
    """
    return same_origin(one, other) and _parsed(one).path == _parsed(other).path and not _parsed(other).fragment


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or _PORTS.get(url.scheme)


def _parsed(address: str) -> httpx.URL:
    import httpx

    try:
        return httpx.URL(address)
    except httpx.InvalidURL as error:
        raise ValueError(str(error)) from error
