"""Backfill many small dates; print the seconds of a date, of the first and the last 30, and the memory of the workers.

    tools/uv run python -m benchmarks.backfill --dates 365 --rows 1000 --workers 2

It starts a lakeFS of its own. One day is generated first and served for every date, so the source takes almost no
time. Afterwards it rebuilds the same dates from raw with changed models, if `--from-raw` is given.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import mean, median

import psutil

from benchmarks.day import DAY
from benchmarks.fresh_lake import fresh_lake
from orchestration.backfill.dates import DateEnd
from orchestration.backfill.plan import Only, Range, plan_backfill
from orchestration.backfill.run import Backfilled, run_backfill
from orchestration.endpoints import open_lake
from orchestration.log import SILENT
from orchestration.settings import read_settings


@dataclass
class Seen:
    """What was seen while a backfill ran: the end of each date, and the workers' memory at that time, in bytes."""

    begun: float = field(default_factory=time.monotonic)
    ends: list[tuple[float, DateEnd]] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)

    def on_end(self, end: DateEnd) -> None:
        """Note that a date ended."""
        self.ends.append((time.monotonic() - self.begun, end))
        workers = psutil.Process().children()
        self.memory.append(max((worker.memory_info().rss for worker in workers if _works(worker)), default=0))


def _works(process: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:
        return False


def main() -> None:
    """Run the backfill, and print one line per figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dates", type=int, default=365, help="how many dates")
    parser.add_argument("--rows", type=int, default=1_000, help="events of a date")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--from-raw", action="store_true", help="afterwards rebuild all dates with changed models")
    options = parser.parse_args()
    with fresh_lake(options.rows) as fresh:
        _report("fetched", options.workers, *_backfill(options.dates, options.workers, "missing", False))
        if options.from_raw:
            model = fresh.project / "models/staging/shop/stg_shop__events.sql"
            model.write_text(f"-- changed\n{model.read_text()}")
            _report("from raw", options.workers, *_backfill(options.dates, options.workers, "changed", True))


def _backfill(dates: int, workers: int, only: Only, from_raw: bool) -> tuple[Backfilled, Seen, float]:
    settings = read_settings()
    asked = Range(str(DAY - timedelta(days=dates - 1)), str(DAY), only, from_raw)
    seen = Seen()
    plan = plan_backfill(open_lake(settings), settings, asked, SILENT)
    done = run_backfill(plan, settings, SILENT, workers=workers, on_end=seen.on_end)
    return done, seen, time.monotonic() - seen.begun


def _report(name: str, workers: int, done: Backfilled, seen: Seen, whole: float) -> None:
    at = [moment for moment, _ in seen.ends]
    count = len(at)
    few = min(30, count // 3)
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in done.outcomes.items())
    print(f"{name}: {outcomes}, {workers} workers, load {os.getloadavg()[0]:.1f}")
    print(f"  with plan, start and marts        {whole / count:8.2f} s a date   ({whole:.0f} s)")
    # Without the start of the workers, which ends with their first dates.
    first, last = (at[workers + few - 1] - at[workers - 1]) / few, (at[-1] - at[-1 - few]) / few
    print(f"  dates {workers + 1} to {workers + few}                   {first:8.2f} s a date")
    print(f"  last {few} dates                     {last:8.2f} s a date   (ratio {last / first:.2f})")
    print(f"  one run of a date, median         {median(end.seconds for _, end in seen.ends):8.2f} s")
    print(f"  memory of the largest worker, first and last {few}: ", end="")
    print(f"{mean(seen.memory[:few]) / 1e6:.0f} MB, {mean(seen.memory[-few - 2 : -2]) / 1e6:.0f} MB")
    for failed in done.failed[:3]:
        print(f"  failed: {failed.message}")


if __name__ == "__main__":
    main()
