"""Declared forms of a column's text: a format of instants with its time zone, and the decimal comma.

A text is matched against a grammar, a regular expression made from the format, before the engine parses it. So the
result does not depend on what the engine's own parser forgives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from orchestration.source.day import zone_of

ClockChange = Literal["reject", "earlier", "later"]
Decimal = Literal["point", "comma"]

EPOCHS = ("epoch", "epoch_ms", "epoch_us", "epoch_ns")
"""Formats of an instant as a number since 1970: in seconds, milliseconds, microseconds or nanoseconds."""

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_MONTH_NAMES = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
_DAY_NAMES = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_DIRECTIVES = {
    "Y": "[0-9]{4}",
    "y": "[0-9]{2}",
    "m": "(0[1-9]|1[0-2])",
    "-m": "(0?[1-9]|1[0-2])",
    "b": f"({_MONTHS})",
    "B": f"({_MONTH_NAMES})",
    "d": "(0[1-9]|[12][0-9]|3[01])",
    "-d": "(0?[1-9]|[12][0-9]|3[01])",
    "a": f"({_DAYS})",
    "A": f"({_DAY_NAMES})",
    "H": "([01][0-9]|2[0-3])",
    "-H": "([01]?[0-9]|2[0-3])",
    "I": "(0[1-9]|1[0-2])",
    "-I": "(0?[1-9]|1[0-2])",
    "p": "([AaPp][Mm])",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "f": "[0-9]{1,6}",
    "z": "[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?",
    "%": "%",
}
_PART = re.compile(r"%(-?.|$)|([^%]+)", re.DOTALL)
_SAME = (("Y", "y"), ("m", "-m", "b", "B"), ("d", "-d"), ("H", "-H", "I", "-I"))
"""Directives for the same part of a date. A format has one of the first three kinds."""


def grammar_of(declared: str) -> str:
    """Return the regular expression of a strftime format. It has no quote and no backslash but in `\\x{…}`."""
    return "".join(
        _DIRECTIVES[directive] if directive else "".join(map(_escaped, literal))
        for directive, literal in _PART.findall(declared)
    )


def _escaped(sign: str) -> str:
    if sign == ".":
        return "[.]"
    return sign if sign.isalnum() or sign in " /:,_-" else f"\\x{{{ord(sign):X}}}"


def has_offset(declared: str) -> bool:
    """Return whether a text of this format, or of any if it is empty, says how far it is from UTC."""
    return declared in EPOCHS or "z" in _directives(declared)


def _directives(declared: str) -> list[str]:
    return [part[1] for part in _PART.finditer(declared) if part[1] is not None]


def problems(
    data_type: str, declared: str | None, zone: str | None, clock_change: str | None, decimal: str | None
) -> Iterator[str]:
    """Yield one line for each problem of a column's declared form, as `field: reason and what is allowed`."""
    for name, value in (("format", declared), ("zone", zone)):
        if value is not None and data_type != "timestamptz":
            yield f"{name}: applies to timestamptz only, and the column is {data_type}"
    if decimal is not None and data_type not in ("bigint", "double"):
        yield f"decimal: applies to bigint and double only, and the column is {data_type}"
    if declared is not None and declared not in EPOCHS:
        yield from _format_problems(declared)
    if zone is not None:
        try:
            zone_of(zone)
        except ValueError as error:
            yield f"zone: {error}"
        if declared is not None and has_offset(declared):
            yield f"zone: has no effect, since format {declared!r} says how far an instant is from UTC; remove it"
    if clock_change is not None and zone is None:
        yield "clock_change: applies to local times, which need a zone"


def _format_problems(declared: str) -> Iterator[str]:
    directives = _directives(declared)
    for directive in directives:
        if directive not in _DIRECTIVES:
            allowed = " ".join(f"%{one}" for one in _DIRECTIVES)
            yield f"format: %{directive} may not be used: allowed are {allowed}, or one of {', '.join(EPOCHS)}"
    if not declared.isprintable():
        yield f"format: {declared!r} has a character that cannot be printed"
    counts = [sum(directives.count(one) for one in same) for same in _SAME]
    if counts[:3] != [1, 1, 1] or counts[3] > 1:
        yield (
            f"format: {declared!r} does not give a date once: expected one of %Y %y, one of %m %-m %b %B, "
            f"one of %d %-d, and at most one hour; or one of {', '.join(EPOCHS)}"
        )
    has_half = "I" in directives or "-I" in directives
    if has_half != ("p" in directives):
        yield f"format: {declared!r}: %I and %p need each other"
    for one in ("M", "S", "f", "z", "p", "a", "A"):
        if directives.count(one) > 1:
            yield f"format: {declared!r} has %{one} twice"
