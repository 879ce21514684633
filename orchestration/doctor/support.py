"""Until when versions get fixes, as their makers publish it. A version that is not listed has no date here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.doctor.checks import Result, ok, warning

SOON = timedelta(days=90)
"""The time before an end of support in which a warning is given."""


@dataclass(frozen=True)
class Support:
    """The end of support of a version line."""

    product: str
    line: str
    ends: date
    source: str


_PYTHON = "https://peps.python.org/api/release-cycle.json"
_POSTGRES = "https://endoflife.date/postgresql"
_DBT = "https://endoflife.date/dbt-core"

# Read on 2026-11-26. Python publishes months; their last day is meant.
ENDS = (
    Support("Python", "3.11", date(2027, 10, 31), _PYTHON),
    Support("Python", "3.12", date(2028, 10, 31), _PYTHON),
    Support("Python", "3.13", date(2029, 10, 31), _PYTHON),
    Support("PostgreSQL", "14", date(2026, 11, 12), _POSTGRES),
    Support("PostgreSQL", "15", date(2027, 11, 11), _POSTGRES),
    Support("PostgreSQL", "16", date(2028, 11, 9), _POSTGRES),
    Support("dbt-core", "1.12", date(2027, 7, 16), _DBT),
)


def supported(product: str, version: str, today: date, remedy: str) -> Result:
    """Return whether a version still gets fixes.

    Args:
        product: The product, as in `ENDS`.
        version: Its version. The beginning of it names the line.
        today: The date of the check.
        remedy: What to do about an end of support.
    """
    end = next(
        (one for one in ENDS if one.product == product and f"{version}.".startswith(f"{one.line}.")),
        None,
    )
    if end is None:
        return warning(
            f"{version}: the end of its support is not known here", f"{remedy}, or look up its end of support"
        )
    if today > end.ends:
        return warning(f"{version}: its support ended on {end.ends} ({end.source})", remedy)
    if today > end.ends - SOON:
        return warning(f"{version}: its support ends on {end.ends} ({end.source})", remedy)
    return ok(f"{version}, supported until {end.ends}")
