"""Measure what commands cost on a lake with a long history, against a lake with one date on the same server.

    tools/uv run python -m benchmarks.history --dates 365
    tools/uv run python -m benchmarks.history --dates 3650 --keep lake

Starts its own lakeFS and grows a lake. Each turn runs every command on both lakes, one after the other, so that other
work on the machine slows both. Prints the medians in seconds, the seconds of CPU that the command and lakeFS used, how
many requests each command made, and the load. With --keep, the folder keeps the grown lake: an interrupted growth goes
on, and the next call measures at once.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import TypeVar

import psutil

from benchmarks.day import DAY, fetched_as, serving, write_day
from benchmarks.grown_lake import grow, publish_template, run_of
from examples.events_api.forms import MEDIA_TYPES
from orchestration.analyst.query import query
from orchestration.endpoints import open_lake
from orchestration.lake.cache import ObjectCache
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.history import publications
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.operations.audit import audit_main
from orchestration.operations.rollback import Rollback, plan_rollback, plan_rollback_of_date, roll_back
from orchestration.operations.versions import versions_of
from orchestration.run import run_date
from orchestration.servers import lakefs, process
from orchestration.settings import Settings, read_settings
from tests.helpers.own_lake import own_server
from tests.helpers.projects import copy_project

REPOSITORIES = {"one date": "one-date", "grown": "grown"}
REQUESTS = {"/commits": "pages of the log", "/objects/ls": "pages of listings", "/objects": "objects read"}
T = TypeVar("T")
ONE_DATE = f"select count(*) from events where _execution_date = '{DAY}'"


Figures = dict[str, dict[str, list[float]]]
"""What was measured in each turn, by command and lake."""


def _figures() -> Figures:
    return defaultdict(lambda: defaultdict(list))


@dataclass
class Measured:
    """Seconds and seconds of CPU of each command, and the requests that one call made, by command and lake."""

    server: psutil.Process
    seconds: Figures = field(default_factory=_figures)
    cpu: Figures = field(default_factory=_figures)
    requests: dict[str, dict[str, Counter[str]]] = field(default_factory=lambda: defaultdict(dict))

    def of(self, name: str, lake_name: str, lake: Lake, command: Callable[[], T]) -> T:
        """Measure one call of a command, and return its result."""
        with counting(lake) as requests:
            cpu, begun = self._cpu(), time.monotonic()
            result = command()
            self.seconds[name][lake_name].append(time.monotonic() - begun)
            self.cpu[name][lake_name].append(self._cpu() - cpu)
        self.requests[name][lake_name] = requests
        return result

    def _cpu(self) -> float:
        used = self.server.cpu_times()
        return time.process_time() + used.user + used.system


@contextmanager
def counting(lake: Lake) -> Iterator[Counter[str]]:
    """Count the requests to lakeFS's API by kind; DuckDB's are not among them."""
    found: Counter[str] = Counter()

    def counted(method: str, url: object) -> None:
        path = str(url).partition("?")[0]
        kind = next((name for end, name in REQUESTS.items() if method == "GET" and path.endswith(end)), "others")
        found[kind] += 1

    rest = lake.connection.sdk.rest_client
    request = rest.request

    def through_sdk(method: str, url: str, **further: object) -> object:
        counted(method, url)
        return request(method, url, **further)

    rest.request = through_sdk
    hooks = lake.connection.http.event_hooks
    lake.connection.http.event_hooks = {"request": [lambda sent: counted(sent.method, sent.url)]}
    try:
        yield found
    finally:
        del rest.request
        lake.connection.http.event_hooks = hooks


@contextmanager
def running(folder: Path, rows: int) -> Iterator[Settings]:
    """Run a lakeFS, and a source with so many events a date. Yield settings of a project for both."""
    project = folder / "project"
    if not project.exists():
        project.mkdir(parents=True)
        fetched_as("ndjson", copy_project(project))
    write_day(rows, "ndjson", project)
    server = own_server(lakefs.SPEC, folder / "state")
    server.start(SILENT)
    try:
        server.wait(SILENT)
        with serving(project, MEDIA_TYPES["ndjson"]) as url:
            os.environ |= {
                "ELT_PROJECT_DIR": str(project),
                "ELT_STATE_DIR": str(folder / "state"),
                "SHOP_API_URL": url,
            }
            yield read_settings()
    finally:
        server.stop(SILENT)


def prepare(settings: Settings, dates: int) -> dict[str, Lake]:
    """Return a lake with one date and one with so many."""
    connection = open_lake(settings).connection
    cache = ObjectCache(settings.state_dir / "receipts")
    lakes = {name: Lake(connection, repository, cache) for name, repository in REPOSITORIES.items()}
    for lake in lakes.values():
        init_lake(lake, settings.elt.bucket, settings.project_dir, SILENT)
        template = publish_template(lake, settings)
    begun = time.monotonic()
    number = 0
    for number, day in enumerate(grow(lakes["grown"], settings, template, dates), 1):
        if not number % 100:
            print(f"{day}: {number} dates in {time.monotonic() - begun:.0f} s", flush=True)
    if number:
        print(f"grown by {number} dates, {(time.monotonic() - begun) / number:.2f} s a date")
    return lakes


def measure(settings: Settings, lakes: dict[str, Lake], times: int, only: Sequence[str]) -> Measured:
    """Run the commands on both lakes in turn. The first turn is not measured: it parses and imports."""
    server = own_server(lakefs.SPEC, settings.state_dir)
    running = process.running(server.pid_file)
    assert running
    new_dates = (str(DAY + timedelta(days=number)) for number in count(1))
    measured = Measured(psutil.Process(running.pid))
    for turn in range(times + 1):
        if turn == 1:
            measured = Measured(measured.server)
        day = next(date for date in new_dates if not any(list(versions_of(lake, date)) for lake in lakes.values()))
        chosen = {name: command for name, command in _commands(settings, day).items() if _is_chosen(name, only)}
        for name, command in chosen.items():
            for of, lake in lakes.items():
                measured.of(name, of, lake, lambda command=command, lake=lake: command(lake))  # type: ignore[misc]
        for of, lake in lakes.items() if _is_chosen("elt rollback", only) else ():
            # Without a cache, as on a machine that has read no receipt.
            _measure_rollbacks(settings, Lake(lake.connection, lake.repository), of, measured)
    return measured


def _is_chosen(name: str, only: Sequence[str]) -> bool:
    return not only or any(text in name for text in only)


def _commands(settings: Settings, new: str) -> dict[str, Callable[[Lake], object]]:
    day = str(DAY)

    def sql_without_cache(lake: Lake) -> None:
        with tempfile.TemporaryDirectory() as folder:
            query(Lake(lake.connection, lake.repository, ObjectCache(Path(folder))), ONE_DATE)

    return {
        "elt run": lambda lake: run_date(run_of(lake, settings, new)),
        "elt log": lambda lake: list(islice(publications(lake), 20)),
        "elt log --date": lambda lake: list(publications(lake, execution_date=day)),
        "elt show": lambda lake: list(versions_of(lake, day)),
        "elt sql, one date": lambda lake: query(lake, ONE_DATE),
        "elt sql, first on a machine": sql_without_cache,
        "elt audit": lambda lake: audit_main(lake),
    }


def _measure_rollbacks(settings: Settings, lake: Lake, of: str, measured: Measured) -> None:
    """Measure rollbacks to the middle of the history and of one date, and undo both."""

    def back(plan: Rollback) -> object:
        return roll_back(lake, plan, settings, "benchmark")

    head, day = lake.head(MAIN), str(DAY)
    if of == "grown":
        history = list(lake.log(MAIN))
        middle = history[len(history) // 2].id
        plan = measured.of("elt rollback --to, plan", of, lake, lambda: plan_rollback(lake, middle))
        measured.of("elt rollback --to", of, lake, lambda: back(plan))
        back(plan_rollback(lake, head))
    plan = measured.of("elt rollback --date, plan", of, lake, lambda: plan_rollback_of_date(lake, day))
    measured.of("elt rollback --date", of, lake, lambda: back(plan))
    back(plan_rollback_of_date(lake, day))


def report(measured: Measured) -> None:
    """Print one line for each command."""
    for what, figures in (("seconds", measured.seconds), ("seconds of CPU", measured.cpu)):
        print(f"\n{what:<40}{'one date':>10}{'grown':>10}{'more':>10}{'ratio':>8}")
        for name, by_lake in figures.items():
            one, grown = (median(by_lake[of]) if by_lake[of] else 0.0 for of in REPOSITORIES)
            against = f"{one:>10.2f}{grown:>10.2f}{grown - one:>10.2f}{grown / one:>8.2f}" if one else f"{grown:>20.2f}"
            print(f"{name:<40}{against}")
    kinds = (*REQUESTS.values(), "others")
    print(f"\n{'requests, one date / grown':<40}" + "".join(f"{kind:>20}" for kind in kinds))
    for name, requests in measured.requests.items():
        counts = ("/".join(str(requests[of][kind]) for of in REPOSITORIES if of in requests) for kind in kinds)
        print(f"{name:<40}" + "".join(f"{numbers:>20}" for numbers in counts))


def main() -> None:
    """Grow a lake, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dates", type=int, default=365, help="dates of the grown lake")
    parser.add_argument("--rows", type=int, default=100, help="events of a date")
    parser.add_argument("--times", type=int, default=5, help="measured turns")
    parser.add_argument("--only", nargs="+", default=(), metavar="TEXT", help="commands with such a text in their name")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the lake there; default: it is deleted")
    options = parser.parse_args()
    kept = nullcontext(str(options.keep.resolve())) if options.keep else tempfile.TemporaryDirectory()
    with kept as folder, running(Path(folder), options.rows) as settings:
        lakes = prepare(settings, options.dates)
        objects = sum(1 for _ in lakes["grown"].objects(MAIN))
        print(f"the grown lake: {objects:,} objects; load {os.getloadavg()[0]:.1f}", flush=True)
        measured = measure(settings, lakes, options.times, options.only)
        report(measured)
        print(f"\nload {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
