"""Print where the time of a small date goes inside dbt, for dates that one process publishes one after the other.

    tools/uv run python -m benchmarks.dbt_share --dates 10

Starts a lakeFS of its own. dbt runs nodes in two threads, which share one interpreter lock, so what is marked "threads"
adds up to about twice the seconds that pass.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter, defaultdict
from datetime import timedelta
from importlib import import_module
from typing import Any

from benchmarks.day import DAY
from benchmarks.fresh_lake import fresh_lake
from orchestration.backfill.dates import Dates, Order
from orchestration.settings import read_settings

_BEFORE = 3
"""Dates that are not measured: the first one imports and parses."""

_PARTS = (
    ("orchestration.transform", "build", "the dbt build, with the counts of its results"),
    ("orchestration.dbt_runner.build", "invoke", "the dbt build"),
    ("dbt.task.runnable.GraphRunnableTask", "execute_nodes", "its nodes"),
    ("dbt.task.base.BaseRunner", "compile_and_execute", "nodes, threads"),
    ("dbt.compilation.Compiler", "compile_node", "compiling nodes, threads"),
    ("dbt.clients.jinja", "add_rendered_test_kwargs", "of it the arguments of generic tests, threads"),
    ("dbt.contracts.graph.nodes.ParsedNode", "write_node", "writing compiled SQL, threads"),
    ("dbt.adapters.sql.connections.SQLConnectionManager", "add_query", "queries, threads"),
    ("dbt_common.events.event_manager.EventManager", "fire_event", "log events, threads"),
)


def main() -> None:
    """Publish the dates, and print the seconds and calls of each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dates", type=int, default=10, help="how many dates are measured")
    parser.add_argument("--rows", type=int, default=1_000, help="events of a date")
    options = parser.parse_args()
    seconds: dict[str, float] = defaultdict(float)
    calls: Counter[str] = Counter()
    for place, name, label in _PARTS:
        _measure(place, name, label, seconds, calls)
    with fresh_lake(options.rows):
        dates = Dates(Order(read_settings()))
        for number in range(_BEFORE + options.dates):
            if number == _BEFORE:
                seconds.clear()
                calls.clear()
                begun, cpu = time.monotonic(), time.process_time()
            ended = dates.publish(str(DAY - timedelta(days=number)))
            assert ended.exit_code == 0, ended.message
        spent, used = time.monotonic() - begun, time.process_time() - cpu
    count = options.dates
    print(f"seconds a date {spent / count:.2f}, of CPU {used / count:.2f}, load {os.getloadavg()[0]:.1f}")
    for _, _, label in _PARTS:
        print(f"{label:50} {seconds[label] / count:6.3f}  {calls[label] / count:5.0f} calls")


def _measure(place: str, name: str, label: str, seconds: dict[str, float], calls: Counter[str]) -> None:
    """Add up the seconds and calls of a function of a module or class."""
    try:
        owner: Any = import_module(place)
    except ModuleNotFoundError:
        module, _, kind = place.rpartition(".")
        owner = getattr(import_module(module), kind)
    function = getattr(owner, name)

    def measured(*arguments: Any, **named: Any) -> Any:
        begun = time.monotonic()
        try:
            return function(*arguments, **named)
        finally:
            seconds[label] += time.monotonic() - begun
            calls[label] += 1

    setattr(owner, name, measured)


if __name__ == "__main__":
    main()
