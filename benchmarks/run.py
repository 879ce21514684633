"""Publish one synthetic day of any size by `elt run`; print the seconds of each step and the peak memory.

    tools/uv run elt up
    tools/uv run python -m benchmarks.run --rows 2000000 --form ndjson

The day is generated first and served from a file, so the source takes almost no time. Each run publishes it under
another date into a repository made for the purpose, which `elt down --purge` removes with the rest. The first run
parses the dbt project; the figures are the medians of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.day import DAY, fetched_as, serving, write_day
from examples.events_api.forms import MEDIA_TYPES
from orchestration.settings import read_settings
from tests.helpers.projects import copy_project

ELT = (sys.executable, "-m", "orchestration")
_STEP = re.compile(r"\b(plan|extract|land|transform|audit|publish): ([0-9.]+) s$", re.MULTILINE)


def main() -> None:
    """Make the day, publish it several times, and print one line per step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000, help="events of the day, about 245 bytes each")
    parser.add_argument("--form", choices=("array", "ndjson"), default="ndjson", help="how the source sends them")
    parser.add_argument("--run-type", choices=("daily", "backfill"), default="backfill", help="as for elt run")
    parser.add_argument("--times", type=int, default=4, help="runs; the first is reported separately")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = fetched_as(options.form, copy_project(Path(folder)))
        size = write_day(options.rows, options.form, project)
        with serving(project, MEDIA_TYPES[options.form]) as url:
            environment = {
                **os.environ,
                "ELT_PROJECT_DIR": str(project),
                "ELT_STATE_DIR": str(read_settings().state_dir),
                "ELT_REPOSITORY": f"bench-{secrets.token_hex(4)}",
                "SHOP_API_URL": url,
            }
            subprocess.run([*ELT, "init"], env=environment, check=True, capture_output=True)
            days = (str(DAY + timedelta(days=number)) for number in range(options.times))
            runs = [_run(environment, day, options.run_type) for day in days]
    print(f"{options.rows:,} rows, {size / 1e6:,.1f} MB of {options.form}, {options.run_type}: {runs[0]['rows']}")
    for name in (name for name in runs[-1] if name != "rows"):
        later = median(float(run[name]) for run in runs[1:] or runs)
        print(f"{name:<12}{later:>9.2f}   (first run {float(runs[0][name]):.2f})")


def steps_of(log: str) -> dict[str, float]:
    """Return the seconds of each step from the progress lines of `elt run`."""
    return {name: float(value) for name, value in _STEP.findall(log)}


def _run(environment: dict[str, str], day: str, run_type: str) -> dict[str, float | str]:
    """Run `elt run` in a separate process and return its steps' seconds, its wall time and its peak memory."""
    command = [*ELT, "run", day, "--run-type", run_type, "--json"]
    begun = time.monotonic()
    with (
        tempfile.TemporaryFile("w+") as log_file,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log_file, text=True) as run,
    ):
        assert run.stdout is not None
        output = run.stdout.read()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begun
        log_file.seek(0)
        log = log_file.read()
    if run.returncode:
        sys.exit(log)
    steps = steps_of(log)
    peak = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    rows = json.loads(output)["rows"]
    return {
        "rows": ", ".join(f"{table} {count:,}" for table, count in rows.items()) + " published",
        **steps,
        "steps (s)": sum(steps.values()),
        "whole (s)": seconds,
        "peak (MB)": peak / 1e6,
    }


if __name__ == "__main__":
    main()
