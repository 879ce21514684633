"""How a request asks for a day: placeholders in texts, filled with the day's date, start and end.

    {date}                 2025-05-20; with a format, such as {date:%Y%m%d}
    {start}, {end}         the instants between which the day lies, as RFC 3339: 2025-05-20T00:00:00Z
    {start:epoch}          seconds since 1970; {start:epoch_ms} milliseconds
    {start:rfc3339_ms}     2025-05-20T00:00:00.000Z
    {start:%Y-%m-%dT%H}    strftime
    {{date}}               the text {date}

Braces around anything else are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

End = Literal["exclusive", "inclusive"]

_PLACEHOLDER = re.compile(
    r"\{(?P<literal>\{[A-Za-z_]\w*(?::[^{}]*)?\})\}"
    r"|\{(?P<name>[A-Za-z_]\w*)(?::(?P<form>[^{}]*))?\}"
)
_NAMES = ("date", "start", "end")
_NAMED_FORMS = ("epoch", "epoch_ms", "rfc3339", "rfc3339_ms")
_DIRECTIVE = re.compile(r"%(-?.|$)", re.DOTALL)
_DATE_DIRECTIVES = frozenset("aAbBdjmuUVwWGyY%")
_TIME_DIRECTIVES = frozenset("fHIMpSzZ")
_UNPADDED = frozenset("djmHIMSy")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Day:
    """A day in its time zone.

    Attributes:
        date: The date.
        start: The first instant of the date in its zone.
        next: The first instant of the date after it. Where clocks change, they are 23 or 25 hours apart.
        end: Whether `{end}` is `next`, or the last second or millisecond before it.
    """

    date: date
    start: datetime
    next: datetime
    end: End = "exclusive"


def zone_of(name: str) -> tzinfo:
    """Return a time zone of the IANA database.

    Raises:
        ValueError: There is no such zone.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone of the IANA database, such as Europe/Berlin") from None


def day_of(execution_date: str, zone: str = "UTC", end: End = "exclusive") -> Day:
    """Return a date's day in a time zone.

    Raises:
        ValueError: There is no such zone.
    """
    day, where = date.fromisoformat(execution_date), zone_of(zone)
    return Day(day, _midnight(day, where), _midnight(day + timedelta(days=1), where), end)


def _midnight(day: date, zone: tzinfo) -> datetime:
    # Where clocks skip midnight, the conversion gives the first instant that exists.
    return datetime.combine(day, time.min, zone).astimezone(UTC).astimezone(zone)


def today_in(zone: str, now: datetime) -> date:
    """Return the date in a time zone at `now`."""
    return now.astimezone(zone_of(zone)).date()


def problems_of(text: str) -> Iterator[str]:
    """Yield the problems of a text's placeholders."""
    for found in _PLACEHOLDER.finditer(text):
        name, form = found["name"], found["form"]
        if name is None:
            continue
        if name not in _NAMES:
            yield (
                f"{found[0]} is not a placeholder: allowed are {{date}}, {{start}} and {{end}}; "
                f"write {{{found[0]}}} for the text {found[0]}"
            )
        elif form is not None and (problem := _form_problem(name, form)):
            yield f"{found[0]}: {problem}"


def _form_problem(name: str, form: str) -> str:
    if name != "date" and form in _NAMED_FORMS:
        return ""
    allowed = "a strftime format such as %Y%m%d"
    if name != "date":
        allowed = f"{', '.join(_NAMED_FORMS)}, or {allowed}"
    directives = _DIRECTIVE.findall(form)
    if not directives:
        return f"{form!r} is not a format: allowed are {allowed}"
    usable = _DATE_DIRECTIVES | (frozenset() if name == "date" else _TIME_DIRECTIVES)
    for directive in directives:
        plain = directive.removeprefix("-")
        if plain not in usable or (directive != plain and plain not in _UNPADDED):
            return f"%{directive} is not a directive that may be used here: allowed are {''.join(sorted(usable))}"
    return ""


def has_placeholder(value: Any) -> bool:
    """Return whether a text, or any text inside a list or mapping, has a placeholder."""
    return any(found["name"] for text in texts_of(value) for found in _PLACEHOLDER.finditer(text))


def texts_of(value: Any) -> Iterator[str]:
    """Yield every text of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from texts_of(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts_of(inner)


def filled(text: str, day: Day, quote: Callable[[str], str] = str) -> str:
    """Return a text with its placeholders filled; `quote` is applied to each filled-in value."""

    def fill(found: re.Match[str]) -> str:
        return found["literal"] or quote(str(_value(found["name"], found["form"], day)))

    return _PLACEHOLDER.sub(fill, text)


def filled_json(value: Any, day: Day) -> Any:
    """Return a JSON value with the placeholders in its texts filled.

    A text that is nothing but one placeholder of the formats `epoch` and `epoch_ms` becomes a number.
    """
    if isinstance(value, str):
        only = _PLACEHOLDER.fullmatch(value)
        return _value(only["name"], only["form"], day) if only and only["name"] else filled(value, day)
    if isinstance(value, Mapping):
        return {name: filled_json(inner, day) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [filled_json(inner, day) for inner in value]
    return value


def _value(name: str, form: str | None, day: Day) -> str | int:
    if name == "date":
        return day.date.strftime(form) if form else day.date.isoformat()
    form = form or "rfc3339"
    milliseconds = form in ("epoch_ms", "rfc3339_ms") or "%f" in form
    at = day.start if name == "start" else _end(day, milliseconds)
    match form:
        case "epoch":
            return (at - _EPOCH) // timedelta(seconds=1)
        case "epoch_ms":
            return (at - _EPOCH) // timedelta(milliseconds=1)
        case "rfc3339" | "rfc3339_ms":
            return at.isoformat(timespec="milliseconds" if milliseconds else "seconds").replace("+00:00", "Z")
    return at.strftime(form)


def _end(day: Day, milliseconds: bool) -> datetime:
    if day.end == "exclusive":
        return day.next
    least = timedelta(milliseconds=1) if milliseconds else timedelta(seconds=1)
    return (day.next.astimezone(UTC) - least).astimezone(day.next.tzinfo)
