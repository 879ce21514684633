"""Measure Prefect's overhead for a small date: as a flow run and without Prefect, in turn, in one process.

    tools/uv run elt up
    tools/uv run python -m benchmarks.prefect_share --rows 1000 --times 8

Prints the medians in seconds. One-time costs of a process, imports and dbt's parse, are excluded.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks.day import DAY, fetched_as, serving, write_day
from examples.events_api.forms import MEDIA_TYPES
from orchestration.context import DateRun
from orchestration.endpoints import open_lake, use_prefect
from orchestration.flows.launch import run_date_flow
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.run import run_date
from orchestration.settings import read_settings
from tests.helpers.projects import copy_project


def main() -> None:
    """Publish dates in four ways in turn, and print the median of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000, help="events of a date")
    parser.add_argument("--times", type=int, default=8, help="dates in each way")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = fetched_as("ndjson", copy_project(Path(folder)))
        write_day(options.rows, "ndjson", project)
        with serving(project, MEDIA_TYPES["ndjson"]) as url:
            state = str(read_settings().state_dir)
            os.environ |= {
                "ELT_PROJECT_DIR": str(project),
                "ELT_STATE_DIR": state,
                "ELT_REPOSITORY": f"bench-{secrets.token_hex(4)}",
                "SHOP_API_URL": url,
            }
            _compare(options.times)


def _compare(times: int) -> None:
    settings = read_settings()
    lake = open_lake(settings)
    init_lake(lake, settings.elt.bucket, settings.project_dir, SILENT)
    use_prefect(settings)
    logging.disable(logging.CRITICAL)

    def plain(day: str) -> None:
        run_date(DateRun(execution_date=day, lake=lake, settings=settings, log=SILENT))

    def flow(run_type: str, *, nodes: bool = False) -> Callable[[str], None]:
        def run(day: str) -> None:
            os.environ["ELT_DBT_TASK_RUNS"] = str(nodes)
            assert run_date_flow(settings, day, run_type, force=False).exit_code == 0

        return run

    ways = {
        "without Prefect": plain,
        "flow run, backfill": flow("backfill"),
        "flow run, daily": flow("daily"),
        "flow run, daily, a task run for each node": flow("daily", nodes=True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    number = 0
    for turn in range(times + 1):
        for name, way in ways.items():
            begun = time.monotonic()
            way(str(DAY + timedelta(days=number)))
            number += 1
            if turn:
                seconds[name].append(time.monotonic() - begun)
    for name, measured in seconds.items():
        print(f"{name:<42}{median(measured):>7.2f}")


if __name__ == "__main__":
    main()
