"""How long an API asks to wait: Retry-After, and the headers of its rate limit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset", "ratelimit", "x-ratelimit-reset-after")
_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit")
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_FIELD = {
    "reset": re.compile(r"(?:^|[;,\s])(?:reset|t)=(\d+)", re.ASCII),
    "remaining": re.compile(r"(?:^|[;,\s])(?:remaining|r)=(\d+)", re.ASCII),
}
_EPOCH, _EPOCH_MS = 10**9, 10**12
"""A larger number is the time of the reset in seconds or milliseconds since 1970, not the seconds until it."""


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return the seconds a Retry-After header asks for, given as seconds or as a date; None if it is unusable."""
    if value is None:
        return None
    if _NUMBER.fullmatch(value.strip()):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds())


def until_reset(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds until a rate limit that is used up is reset; None without such a limit.

    An API that says what remains, and that something does, refuses for another reason.
    """
    if (remaining := _first(headers, _REMAINING, "remaining")) is not None and remaining > 0:
        return None
    for name in _RESETS:
        text = headers.get(name, "").strip()
        number = _number(text, "reset")
        if number is None:
            # Some APIs send the date of the reset.
            number = retry_after(text, now) if text else None
        elif number >= _EPOCH_MS:
            number = number / 1000 - now.timestamp()
        elif number >= _EPOCH:
            number -= now.timestamp()
        if number is not None and number > 0:
            return number
    return None


def _first(headers: Mapping[str, str], names: tuple[str, ...], field: str) -> float | None:
    return next((found for name in names if (found := _number(headers.get(name, "").strip(), field)) is not None), None)


def _number(text: str, field: str) -> float | None:
    if _NUMBER.fullmatch(text):
        return float(text)
    found = _FIELD[field].search(text)
    return float(found[1]) if found else None
