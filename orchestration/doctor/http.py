"""One request to a server, and what its answer says about the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from orchestration.doctor.checks import Result, failed, ok, warning
from orchestration.errors import ServerFailed

if TYPE_CHECKING:
    import httpx

TIMEOUT = 10.0
_NOTICEABLE = 10.0
_TOO_MUCH = 300.0
"""lakeFS's S3 gateway refuses requests whose time differs by more than 15 minutes."""

_SET_THE_CLOCK = (
    "synchronise the clocks of this machine and of the server with NTP, such as by systemd-timesyncd or chrony"
)


def ask(url: str, *, proxies: bool, remedy: str) -> httpx.Response:
    """Return the answer to a GET.

    Args:
        url: The address.
        proxies: Use the environment's proxy and certificate settings; must be false for a local server.
        remedy: What to do if there is no answer.

    Raises:
        ServerFailed: There is no answer in time.
    """
    import httpx

    try:
        return httpx.get(url, timeout=TIMEOUT, trust_env=proxies)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServerFailed(f"no answer from {url}: {error or type(error).__name__}", remedy=remedy) from error


def clock(answer: httpx.Response, now: datetime) -> Result:
    """Compare the time in an answer with the time of this machine when it arrived."""
    sent = answer.headers.get("Date")
    try:
        server = parsedate_to_datetime(sent) if sent else None
    except ValueError:
        server = None
    if server is None:
        return Result("not checked", f"the answer has no valid Date header: {sent!r}", "check why, such as a proxy")
    if server.tzinfo is None:
        server = server.replace(tzinfo=UTC)
    # The header has whole seconds, and the answer took a while.
    seconds = (now - server).total_seconds()
    direction = "ahead of" if seconds > 0 else "behind"
    seen = f"this machine's clock is {abs(seconds):,.0f} s {direction} the server's"
    if abs(seconds) >= _TOO_MUCH:
        return failed(f"{seen}; the S3 gateway refuses more than 900 s", _SET_THE_CLOCK)
    if abs(seconds) >= _NOTICEABLE:
        return warning(seen, _SET_THE_CLOCK)
    return ok(f"within {_NOTICEABLE:.0f} s of the server's")
