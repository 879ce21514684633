"""Publish the dates of a backfill one after the other, in one process that parses the project once."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration.context import DateRun, RunRecord
from orchestration.endpoints import open_lake
from orchestration.errors import Cancelled, IngestCleanError, PlatformFailed
from orchestration.log import Log
from orchestration.plan import Plan, make_plan
from orchestration.run import PLAIN_STEPS, DateSteps, run_date
from orchestration.settings import Settings
from orchestration.time_limit import time_limit


@dataclass(frozen=True)
class Order:
    """What the dates of a backfill have in common.

    Attributes:
        settings: The settings, with secrets.
        from_raw: Rebuild the dates from raw that has landed, and fetch nothing.
        origin: Commit metadata about the origin of the runs.
    """

    settings: Settings
    from_raw: bool = False
    origin: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DateEnd:
    """How the run of one date ended.

    Attributes:
        execution_date: The date.
        outcome: `published`, `superseded`, `unchanged`, or the outcome of an error.
        message: The result in one line, or the error with its remedy.
        exit_code: That of the error; 0 without one.
        seconds: How long the run took.
        rows: Curated rows by table; empty after an error.
        rows_before: The same of the version that `main` had before; empty without one.
        warnings: What the run warned of.
    """

    execution_date: str
    outcome: str
    message: str
    exit_code: int
    seconds: float
    rows: Mapping[str, int] = field(default_factory=dict)
    rows_before: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def more_rows(self) -> int:
        """Return how many rows a superseding version has more than the one before; 0 for any other outcome."""
        return sum(self.rows.values()) - sum(self.rows_before.values()) if self.outcome == "superseded" else 0


class Dates:
    """Publishes dates under the code that the first of them was planned with."""

    def __init__(self, order: Order, steps: DateSteps = PLAIN_STEPS) -> None:
        self._order = order
        self._steps = steps
        self._lake = open_lake(order.settings)
        self._plan: Plan | None = None

    def publish(self, execution_date: str, log: Log | None = None) -> DateEnd:
        """Run one date, and return how it ended.

        Args:
            execution_date: The date.
            log: Takes the lines of the run; default: only warnings are kept, for the result.

        Raises:
            Cancelled: The process was interrupted. No other error is raised.
        """
        warned = _Warnings()
        run = self._run(execution_date, log or warned.log)
        begun = time.monotonic()
        try:
            with time_limit(run.settings.elt.run_timeout):
                self._plan = self._plan or make_plan(run)
                result = run_date(run, self._steps, self._plan.of_date(execution_date))
        except Cancelled:
            raise
        except Exception as raised:
            error = raised if isinstance(raised, IngestCleanError) else _unexpected(raised)
            error.subject = error.subject or execution_date
            spent = time.monotonic() - begun
            return DateEnd(execution_date, error.outcome, error.describe(), error.exit_code, spent, warnings=warned.all)
        former = run.record.former
        return DateEnd(
            execution_date,
            result.outcome,
            str(result),
            0,
            time.monotonic() - begun,
            result.rows,
            former.rows if former else {},
            warned.all,
        )

    def _run(self, execution_date: str, log: Log) -> DateRun:
        return DateRun(
            execution_date=execution_date,
            lake=self._lake,
            settings=self._order.settings,
            log=log,
            run_type="backfill",
            from_raw=self._order.from_raw,
            origin=self._order.origin,
            record=RunRecord(),
        )


class _Warnings(logging.Handler):
    """Keeps the warnings of one run."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: list[str] = []
        self.log = logging.Logger("backfill", logging.WARNING)
        self.log.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(self._lines)


def _unexpected(error: Exception) -> IngestCleanError:
    return PlatformFailed(f"{type(error).__name__}: {error}")
