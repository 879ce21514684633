"""The plan of a backfill: which dates of a range are published, why, and how long that takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import islice
from statistics import median
from typing import Literal

from orchestration.context import DateRun
from orchestration.dates import parse_execution_date
from orchestration.errors import UsageError
from orchestration.lake import keys
from orchestration.lake.catalog import published_dates, receipts_of
from orchestration.lake.client import Lake
from orchestration.lake.history import last_version, on_hold, publications
from orchestration.lake.setup import require_lake
from orchestration.landed import dates_with_kept_raw
from orchestration.log import Log
from orchestration.operations.rejected import recoverable_dates
from orchestration.plan import make_plan
from orchestration.settings import Settings

Only = Literal["missing", "changed", "rejected", "all"]

_RECENT = 20
"""How many publications the estimate is made from."""


@dataclass(frozen=True)
class PlannedDate:
    """A date to publish, and why."""

    execution_date: str
    reason: str


@dataclass(frozen=True)
class Range:
    """What a backfill was asked for.

    Attributes:
        first: The first date.
        last: The last date, which is included.
        only: `missing`: dates that `main` does not have. `changed`: dates that other code has built. `rejected`: dates
            with rejected rows that the current code accepts. `all`: every date.
        from_raw: Rebuild dates from raw that has landed, and fetch nothing.
    """

    first: str
    last: str
    only: Only = "missing"
    from_raw: bool = False

    @property
    def dates(self) -> tuple[str, ...]:
        """Return all dates of the range in order."""
        first = date.fromisoformat(self.first)
        days = (date.fromisoformat(self.last) - first).days
        return tuple(str(first + timedelta(days=age)) for age in range(days + 1))


@dataclass(frozen=True)
class BackfillPlan:
    """What a backfill will do.

    Attributes:
        asked: The range.
        dates: The dates to publish, oldest first.
        on_hold: Dates that are left out because they were rolled back. A range of one day names its date, which is not
            left out.
        without_raw: The number of dates that are left out because no raw of them has landed.
        seconds: The median duration of recent runs of a date; None if none is known.
    """

    asked: Range
    dates: tuple[PlannedDate, ...]
    on_hold: tuple[str, ...]
    without_raw: int
    seconds: float | None

    def without(self, done: frozenset[str]) -> BackfillPlan:
        """Return the plan without dates that are done."""
        return replace(self, dates=tuple(planned for planned in self.dates if planned.execution_date not in done))


def range_of(first: str, last: str, only: Only | None, from_raw: bool) -> Range:
    """Return the range that a user asked for; without `only`, the default is `missing`, with `from_raw` `changed`.

    Raises:
        UsageError: One of the dates is not valid.
    """
    return Range(
        parse_execution_date(first),
        parse_execution_date(last),
        only or ("changed" if from_raw else "missing"),
        from_raw or only == "rejected",
    )


def require_range(asked: Range) -> None:
    """Require that a range has a date, and that its options agree.

    Raises:
        UsageError: It has no date, or missing dates shall be rebuilt from raw that they do not have.
    """
    if asked.first > asked.last:
        raise UsageError(f"the range {asked.first} to {asked.last} has no date", remedy="give the earlier date first")
    if asked.from_raw and asked.only == "missing":
        raise UsageError(
            "dates that main does not have cannot be rebuilt from its raw",
            remedy="--from-raw with --only changed, rejected or all; or without --from-raw",
        )


def plan_backfill(lake: Lake, settings: Settings, asked: Range, log: Log) -> BackfillPlan:
    """Return what a backfill of a range would do. Nothing is written.

    Raises:
        UsageError: The range has no date, its options do not agree, or the dbt project does not parse.
        PlatformFailed: lakeFS does not answer, or lacks its gate.
    """
    require_range(asked)
    head = require_lake(lake, settings.elt.bucket, settings.project_dir)
    known = frozenset(published_dates(lake, head))
    dates = asked.dates
    held = on_hold(lake, dates) if len(dates) > 1 else frozenset()
    raw = known
    if asked.from_raw:
        raw = known | dates_with_kept_raw(lake)
        if len(dates) == 1 and last_version(lake, asked.first)[1]:
            # A named date that was rolled back off `main` has raw too.
            raw |= {asked.first}
    there = [day for day in dates if day in raw and day not in held]
    reasons: Mapping[str, str]
    match asked.only:
        case "missing":
            reasons = {day: "missing" for day in dates if day not in known and day not in held}
        case "changed":
            reasons = _changed(lake, settings, head, there, log)
        case "rejected":
            reasons = _recoverable(lake, settings, there, log)
        case "all":
            reasons = dict.fromkeys(there if asked.from_raw else (day for day in dates if day not in held), "asked for")
    without_raw = len(set(dates) - raw - held) if asked.from_raw else 0
    return BackfillPlan(
        asked,
        tuple(PlannedDate(day, reasons[day]) for day in sorted(reasons)),
        tuple(sorted(held)),
        without_raw,
        _recent_seconds(lake),
    )


def _changed(lake: Lake, settings: Settings, head: str, dates: list[str], log: Log) -> Mapping[str, str]:
    """Return why dates are out of date, of those that other code has built."""
    plan = make_plan(DateRun(execution_date="", lake=lake, settings=settings, log=log))
    receipts = {keys.date_of_receipt(receipt.key): receipt for receipt in receipts_of(lake, head, dates)}
    missing = {day: "landed and not published" for day in dates if day not in receipts}
    return missing | {day: "built by other code" for day, receipt in receipts.items() if not plan.is_code_of(receipt)}


def _recoverable(lake: Lake, settings: Settings, dates: list[str], log: Log) -> Mapping[str, str]:
    """Return how many rejected rows of each date the current code accepts, in words."""
    found = recoverable_dates(lake, settings, dates, log)
    return {
        day: ", ".join(f"{count:,} rejected rows of {table} are accepted now" for table, count in tables.items())
        for day, tables in found.items()
    }


def _recent_seconds(lake: Lake) -> float | None:
    """Return the median seconds of the latest runs of dates; None if none recorded them."""
    seconds: Iterator[float] = (
        one.seconds for one in publications(lake) if one.execution_date and one.seconds is not None
    )
    recent = list(islice(seconds, _RECENT))
    return median(recent) if recent else None
