"""Measure what marts and readers cost with more and more dates, and what a date costs beside them.

    tools/uv run python -m benchmarks.marts --dates 30 365
    tools/uv run python -m benchmarks.marts --dates 30 365 3650 --rows 2000 --keep lake --before ../older-checkout
    tools/uv run --no-sync python -m benchmarks.marts --dates 30 365 --engine spark

Starts its own lakeFS. At each size, every command runs in a process of its own, which prints its seconds without
imports. The peak memory is that of the process and its children. With --before, the commands of another checkout run
on the same lake. With --engine spark, only the marts are measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from contextlib import nullcontext
from datetime import timedelta
from itertools import count
from pathlib import Path

import duckdb

from benchmarks.compare.measure import measure
from benchmarks.day import DAY, fetched_as
from benchmarks.grown_lake import Template, grow, publish_template
from benchmarks.history import running
from orchestration.endpoints import open_lake
from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.settings import ENGINES, PROJECT_DIR, Settings
from orchestration.sql import literal

_PRELUDE = """
import json, sys, time
from orchestration.analyst.query import query
from orchestration.context import DateRun, MartsRun
from orchestration.eda.profile import profile
from orchestration.endpoints import open_lake
from orchestration.lake.client import Lake
from orchestration.log import SILENT
from orchestration.marts import run_marts
from orchestration.run import run_date
from orchestration.settings import read_settings

settings = read_settings()
lake = open_lake(settings)
begun = time.monotonic()
{command}
print()
print(json.dumps(time.monotonic() - begun))
"""
_MARTS = "run_marts(MartsRun(lake=lake, settings=settings, log=SILENT, force={full}))"
AFTER_A_DATE = "elt marts, after a new date"
MARTS = {"elt marts --full": _MARTS.format(full=True), AFTER_A_DATE: _MARTS.format(full=False)}
COMMANDS = {
    **MARTS,
    "elt run": "run_date(DateRun(execution_date=sys.argv[1], lake=lake, settings=settings, log=SILENT))",
    "elt sql, a mart": "query(lake, 'select sum(revenue) from daily_sales')",
    "elt sql, events of all dates": "query(lake, 'select count(*), sum(price) from events')",
    "elt sql, first on a machine": "query(Lake(lake.connection, lake.repository), 'select count(*) from events')",
    "elt report": "profile(lake, 'main')",
}
"""What is measured, in this order: the first command leaves marts for the second."""


class DistinctDates(Template):
    """A template whose copies have events of their own, as the dates of a shop do."""

    def bodies_of(self, execution_date: str) -> dict[str, bytes]:
        """Return the objects of a copy by their key."""
        bodies = super().bodies_of(execution_date)
        key = keys.curated("events", execution_date)
        with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
            before, after = Path(folder, "before.parquet"), Path(folder, "after.parquet")
            before.write_bytes(bodies[key])
            renamed = f"md5(event_id || {literal(execution_date)}) as event_id"
            connection.execute("set timezone = 'UTC'")
            connection.execute(
                f"copy (select * replace ({renamed}) from {literal(str(before))} order by event_id) "
                f"to {literal(str(after))} (format parquet, compression snappy)"
            )
            return {**bodies, key: after.read_bytes()}


def prepare(settings: Settings) -> tuple[Lake, Template]:
    """Return the lake, with one date, and that date as a template."""
    lake = open_lake(settings)
    init_lake(lake, settings.elt.bucket, settings.project_dir, SILENT)
    template = publish_template(lake, settings)
    return lake, DistinctDates(template.receipt, template.bodies)


def grow_to(lake: Lake, settings: Settings, template: Template, dates: int) -> None:
    """Publish copies until the lake has so many dates, not counting those that `elt run` published."""
    for _ in grow(lake, settings, template, dates):
        pass


def project_of(checkout: Path, folder: Path) -> Path:
    """Return a copy of a checkout's project that fetches what the source of the benchmark sends."""
    ignored = shutil.ignore_patterns(".*", "target", "benchmarks", "tests")
    return fetched_as("ndjson", Path(shutil.copytree(checkout, folder, ignore=ignored)))


def measured(command: str, date: str, checkout: Path, project: str, engine: str) -> tuple[float, int]:
    """Run a command of a checkout on a project; return its seconds and its peak memory in bytes."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "ELT_PROJECT_DIR": project, "ELT_ENGINE": engine}
    done = measure([sys.executable, "-c", _PRELUDE.format(command=command), date], environment, checkout)
    if done.code:
        raise SystemExit(f"{command} failed:\n{done.log}")
    return float(json.loads(done.output.splitlines()[-1])), done.peak


def main() -> None:
    """Grow a lake to each size, run the commands, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dates", type=int, nargs="+", default=(30, 365), help="sizes of the lake, ascending")
    parser.add_argument("--rows", type=int, default=2_000, help="events of a date")
    parser.add_argument("--before", type=Path, metavar="FOLDER", help="an older checkout, measured on the same lake")
    parser.add_argument("--engine", choices=ENGINES, default="duckdb", help="the engine of the marts")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the lake there; default: it is deleted")
    options = parser.parse_args()
    if options.before and options.engine == "spark":
        parser.error("--before is measured on DuckDB, --engine spark is not")
    before = options.before and options.before.resolve()
    kept = nullcontext(str(options.keep.resolve())) if options.keep else tempfile.TemporaryDirectory()
    print(f"{'dates':>6}  {'command':<32}{'checkout':<10}{'seconds':>9}{'peak MB':>9}  load")
    with kept as folder, running(Path(folder), options.rows) as settings:
        lake, template = prepare(settings)
        checkouts = {"now": (PROJECT_DIR, os.environ["ELT_PROJECT_DIR"])}
        if before:
            copy = Path(folder, "project-before")
            shutil.rmtree(copy, ignore_errors=True)
            checkouts = {"before": (before, str(project_of(before, copy))), **checkouts}
        new = count(1)
        if options.engine == "spark":
            # It parses the project for Spark, once.
            measured(MARTS[AFTER_A_DATE], "", *checkouts["now"], options.engine)
        for dates in options.dates:
            grown = count(dates)
            grow_to(lake, settings, template, next(grown))
            for name, (checkout, project) in checkouts.items():
                for command, script in (COMMANDS if options.engine == "duckdb" else MARTS).items():
                    if command == AFTER_A_DATE:
                        grow_to(lake, settings, template, next(grown))
                    seconds, peak = measured(
                        script, str(DAY + timedelta(days=next(new))), checkout, project, options.engine
                    )
                    shown = f"{seconds:>9.2f}{peak / 1e6:>9,.0f}  {os.getloadavg()[0]:.1f}"
                    print(f"{dates:>6}  {command:<32}{name:<10}{shown}", flush=True)


if __name__ == "__main__":
    main()
