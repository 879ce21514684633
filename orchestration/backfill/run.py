"""Run a planned backfill in worker processes of this machine, then build the marts once."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from orchestration.backfill.dates import DateEnd, Order
from orchestration.backfill.journal import Journal
from orchestration.backfill.plan import BackfillPlan
from orchestration.backfill.workers import publish_dates
from orchestration.context import MartsRun, code_version
from orchestration.endpoints import open_lake
from orchestration.errors import IngestCleanError, PlatformFailed
from orchestration.log import Log
from orchestration.marts import run_marts
from orchestration.settings import Settings


@dataclass(frozen=True)
class Backfilled:
    """The result of a backfill.

    Attributes:
        plan: What was planned.
        outcomes: The number of dates by outcome.
        failed: How each failed date ended.
        not_started: The number of dates that were left when the limit of failures was reached.
        more_rows: The rows that superseding versions have more than the versions before them.
        marts: The result of the marts in one line; empty if they were not built.
        marts_failed: The error of the marts; None without one.
    """

    plan: BackfillPlan
    outcomes: Mapping[str, int]
    failed: tuple[DateEnd, ...]
    not_started: int
    more_rows: int
    marts: str
    marts_failed: Mapping[str, str | int | None] | None

    @property
    def exit_code(self) -> int:
        """Return 0 without a failure, the exit code that all failures share, or else that of PlatformFailed."""
        codes = {ended.exit_code for ended in self.failed}
        if self.marts_failed:
            codes.add(int(self.marts_failed["exit_code"] or 0))
        return 0 if not codes else codes.pop() if len(codes) == 1 else PlatformFailed.exit_code


def outcome_of(failed: Sequence[DateEnd]) -> str:
    """Return the outcome that all failed dates share, or else PlatformFailed."""
    outcomes = {end.outcome for end in failed}
    return outcomes.pop() if len(outcomes) == 1 else PlatformFailed.outcome


def run_backfill(
    plan: BackfillPlan,
    settings: Settings,
    log: Log,
    *,
    workers: int,
    max_failures: int | None = None,
    marts: bool = True,
    journal: Journal | None = None,
    on_end: Callable[[DateEnd], object],
) -> Backfilled:
    """Publish the dates of a plan. A date that fails does not stop the others.

    Args:
        plan: The plan.
        settings: The settings, with secrets.
        log: Takes the lines of the marts' run.
        workers: How many processes.
        max_failures: Start no further date after so many failures; default: start all.
        marts: Build the marts once at the end, if any date is published or unchanged.
        journal: Takes the dates that are done, and is deleted if all are.
        on_end: Takes how each date ended.
    """
    origin = {"code_version": settings.elt.code_version or code_version(settings.project_dir)}
    order = Order(settings, plan.asked.from_raw, origin)
    ended: list[DateEnd] = []
    failed: list[DateEnd] = []
    waiting = deque(planned.execution_date for planned in plan.dates)
    not_started = 0
    with closing(publish_dates(order, waiting, workers)) as ends:
        for end in ends:
            ended.append(end)
            if end.exit_code:
                failed.append(end)
            elif journal:
                journal.add(end.execution_date)
            on_end(end)
            if max_failures is not None and len(failed) >= max_failures:
                not_started += len(waiting)
                waiting.clear()
    if journal and not failed and not not_started:
        journal.delete()
    built, marts_failed = _marts(settings, log, origin) if marts and len(ended) > len(failed) else ("", None)
    return Backfilled(
        plan,
        dict(Counter(end.outcome for end in ended)),
        tuple(failed),
        not_started,
        sum(end.more_rows for end in ended),
        built,
        marts_failed.parts() if marts_failed else None,
    )


def _marts(settings: Settings, log: Log, origin: Mapping[str, str]) -> tuple[str, IngestCleanError | None]:
    try:
        return str(run_marts(MartsRun(lake=open_lake(settings), settings=settings, log=log, origin=origin))), None
    except IngestCleanError as error:
        return "", error
