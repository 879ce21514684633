"""Backfill a year that is killed twice on the way: the command by SIGKILL, and lakeFS under a second command.

    tools/uv run python -m benchmarks.killed_backfill --dates 365

Starts a lakeFS of its own. Prints how each command ended, whether each date was published once, what the audit found,
and the seconds between two publications, for the first and the last 30 dates.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from benchmarks.day import DAY
from benchmarks.fresh_lake import fresh_lake
from orchestration.lake.client import MAIN, Lake
from orchestration.operations.audit import audit_main

_SOME = 30


def main() -> None:
    """Run the three commands, and print what is on `main` then."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dates", type=int, default=365, help="how many dates")
    parser.add_argument("--rows", type=int, default=1_000, help="events of a date")
    options = parser.parse_args()
    with fresh_lake(options.rows) as fresh:
        third = options.dates // 3
        begun = time.monotonic()
        _backfill("killed", options.dates, third, subprocess.Popen.kill)
        _backfill("lakeFS killed and restarted", options.dates, third, lambda _: fresh.server.crash())
        _backfill("to the end", options.dates)
        print(f"in all {time.monotonic() - begun:.0f} s")
        _report(fresh.lake, fresh.project, options.dates)


def _backfill(
    name: str, dates: int, after: int = 0, fault: Callable[[subprocess.Popen[str]], None] | None = None
) -> None:
    """Run one command, with a fault after so many dates."""
    begun, ended = time.monotonic(), 0
    first, last = str(DAY - timedelta(days=dates - 1)), str(DAY)
    command = [sys.executable, "-m", "orchestration", "backfill", first, last, "--yes", "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            if " published: " in line or "Failed" in line:
                ended += 1
                if fault and ended == after:
                    fault(process)
    print(f"{name}: {ended} dates ended, exit {process.returncode}, {time.monotonic() - begun:.0f} s", flush=True)
    # Workers that lost their parent end at their next date.
    time.sleep(10)


def _report(lake: Lake, project: Path, dates: int) -> None:
    merges = [commit for commit in reversed(tuple(lake.log(MAIN))) if commit.metadata.get("execution_date")]
    times = Counter(commit.metadata["execution_date"] for commit in merges)
    begun = time.monotonic()
    audited = audit_main(lake)
    print(
        f"{len(times)} of {dates} dates on main, {sum(count == 1 for count in times.values())} published once; audit: "
        f"{len(audited.findings)} findings in {time.monotonic() - begun:.1f} s"
    )
    created = [commit.created for commit in merges]
    for label, some in (("first", created[:_SOME]), ("last", created[-_SOME:])):
        print(f"{label} {len(some)}: a date every {(some[-1] - some[0]) / (len(some) - 1):.2f} s")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
