"""Lookback: the earlier dates that sources are asked for again, because their records may have changed since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.lake import keys
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


def earlier_dates(tables: Sequence[Table], lake: Lake, execution_date: str) -> Iterator[EarlierDate]:
    """Yield the dates before `execution_date` that sources look back to and that `main` has, newest first.

    A date that was rolled back is on hold, and left out.
    """
    lookback = {table.source: table.lookback for table in tables}
    ages = range(1, max(lookback.values(), default=0) + 1)
    dates = {age: str(date.fromisoformat(execution_date) - timedelta(days=age)) for age in ages}
    held = on_hold(lake, dates.values())
    for age, day in dates.items():
        if day not in held and lake.stat(MAIN, keys.date_receipt(day)):
            yield EarlierDate(day, tuple(sorted(source for source, days in lookback.items() if days >= age)))
