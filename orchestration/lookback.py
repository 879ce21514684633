"""The earlier dates that a nightly run starts again: those that were missed, and those that sources look back to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.lake import keys
from orchestration.lake.catalog import published_dates
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.history import on_hold
from orchestration.source.config import Table


@dataclass(frozen=True)
class EarlierDate:
    """A published date to ask for again.

    Attributes:
        execution_date: The date.
        sources: The sources to fetch.
    """

    execution_date: str
    sources: tuple[str, ...]


def missed_dates(lake: Lake, execution_date: str, days: int) -> tuple[str, ...]:
    """Return the dates that `main` lacks of so many `days` before `execution_date`, oldest first.

    A date that was rolled back is on hold, and left out. A date before the first that `main` has was not missed: the
    pipeline did not run yet.
    """
    published = published_dates(lake, MAIN)
    first = min(published, default=execution_date)
    window = (_days_before(execution_date, age) for age in range(days, 0, -1))
    absent = [day for day in window if day > first and day not in published]
    held = on_hold(lake, absent)
    return tuple(day for day in absent if day not in held)


def earlier_dates(tables: Sequence[Table], lake: Lake, execution_date: str) -> Iterator[EarlierDate]:
    """Yield the dates before `execution_date` that sources look back to and that `main` has, newest first.

    A date that was rolled back is on hold, and left out.
    """
    lookback = {table.source: table.lookback for table in tables}
    ages = range(1, max(lookback.values(), default=0) + 1)
    dates = {age: _days_before(execution_date, age) for age in ages}
    held = on_hold(lake, dates.values())
    for age, day in dates.items():
        if day not in held and lake.stat(MAIN, keys.date_receipt(day)):
            yield EarlierDate(day, tuple(sorted(source for source, days in lookback.items() if days >= age)))


def _days_before(execution_date: str, days: int) -> str:
    return str(date.fromisoformat(execution_date) - timedelta(days=days))
