"""Let several publishers fill one lake with thousands of dates; print how fast they are as it grows.

    tools/uv run python -m benchmarks.publishers --dates 1000
    tools/uv run python -m benchmarks.publishers --dates 4000 --publishers 8 --branches 2000

Starts its own lakeFS. One date is published by the pipeline; the others are copies of it with the same protocol: a
branch, the objects, a receipt, a commit, a merge through the gate, and the branch is deleted. At the end, branches are
created that nobody deletes, and one more group of dates shows what they cost.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import TypeVar

import psutil

from benchmarks.day import DAY
from benchmarks.grown_lake import Template, candidate_of, publish_template, run_of
from benchmarks.history import running
from orchestration.endpoints import open_lake
from orchestration.errors import Conflict
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.publish import publish
from orchestration.servers import lakefs, process
from orchestration.settings import Settings
from tests.helpers.own_lake import own_server

T = TypeVar("T")


@dataclass(frozen=True)
class Timed:
    """How long one date took, in seconds, and how often its merge began again."""

    branch: float
    merge: float
    again: int


def publish_copy(lake: Lake, settings: Settings, template: Template, date: str) -> Timed:
    """Publish a copy of the template as a run does. A conflict with another publisher begins again."""
    branch = merge = 0.0
    for again in range(10):
        begun = time.monotonic()
        run, candidate = candidate_of(run_of(lake, settings, date), template)
        written = time.monotonic()
        try:
            publish(run, candidate)
        except Conflict:
            continue
        finally:
            branch, merge = branch + written - begun, merge + time.monotonic() - written
            lake.delete_branch(candidate.branch)
        return Timed(branch, merge, again)
    raise SystemExit(f"{date}: ten conflicts")


def publish_group(dates: Sequence[str], publishers: int, work: Callable[[str], Timed]) -> tuple[float, list[Timed]]:
    """Publish some dates by so many publishers; return the seconds and the times of each date."""
    begun = time.monotonic()
    with ThreadPoolExecutor(publishers) as pool:
        timed = list(pool.map(work, dates))
    return time.monotonic() - begun, timed


def groups(dates: int, size: int) -> Iterator[list[str]]:
    """Yield the dates in groups."""
    days = [str(DAY - timedelta(days=number)) for number in range(1, dates)]
    for start in range(0, len(days), size):
        yield days[start : start + size]


def seconds_of(call: Callable[[], T]) -> float:
    """Return how long a call takes."""
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def leave_branches(lake: Lake, branches: int) -> None:
    """Create branches that nobody deletes, and print how fast."""
    head = lake.head(MAIN)

    def create() -> None:
        for number in range(branches):
            lake.create_branch(f"kept-{number}", head)

    created = seconds_of(create)
    listed = seconds_of(lambda: list(lake.branches()))
    print(f"{branches} branches: {branches / created:.0f} created a second, all listed in {listed:.2f} s")


class Table:
    """Prints one line for each group of dates."""

    def __init__(self, server: psutil.Process) -> None:
        self.server = server
        print(
            f"{'dates':>6}{'branches':>9}{'dates/s':>9}{'branch s':>9}{'merge s':>9}{'p95':>7}{'again':>6}"
            f"{'list dates s':>13}{'lakeFS MB':>10}{'CPU':>6}  load"
        )

    def line(
        self, dates: int, branches: int, listed: float, seconds: float, timed: Sequence[Timed], cpu: float
    ) -> None:
        """Print the figures of a group."""
        merges = [one.merge for one in timed]
        print(
            f"{dates:>6}{branches:>9}{len(timed) / seconds:>9.1f}{median(one.branch for one in timed):>9.3f}"
            f"{median(merges):>9.3f}{quantiles(merges, n=20)[-1]:>7.3f}{sum(one.again for one in timed):>6}"
            f"{listed:>13.2f}{self.server.memory_info().rss / 1e6:>10,.0f}{cpu / seconds:>6.1f}"
            f"  {os.getloadavg()[0]:.1f}",
            flush=True,
        )

    def cpu(self) -> float:
        """Return the CPU seconds that lakeFS has used."""
        used = self.server.cpu_times()
        return used.user + used.system


def main() -> None:
    """Fill the lake, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dates", type=int, default=1_000, help="dates of the lake at the end")
    parser.add_argument("--publishers", type=int, default=8, help="how many publish at a time")
    parser.add_argument("--branches", type=int, default=500, help="further branches at the end")
    parser.add_argument("--group", type=int, default=500, help="dates of a line of the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), 100) as settings:
        lake = open_lake(settings)
        init_lake(lake, settings.elt.bucket, settings.project_dir, SILENT)
        template = publish_template(lake, settings)
        found = process.running(own_server(lakefs.SPEC, settings.state_dir).pid_file)
        assert found
        table = Table(psutil.Process(found.pid))
        published = 1
        branches = 0
        every = list(groups(options.dates + options.group, options.group))
        for dates in every:
            if dates is every[-1]:
                branches = options.branches
                leave_branches(lake, branches)
            before = table.cpu()
            seconds, timed = publish_group(
                dates, options.publishers, lambda date: publish_copy(lake, settings, template, date)
            )
            published += len(dates)
            listed = seconds_of(lambda: list(lake.objects(MAIN, keys.RECEIPTS)))
            table.line(published, branches, listed, seconds, timed, table.cpu() - before)


if __name__ == "__main__":
    main()
