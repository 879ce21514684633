"""The address of a request: put together, resolved and compared, so that what is declared or named is what is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
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
        url: An absolute URL; its query is kept.
        parameters: Sent in addition to that query.
    """

    url: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The URL with its own query and then the parameters; httpx would replace the one by the other."""
        if not self.parameters:
            return self.url
        joint = "?" if "?" not in self.url else "" if self.url.endswith(("?", "&")) else "&"
        return f"{self.url}{joint}{urlencode(self.parameters)}"


def identity(address: str) -> tuple[object, ...]:
    """What two addresses of the same request share.

    The order of different parameters, the case of the host and of percent escapes, and a default port do not count.

    Raises:
        ValueError: The address is invalid.
    """
    url = _parsed(address)
    path, _, query = url.raw_path.partition(b"?")
    # Latin-1 keeps bytes apart that are no UTF-8. Values of a repeated parameter keep their order.
    pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, encoding="latin-1")
    ordered = sorted(pairs, key=lambda pair: pair[0])
    return (*_origin(url), _ESCAPED.sub(lambda escape: escape[0].upper(), path), tuple(ordered))


def resolve(asked: str, link: str) -> str:
    """The absolute address of a link found in the answer to `asked`.

    Raises:
        ValueError: The link is invalid.
    """
    if _parsed(link).scheme:
        return link
    found = _PARTS.match(asked)
    if found is None:
        raise ValueError(f"{asked!r} is not absolute")
    scheme, host, path, query = found.groups()
    # Not urljoin: it removes control characters and a last semicolon, which makes another link.
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
    """Whether two addresses share scheme, host and port, and neither holds a user name or password.

    Raises:
        ValueError: One of the addresses is invalid.
    """
    first, second = _parsed(one), _parsed(other)
    return _origin(first) == _origin(second) and not first.userinfo and not second.userinfo


def same_resource(one: str, other: str) -> bool:
    """Whether two addresses share origin and path, and the second names no fragment of it.

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
