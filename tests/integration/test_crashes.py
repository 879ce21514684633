"""lakeFS, Prefect and the run itself are killed; what `main` holds then, and whether running again heals it."""

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
from tests.elt_runs import Ended, prefect_environment
from tests.matrix import PATIENT, Bench, open_bench, require_healed, require_published_once
from tests.own_lake import (
    OwnLake,
    elt,
    end_of,
    kill,
    own_lake,
    own_server,
    repository_of,
)
from tests.pipeline import publications_of, require_whole
from tests.support import copy_project, fetched_in_pages

MOMENT = 0.003
"""Seconds into a request: lakeFS takes 5 to 25 ms to put, commit or merge."""


class Shop:
    """The sample API; something may happen while it is asked."""

    def __init__(self) -> None:
        self._api: ASGIApp = create_app(Options(rows=200, form="envelope", paging="page", page_size=100))
        self.happens: list[Callable[[], None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.happens:
            self.happens.pop()()
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
    """A run whose Prefect server was killed, what `main` had then, and a run after the server's return."""

    date: str
    url: str
    ended: Ended
    published: bool
    again: Ended
    times: int


@pytest.fixture(scope="module")
def prefect_killed(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[PrefectKilled]]:
    """Both runs, made beside the other tests of this module: they wait more than they work."""
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
    """A daily run has a hundred things to tell Prefect, and Prefect's client would try 8 s to tell each."""
    execution_date = next(bench.dates)
    server.start(SILENT)
    url = str(server.wait(SILENT).url)
    of_prefect = {**prefect_environment(server), "PREFECT_CLIENT_MAX_RETRIES": "0"}
    environment = {**bench.pipeline.environment, **PATIENT, **of_prefect}
    with (
        elt("run", execution_date, folder=folder, environment=environment) as running,
        bench.when("PUT", "/curated/", lambda: kill(server)),
    ):
        ended = end_of(running, execution_date)
    published = require_whole(bench.lake, execution_date)
    server.start(SILENT)
    server.wait(SILENT)
    with elt("run", execution_date, folder=folder, environment=environment) as running:
        again = end_of(running, execution_date)
    return PrefectKilled(execution_date, url, ended, published, again, publications_of(bench.lake, execution_date))


# lakeFS


@dataclass(frozen=True)
class Moment:
    """When lakeFS is killed: around the request of a method whose path contains `part`, the first `after` let through.

    `before` lakeFS gets it, `amid` its work on it, or `after` it acted, with the answer lost.
    """

    method: str
    part: str
    when: Literal["before", "amid", "after"]
    after: int = 0


MOMENTS = {
    "pin": Moment("GET", "/commits/main", "before"),
    "decide": Moment("GET", "_receipts", "after"),
    "branch": Moment("POST", "/branches", "after"),
    "land, a page": Moment("POST", "objects?path=raw", "amid"),
    "land, the commit": Moment("POST", "/commits", "after"),
    "clean, writing": Moment("PUT", "/curated/events/", "after"),
    "commit": Moment("POST", "/commits", "amid", after=1),
    "merge, amid it": Moment("POST", "/merge/main", "amid"),
    "merge, after it": Moment("POST", "/merge/main", "after"),
    "tidy": Moment("DELETE", "/branches", "after"),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_lakefs_that_crashes_during_a_step_leaves_the_date_whole_or_absent(
    own: OwnLake, bench: Bench, moment: Moment
) -> None:
    execution_date = next(bench.dates)
    bench.proxy.reset()
    if moment.when == "amid":
        bench.proxy.call = threading.Timer(MOMENT, own.crash).start
        bench.proxy.spoil(moment.method, moment.part, "call", after=moment.after)
    else:
        bench.proxy.call = own.crash
        bench.proxy.spoil(moment.method, moment.part, "kill", acted=moment.when == "after", after=moment.after)

    ended = bench.pipeline.run(execution_date, **PATIENT)

    assert bench.proxy.struck
    own.returned()
    require_healed(bench, execution_date, ended)


def test_a_lakefs_that_crashes_during_the_fetch_does_the_date_no_harm(own: OwnLake, bench: Bench, shop: Shop) -> None:
    execution_date = next(bench.dates)
    shop.happens.append(own.crash)

    ended = bench.pipeline.run(execution_date, **PATIENT)

    own.returned()
    require_healed(bench, execution_date, ended)


def test_what_was_published_before_the_crashes_is_there_byte_for_byte(bench: Bench) -> None:
    dates = [merge.metadata["execution_date"] for merge in bench.lake.log(MAIN) if "curated" in merge.metadata]
    for execution_date in dates:
        receipt = read_receipt(bench.lake, MAIN, keys.date_receipt(execution_date))
        assert receipt
        found = {key: hashlib.md5(bench.lake.read(MAIN, key) or b"").hexdigest() for key in receipt.objects}
        assert found == receipt.objects


def test_a_lakefs_that_is_down_is_told_in_one_line_with_its_address(own: OwnLake, bench: Bench) -> None:
    execution_date = next(bench.dates)
    endpoint = own.access.endpoint
    kill(own.server)
    try:
        ended = bench.pipeline.run(execution_date, LAKEFS_ENDPOINT=endpoint)
    finally:
        own.start()

    cause, *further = ended.told.splitlines()
    assert ended.outcome == "PlatformFailed"
    assert cause.startswith(f"{execution_date} extract: read repository project: no answer from {endpoint}: ")
    assert further == [
        "main: untouched",
        f"next: see elt status; start the local lakeFS with elt up, or set LAKEFS_ENDPOINT, "
        f"then elt run {execution_date}",
    ]
    require_published_once(bench, execution_date)


def test_a_lakefs_that_goes_down_for_good_while_dbt_builds_fails_the_run(own: OwnLake, bench: Bench) -> None:
    execution_date = next(bench.dates)
    try:
        with bench.when("PUT", "/curated/", lambda: kill(own.server)):
            ended = bench.pipeline.run(execution_date, **PATIENT)
    finally:
        own.start()

    cause, main, kept, following = ended.told.splitlines()
    assert (ended.outcome, ended.step) == ("PlatformFailed", "transform")
    assert ": lakeFS's S3 gateway does not answer: " in cause
    assert f"'{bench.proxy.url}/" in cause
    assert main == "main: untouched"
    assert kept.startswith(f"kept: branch etl-{execution_date}-")
    assert following == f"next: see elt status, then elt run {execution_date}"
    assert not require_whole(bench.lake, execution_date)
    require_published_once(bench, execution_date)


# the run itself


def run_and_signal(
    bench: Bench, prefect_server: LocalServer, folder: Path, execution_date: str, sent: signal.Signals
) -> Ended:
    """`elt run` that gets a signal when DuckDB is about to write its first Parquet."""
    environment = {**bench.pipeline.environment, **PATIENT, **prefect_environment(prefect_server)}
    with (
        elt("run", execution_date, "--run-type", "backfill", folder=folder, environment=environment) as running,
        bench.when("PUT", "/curated/", lambda: running.send_signal(sent)),
    ):
        return end_of(running, execution_date)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_dbt_builds_cancels_the_run(
    bench: Bench, prefect_server: LocalServer, tmp_path: Path, sent: signal.Signals
) -> None:
    execution_date = next(bench.dates)

    ended = run_and_signal(bench, prefect_server, tmp_path, execution_date, sent)

    assert (ended.code, ended.told["outcome"]) == (130, "Cancelled")
    (kept,) = bench.lake.branches(f"etl-{execution_date}-")
    # SIGTERM is Prefect's own to hear, and ends the flow run before the step can say a word.
    told = {
        signal.SIGINT: f"Cancelled: {execution_date} transform: interrupted\n"
        f"main: untouched\nkept: branch {kept}\nnext: elt run {execution_date}\n",
        signal.SIGTERM: "Cancelled: interrupted; main contains only complete dates, run again\n",
    }
    assert ended.err.endswith("\n" + told[sent])
    assert not require_whole(bench.lake, execution_date)
    require_published_once(bench, execution_date)


def test_a_run_killed_while_dbt_builds_is_done_by_running_again(
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


# Prefect


def test_a_prefect_server_killed_during_a_run_does_not_keep_the_date_from_main(
    prefect_killed: Future[PrefectKilled],
) -> None:
    killed = prefect_killed.result()

    assert (killed.ended.code, killed.ended.told["outcome"]) == (5, "PlatformFailed")
    assert (
        f"PlatformFailed: {killed.date}: Prefect at {killed.url}: [Errno 111] Connection refused\n"
        "main: untouched, unless elt log shows this run's commit\n"
        f"next: elt status, then elt run {killed.date}\n"
    ) in killed.ended.err
    assert killed.published
    assert (killed.again.code, killed.again.told["outcome"]) == (0, "unchanged")
    assert killed.times == 1
