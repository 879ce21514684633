"""lakeFS, Prefect or the run itself is killed: what `main` has then, and whether running again succeeds."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from examples.events_api import Options, create_app, serving
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import read_receipt
from orchestration.log import SILENT
from orchestration.servers import prefect
from orchestration.servers.background import LocalServer
from tests.helpers.elt_runs import Ended, prefect_environment
from tests.helpers.matrix import LONG_TIMEOUT, Bench, open_bench, require_published_once, require_recovery
from tests.helpers.own_lake import (
    OwnLake,
    elt,
    end_of,
    kill,
    own_lake,
    own_server,
    repository_of,
)
from tests.helpers.pipeline import publications_of, require_whole
from tests.helpers.projects import copy_project, fetched_in_pages

MOMENT = 0.003
"""Seconds after the start of a request; lakeFS takes 5 to 25 ms to put, commit or merge."""


class Shop:
    """The sample API; a test may call an action during a request."""

    def __init__(self) -> None:
        self._api: ASGIApp = create_app(Options(rows=200, form="envelope", paging="page", page_size=100))
        self.actions: list[Callable[[], None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.actions:
            self.actions.pop()()
        await self._api(scope, receive, send)


@pytest.fixture(scope="module")
def own(prefect_killed: Future[PrefectKilled], tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnLake]:
    with own_lake(tmp_path_factory.mktemp("crashes")) as own:
        yield own


@pytest.fixture(scope="module")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="module")
def bench(own: OwnLake, shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    project = fetched_in_pages(copy_project(tmp_path_factory.mktemp("project")))
    with (
        serving(shop) as url,
        repository_of(own.access, "project") as lake,
        open_bench(lake, project, url, date(2001, 1, 1)) as bench,
    ):
        yield bench


@dataclass(frozen=True)
class PrefectKilled:
    """A run whose Prefect server was killed, what `main` had then, and a run after the server's restart."""

    date: str
    url: str
    ended: Ended
    published: bool
    again: Ended
    times: int


@pytest.fixture(scope="module")
def prefect_killed(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[PrefectKilled]]:
    """Makes both runs in parallel with the other tests of this module, because they mostly wait."""
    folder = tmp_path_factory.mktemp("prefect-killed")
    server = own_server(prefect.SPEC, folder)
    with (
        serving(create_app(Options(rows=200))) as shop,
        open_bench(lake, copy_project(folder), shop, date(2018, 1, 1)) as bench,
        ThreadPoolExecutor(1) as pool,
    ):
        try:
            yield pool.submit(kill_prefect, server, bench, folder)
        finally:
            pool.shutdown()
            server.stop(SILENT)


def kill_prefect(server: LocalServer, bench: Bench, folder: Path) -> PrefectKilled:
    """Runs a date, kills Prefect during the run, and runs the date again; without retries, which take 8 s a request."""
    execution_date = next(bench.dates)
    server.start(SILENT)
    url = str(server.wait(SILENT).url)
    of_prefect = {**prefect_environment(server), "PREFECT_CLIENT_MAX_RETRIES": "0"}
    environment = {**bench.pipeline.environment, **LONG_TIMEOUT, **of_prefect}
    with (
        elt("run", execution_date, folder=folder, environment=environment) as running,
        bench.call_before("PUT", "/curated/", lambda: kill(server)),
    ):
        ended = end_of(running, execution_date)
    published = require_whole(bench.lake, execution_date)
    server.start(SILENT)
    server.wait(SILENT)
    with elt("run", execution_date, folder=folder, environment=environment) as running:
        again = end_of(running, execution_date)
    return PrefectKilled(execution_date, url, ended, published, again, publications_of(bench.lake, execution_date))


# lakeFS.


@dataclass(frozen=True)
class Moment:
    """When lakeFS is killed: at a request of a method whose path contains `part`, after the first `after` of them.

    `before` lakeFS receives it, `during` its processing, or `after` it, with the response lost.
    """

    method: str
    part: str
    when: Literal["before", "during", "after"]
    after: int = 0


