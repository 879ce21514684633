"""Publish the same days on DuckDB, on Spark in one process, and on a Spark cluster; print time and memory.

    make setup-spark
    tools/uv run --no-sync python -m benchmarks.spark --rows 200000 2000000

Each case runs by `elt run` in a process of its own, on a new date, against servers of the benchmark's
own. The cluster has a master and two workers of one core each, on this machine. A day has pages of 50,000 events.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from benchmarks.compare.measure import Peak, measure, process_tree, resident
from benchmarks.compare.stage import Stage, open_stage
from benchmarks.large_input import Case, published_by, source_of
from benchmarks.run import ELT
from tests.spark.cluster import Cluster, running_cluster

_PAGE = 50_000
_HOST = "127.0.0.1"
_ENGINES: Mapping[str, Mapping[str, str]] = {
    "duckdb": {},
    "spark, this process": {"ELT_ENGINE": "spark"},
    "spark, cluster": {"ELT_ENGINE": "spark", "SPARK_LOCAL_IP": _HOST, "SPARK_LOCAL_HOSTNAME": _HOST},
}


def run_day(rows: int, stage: Stage, cluster: Cluster, rounds: int) -> None:
    """Publish a day on each engine, and print a line for each run."""
    with source_of(Case(rows, page_size=_PAGE), stage) as (project, url, size):
        for _ in range(rounds):
            for name, variables in _ENGINES.items():
                own = {"SPARK_MASTER_URL": cluster.url} if "cluster" in name else {}
                environment = {**stage.environment, "ELT_PROJECT_DIR": str(project), "SHOP_API_URL": url}
                _run(name, rows, size, {**environment, **variables, **own}, stage, cluster, project)


def _run(
    name: str, rows: int, size: int, environment: Mapping[str, str], stage: Stage, cluster: Cluster, project: Path
) -> None:
    workers = Peak(lambda: sum(resident(process_tree(worker.pid)) for worker in cluster.workers), 0.5)
    try:
        done = measure((*ELT, "run", stage.next_date(), "--run-type", "backfill", "--json"), environment, project)
    finally:
        peak = workers.stop()
    used = f"{peak / 1e6:>12,.0f}" if "cluster" in name else f"{'':>12}"
    print(
        f"{rows:>12,}{size / 1e6:>9,.0f}  {name:<22}{done.seconds:>9.1f}{done.peak / 1e6:>9,.0f}{used}"
        f"  {published_by(done)}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main() -> None:
    """Publish the days, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=int, default=[200_000, 2_000_000], help="events of each day")
    parser.add_argument("--rounds", type=int, default=1, help="how often each day is published on each engine")
    options = parser.parse_args()
    print(f"{'rows':>12}{'raw MB':>9}  {'engine':<22}{'seconds':>9}{'peak MB':>9}{'workers MB':>12}  published")
    with ExitStack() as servers:
        stage = servers.enter_context(open_stage())
        folder = stage.folder / "cluster"
        folder.mkdir()
        cluster = servers.enter_context(running_cluster(folder, memory="2g"))
        for rows in options.rows:
            run_day(rows, stage, cluster, options.rounds)


if __name__ == "__main__":
    main()
