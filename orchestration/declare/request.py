"""Guess how a request asks for a day, from an address and parameters that were written for one date."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from orchestration.declare.arguments import pairs_of
from orchestration.declare.guess import Guess
from orchestration.errors import UsageError
from orchestration.source.day import End, day_of, filled, has_placeholder

_TIMES = ("rfc3339", "epoch", "epoch_ms", "rfc3339_ms", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S")
_DATES = ("{date}", "{date:%Y%m%d}", "{date:%Y/%m/%d}", "{date:%d.%m.%Y}", "{date:%m/%d/%Y}")
_ENDS = re.compile(
    r"(end|until|to|before|max|lt|lte|till|less)([\[\]_.]|$)|(^|[_.\[])(end|until|to|before|max|lt)", re.I
)
_SECRET = re.compile(r"(^|[_-])(api_?key|key|token|access_?token|secret|password|signature|appid|app_?id)$", re.I)
_PERIOD = re.compile(r"date|year|month|period|time", re.I)
_DAY = re.compile(r"(?<![0-9])[12][0-9]{3}-[01][0-9]-[0-3][0-9](?![0-9])")


@dataclass(frozen=True)
class Asked:
    """The request of a table, as it is declared.

    Attributes:
        url: The address below which the API's paths are; empty if the settings have it.
        path: The path.
        parameters: The request parameters.
        end: What `{end}` is.
        open_ended: Whether a day to begin with is asked for, and none to end with.
        guesses: How placeholders were found.
    """

    url: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    end: End = "exclusive"
    open_ended: bool = False
    guesses: tuple[Guess, ...] = ()

    @property
    def is_snapshot(self) -> bool:
        """Return whether no day is asked for."""
        return not has_placeholder([self.path, dict(self.parameters)])


def split_address(url: str, path: str, parameters: Sequence[str]) -> tuple[str, str, dict[str, str]]:
    """Return the base address, path and parameters of a request.

    Without a `path`, a complete address as in a browser is split.

    Raises:
        UsageError: The address has a secret in it, or a parameter is not `name=value`.
    """
    given: dict[str, str] = {}
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc):
        raise UsageError(
            "--url is not an http address without user and password",
            remedy="give one such as https://api.example.com/v1",
        )
    if parts.query:
        given |= dict(parse_qsl(parts.query, keep_blank_values=True))
    base = f"{parts.scheme}://{parts.netloc}" if url else ""
    if path:
        base += parts.path.rstrip("/") if url else ""
        path, _, query = path.partition("?")
        given |= dict(parse_qsl(query, keep_blank_values=True))
    else:
        path = parts.path
    given |= pairs_of("--parameter", parameters)
    for name in given:
        if _SECRET.search(name):
            raise UsageError(
                f"parameter {name!r} looks like a secret, which the declaration must not have",
                remedy=f"set it as <SOURCE>_API_TOKEN, leave it out of the address, and add --auth query:{name}",
            )
    return base, f"/{path.lstrip('/')}", given


def date_in(path: str, parameters: Mapping[str, str]) -> str | None:
    """Return the date that a request was written for; None without one.

    A date at the beginning of the path is a version of the API.
    """
    for text in (*parameters.values(), path.lstrip("/").partition("/")[2]):
        for found in _DAY.findall(text):
            try:
                return str(Date.fromisoformat(found))
            except ValueError:
                continue
    return None


def find_day(url: str, path: str, parameters: Mapping[str, str], date: str) -> Asked:
    """Return the request with placeholders in place of the parts of a date."""
    guesses: list[Guess] = []
    exact: dict[str, str] = {}
    ends: list[End] = []
    has_end = False
    for name, value in parameters.items():
        if has_placeholder(value):
            exact[name] = value
            has_end = has_end or "{end" in value or "{date" in value
            continue
        found, end = _placeholder(name, value, date)
        exact[name] = found
        if end:
            ends.append(end)
        if found != value:
            guesses.append(Guess(f"parameters.{name}", found, f"{value!r} is its value on {date}"))
            has_end = has_end or "{end" in found or ("{date" in found and not _BEGINS.search(name))
            if "{date" in found and _ENDS.search(name):
                has_end = True
    filled_path = _in_path(path, date)
    if filled_path != path:
        guesses.append(Guess("path", filled_path, f"it names {date}"))
        has_end = True
    asks = has_placeholder([filled_path, exact])
    if not asks:
        why = f"nothing in the request names {date}; if the API takes a day, add such as --parameter date={{date}}"
        guesses.append(Guess("day", "none: what is current is fetched", why))
    inclusive = "inclusive" in ends
    if inclusive:
        guesses.append(Guess("day.end", "inclusive", "the request ends with the last second of the day"))
    end_of_day: End = "inclusive" if inclusive else "exclusive"
    return Asked(url, filled_path, exact, end_of_day, asks and not has_end, tuple(guesses))


_BEGINS = re.compile(r"(^|[_.\[-])(since|from|start|after|min|gte?|updated|modified|begin)", re.I)


def _placeholder(name: str, value: str, date: str) -> tuple[str, End | None]:
    names = ("end", "start") if _ENDS.search(name) else ("start", "end")
    # The date after is the end of the day.
    parts = ("{date:%Y}", "{date:%Y-%m}") if _PERIOD.search(name) else ()
    candidates = [*_DATES, *parts, *(("{end:%Y-%m-%d}", "{end:%Y%m%d}") if names[0] == "end" else ())]
    candidates += [f"{{{one}}}" if form == "rfc3339" else f"{{{one}:{form}}}" for one in names for form in _TIMES]
    ends: tuple[End, ...] = ("exclusive", "inclusive")
    for end in ends:
        day = day_of(date, "UTC", end)
        for candidate in candidates:
            if value == filled(candidate, day):
                return candidate, end if "{end" in candidate else None
    return value, None


def _in_path(path: str, date: str) -> str:
    day: Any = day_of(date)
    # The first part may be the API's version.
    version, slash, rest = path.lstrip("/").partition("/")
    for candidate in _DATES[:3]:
        text = filled(candidate, day)
        if text in rest:
            return f"/{version}{slash}{rest.replace(text, candidate)}"
    return path