MOMENTS = {
    "pin": Moment("GET", "/commits/main", "before"),
    "decide": Moment("GET", "_receipts", "after"),
    "branch": Moment("POST", "/branches", "after"),
    "land, a page": Moment("POST", "objects?path=raw", "during"),
    "land, the commit": Moment("POST", "/commits", "after"),
    "transform, writing": Moment("PUT", "/curated/events/", "after"),
    "commit": Moment("POST", "/commits", "during", after=1),
    "during the merge": Moment("POST", "/merge/main", "during"),
    "after the merge": Moment("POST", "/merge/main", "after"),
    "delete the branch": Moment("DELETE", "/branches", "after"),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_date_is_whole_or_absent_after_a_crash_of_lakefs_during_a_step(
    own: OwnLake, bench: Bench, moment: Moment
) -> None:
    execution_date = next(bench.dates)
    bench.proxy.reset()
    if moment.when == "during":
        bench.proxy.call = threading.Timer(MOMENT, own.crash).start
        bench.proxy.inject(moment.method, moment.part, "call", after=moment.after)
    else:
        bench.proxy.call = own.crash
        bench.proxy.inject(moment.method, moment.part, "kill", processed=moment.when == "after", after=moment.after)

    ended = bench.pipeline.run(execution_date, **LONG_TIMEOUT)

    assert bench.proxy.hits
    own.wait_for_restart()
    require_recovery(bench, execution_date, ended)


def test_a_date_survives_a_crash_of_lakefs_during_the_fetch(own: OwnLake, bench: Bench, shop: Shop) -> None:
    execution_date = next(bench.dates)
    shop.actions.append(own.crash)

    ended = bench.pipeline.run(execution_date, **LONG_TIMEOUT)

    own.wait_for_restart()
    require_recovery(bench, execution_date, ended)


def test_published_dates_are_unchanged_after_the_crashes(bench: Bench) -> None:
    dates = [merge.metadata["execution_date"] for merge in bench.lake.log(MAIN) if "curated" in merge.metadata]
    for execution_date in dates:
        receipt = read_receipt(bench.lake, MAIN, keys.date_receipt(execution_date))
        assert receipt
        found = {key: hashlib.md5(bench.lake.read(MAIN, key) or b"").hexdigest() for key in receipt.objects}
        assert found == receipt.objects


def test_the_error_names_the_address_of_a_lakefs_that_is_down(own: OwnLake, bench: Bench) -> None:
    execution_date = next(bench.dates)
    endpoint = own.access.endpoint
    kill(own.server)
    try:
        ended = bench.pipeline.run(execution_date, LAKEFS_ENDPOINT=endpoint)
    finally:
        own.start()

    cause, *further = ended.report.splitlines()
    assert ended.outcome == "PlatformFailed"
    assert cause.startswith(f"{execution_date} extract: read repository project: no answer from {endpoint}: ")
    assert further == [
        "main: untouched",
        f"next: see elt status; start the local lakeFS with elt up, or set LAKEFS_ENDPOINT, "
        f"then elt run {execution_date}",
    ]
    require_published_once(bench, execution_date)


def test_the_run_fails_if_lakefs_stops_while_dbt_builds(own: OwnLake, bench: Bench) -> None:
    execution_date = next(bench.dates)
    try:
        with bench.call_before("PUT", "/curated/", lambda: kill(own.server)):
            ended = bench.pipeline.run(execution_date, **LONG_TIMEOUT)
    finally:
        own.start()

    cause, main, kept, following = ended.report.splitlines()
    assert (ended.outcome, ended.step) == ("PlatformFailed", "transform")
    assert ": lakeFS's S3 gateway does not answer: " in cause
    assert f"'{bench.proxy.url}/" in cause
    assert main == "main: untouched"
    assert kept.startswith(f"kept: branch etl-{execution_date}-")
    assert following == f"next: see elt status, then elt run {execution_date}"
    assert not require_whole(bench.lake, execution_date)
    require_published_once(bench, execution_date)


# The run itself.


def run_and_signal(
    bench: Bench, prefect_server: LocalServer, folder: Path, execution_date: str, sent: signal.Signals
) -> Ended:
    """Runs `elt run`, and sends a signal before DuckDB writes its first Parquet."""
    environment = {**bench.pipeline.environment, **LONG_TIMEOUT, **prefect_environment(prefect_server)}
    with (
        elt("run", execution_date, "--run-type", "backfill", folder=folder, environment=environment) as running,
        bench.call_before("PUT", "/curated/", lambda: running.send_signal(sent)),
    ):
        return end_of(running, execution_date)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_dbt_builds_cancels_the_run(
    bench: Bench, prefect_server: LocalServer, tmp_path: Path, sent: signal.Signals
) -> None:
    execution_date = next(bench.dates)

    ended = run_and_signal(bench, prefect_server, tmp_path, execution_date, sent)

    assert (ended.code, ended.report["outcome"]) == (130, "Cancelled")
    (kept,) = bench.lake.branches(f"etl-{execution_date}-")
    # Prefect handles SIGTERM, and ends the flow run before the step can report.
    reports = {
        signal.SIGINT: f"Cancelled: {execution_date} transform: interrupted\n"
        f"main: untouched\nkept: branch {kept}\nnext: elt run {execution_date}\n",
        signal.SIGTERM: "Cancelled: interrupted; main contains only complete dates, run again\n",
    }
    assert ended.err.endswith("\n" + reports[sent])
    assert not require_whole(bench.lake, execution_date)
    require_published_once(bench, execution_date)


def test_a_run_killed_while_dbt_builds_succeeds_when_run_again(
    bench: Bench, prefect_server: LocalServer, tmp_path: Path
) -> None:
    execution_date = next(bench.dates)
    work_directories = Path(bench.pipeline.environment["ELT_PROJECT_DIR"]) / ".elt" / "work"

    ended = run_and_signal(bench, prefect_server, tmp_path, execution_date, signal.SIGKILL)

    assert (ended.code, ended.out) == (-signal.SIGKILL, "")
    assert list(work_directories.iterdir())
    assert not require_whole(bench.lake, execution_date)
    require_published_once(bench, execution_date)
    assert not list(work_directories.iterdir())


# Prefect.


def test_a_date_is_published_although_the_prefect_server_is_killed(
    prefect_killed: Future[PrefectKilled],
) -> None:
    killed = prefect_killed.result()

    assert (killed.ended.code, killed.ended.report["outcome"]) == (5, "PlatformFailed")
    assert (
        f"PlatformFailed: {killed.date}: Prefect at {killed.url}: [Errno 111] Connection refused\n"
        "main: untouched, unless elt log shows this run's commit\n"
        f"next: elt status, then elt run {killed.date}\n"
    ) in killed.ended.err
    assert killed.published
    assert (killed.again.code, killed.again.report["outcome"]) == (0, "unchanged")
    assert killed.times == 1
