"""Status of each day: published, missing, or failed and not published since."""

from __future__ import annotations

import re
from calendar import month_name, monthcalendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from orchestration.eda.model import Status

_BRANCH = re.compile(r"etl-(\d{4}-\d{2}-\d{2})-")


def calendar(published: Sequence[str], branches: Iterable[str]) -> dict[str, Status]:
    """Return the status of each day, in order.

    Args:
        published: The published dates, in order; at least one.
        branches: The branches that runs have left. Such a run failed or is in progress.
    """
    first, last = date.fromisoformat(published[0]), date.fromisoformat(published[-1])
    days: dict[str, Status] = {
        str(first + timedelta(days=number)): "missing" for number in range((last - first).days + 1)
    }
    days.update((found[1], "failed") for branch in branches if (found := _BRANCH.match(branch)))
    days.update((day, "published") for day in published)
    return dict(sorted(days.items()))


@dataclass(frozen=True)
class Day:
    """A day in the calendar of a month; `status` is None if the report does not cover the day."""

    date: date
    status: Status | None


@dataclass(frozen=True)
class Month:
    """The calendar of a month: weeks that begin on Monday, None for days before its first and after its last."""

    name: str
    weeks: tuple[tuple[Day | None, ...], ...]


@dataclass(frozen=True)
class Gap:
    """Consecutive whole months in which every day is missing."""

    first: str
    last: str
    days: int


def calendar_months(days: Mapping[str, Status]) -> tuple[Month | Gap, ...]:
    """Return the months of a calendar in order. Several empty months in a row become a gap."""
    of_month: dict[str, dict[str, Status]] = {}
    for day, status in days.items():
        of_month.setdefault(day[:7], {})[day] = status
    found: list[Month | Gap] = []
    for empty, months in groupby(of_month, lambda month: set(of_month[month].values()) == {"missing"}):
        names = list(months)
        if empty and len(names) > 1:
            missing = sum(len(of_month[name]) for name in names)
            found.append(Gap(_name(names[0]), _name(names[-1]), missing))
        else:
            found.extend(Month(_name(name), _weeks(name, of_month[name])) for name in names)
    return tuple(found)


def _name(month: str) -> str:
    return f"{month_name[int(month[5:])]} {month[:4]}"


def _weeks(month: str, known: Mapping[str, Status]) -> tuple[tuple[Day | None, ...], ...]:
    year, number = int(month[:4]), int(month[5:])
    return tuple(
        tuple(Day(date(year, number, day), known.get(f"{month}-{day:02d}")) if day else None for day in week)
        for week in monthcalendar(year, number)
    )
