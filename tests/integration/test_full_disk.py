"""Disks that are really full: small ones, mounted for the work directory, DuckDB's spilling and lakeFS's store.

Each is mounted in a separate namespace, which needs no root and ends with its process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from examples.events_api import Options, create_app, serving
from orchestration.errors import error_class
from orchestration.lake.client import Lake
from orchestration.log import Log
from orchestration.servers import lakefs, process
from orchestration.servers.background import LocalServer
from orchestration.servers.model import ServerCommand
from orchestration.settings import Settings
from tests.helpers.disks import has_disks, on_a_disk
from tests.helpers.elt_runs import Ended, prefect_environment
from tests.helpers.matrix import LONG_TIMEOUT, Bench, open_bench, require_published_once
from tests.helpers.own_lake import OwnLake, elt, end_of, own_lake, repository_of
from tests.helpers.pipeline import require_whole
from tests.helpers.projects import copy_project, fetched_in_pages

pytestmark = pytest.mark.skipif(not has_disks(), reason="this kernel allows no mounts")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def work(project: Path) -> Path:
    return project / ".elt" / "work"


@contextmanager
def open_bench_of(lake: Lake, project: Path, options: Options, first: date) -> Iterator[Bench]:
    with serving(create_app(options)) as shop, open_bench(lake, project, shop, first) as bench:
        yield bench


# The disk of ELT_STATE_DIR.


def run_on_a_small_disk(
    bench: Bench, prefect_server: LocalServer, disk: tuple[Path, str], execution_date: str, **environment: str
) -> Ended:
    """Runs `elt run` with a small disk at a folder."""
    folder = Path(bench.pipeline.environment["ELT_PROJECT_DIR"])
    disk[0].mkdir(parents=True, exist_ok=True)
    environment = {
        **bench.pipeline.environment,
        **LONG_TIMEOUT,
        **prefect_environment(prefect_server),
        **environment,
    }
    command = ("run", execution_date, "--run-type", "backfill")
    with elt(*command, folder=folder, environment=environment, within=on_a_disk(*disk)) as running:
        return end_of(running, execution_date)


def test_a_full_work_directory_fails_the_run_before_anything_is_on_the_lake(
    lake: Lake, project: Path, prefect_server: LocalServer, work: Path
) -> None:
    with open_bench_of(lake, project, Options(rows=2_000), date(2016, 1, 1)) as bench:
        execution_date = next(bench.dates)

        ended = run_on_a_small_disk(bench, prefect_server, (work, "256k"), execution_date)

        assert (ended.code, ended.report["outcome"]) == (5, "PlatformFailed")
        assert ended.report["cause"].startswith(f"cannot write {work}/")
        assert ended.report["cause"].endswith("/page-00001.json: No space left on device")
        assert ended.report == {
            "outcome": "PlatformFailed",
            "exit_code": 5,
            "subject": execution_date,
            "step": "extract",
            "cause": ended.report["cause"],
            "main": "untouched",
            "branch": None,
            "remedy": "free space there, or set ELT_STATE_DIR to a folder on another disk",
            "command": f"elt run {execution_date}",
        }
        assert list(lake.branches(f"etl-{execution_date}-")) == []
        require_published_once(bench, execution_date)


def test_a_full_temp_folder_of_duckdb_fails_the_build(
    lake: Lake, project: Path, prefect_server: LocalServer, work: Path
) -> None:
    """The 49 MB of raw of 200,000 rows fit on the disk, but not with the 20 MB or more that DuckDB spills."""
    with open_bench_of(lake, project, Options(rows=200_000), date(2016, 2, 1)) as bench:
        execution_date = next(bench.dates)
        small = {"ELT_DUCKDB_MEMORY": "160MB"}

        ended = run_on_a_small_disk(bench, prefect_server, (work, "60m"), execution_date, **small)

        assert (ended.code, ended.report["outcome"]) == (5, "PlatformFailed")
        report = ended.report
        assert (report["subject"], report["step"], report["main"]) == (execution_date, "transform", "untouched")
        assert "the disk of ELT_STATE_DIR, where DuckDB spills, is full: failed to offload" in report["cause"]
        assert report["branch"].startswith(f"etl-{execution_date}-")
        assert report["remedy"].startswith("free space there, set ELT_STATE_DIR to a folder on another disk, or raise ")
        assert not require_whole(lake, execution_date)
        require_published_once(bench.switch_to(lake, **small), execution_date)


@pytest.mark.parametrize(
    ("name", "size", "step", "says"),
    [
        ("work", "96k", "transform", "the disk of ELT_STATE_DIR, where dbt writes compiled SQL, is full: "),
        ("dbt", "256k", "plan", "cannot write {folder}/"),
    ],
)
def test_a_disk_that_is_full_for_dbt_fails_the_run(
    lake: Lake, project: Path, prefect_server: LocalServer, name: str, size: str, step: str, says: str
) -> None:
    folder = project / ".elt" / name
    with open_bench_of(lake, project, Options(rows=100), date(2016, 3, 5 if name == "work" else 3)) as bench:
        execution_date = next(bench.dates)

        ended = run_on_a_small_disk(bench, prefect_server, (folder, size), execution_date)

        assert (ended.code, ended.report["outcome"]) == (5, "PlatformFailed")
        assert (ended.report["step"], ended.report["main"]) == (step, "untouched")
        assert says.format(folder=folder) in ended.report["cause"]
        assert ended.report["cause"].endswith("No space left on device")
        assert "Logging error" not in ended.err
        assert not require_whole(lake, execution_date)


def test_the_error_for_too_little_memory_names_its_setting(lake: Lake, project: Path) -> None:
    with open_bench_of(lake, project, Options(rows=100), date(2016, 3, 1)) as bench:
        execution_date = next(bench.dates)

        ended = bench.pipeline.run(execution_date, ELT_DUCKDB_MEMORY="60MB")

        cause, main, _, following = ended.report.splitlines()
        assert (ended.step, error_class(ended.outcome).exit_code, main) == ("transform", 5, "main: untouched")
        assert ": DuckDB needs more memory: Out of Memory Error: " in cause
        assert following == f"next: raise ELT_DUCKDB_MEMORY, then elt run {execution_date}"


# lakeFS's store.


class StoreOnADisk:
    """A lakeFS with its objects on a separate disk; `fill` leaves no space on it, and `clear` frees it again."""

    def __init__(self, state: Path) -> None:
        self.spec = replace(lakefs.SPEC, prepare=self._prepare)
        self._objects = state / "lakefs" / "objects"
        self._pid_file = state / "run" / "lakefs.json"

    def _prepare(self, settings: Settings, data: Path, log: Log) -> Callable[[int], ServerCommand]:
        launch = lakefs.SPEC.prepare(settings, data, log)
        self._objects.mkdir(exist_ok=True)

        def launch_on_a_disk(port: int) -> ServerCommand:
            how = launch(port)
            return ServerCommand((*on_a_disk(self._objects, "16m"), *how.arguments), how.env)

        return launch_on_a_disk

    @property
    def _ballast(self) -> Path:
        running = process.running(self._pid_file)
        assert running
        return Path(f"/proc/{running.pid}/root{self._objects}/ballast")

    def fill(self) -> None:
        disk = os.statvfs(self._ballast.parent)
        self._ballast.write_bytes(bytes(disk.f_bavail * disk.f_frsize))

    def clear(self) -> None:
        self._ballast.unlink()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StoreOnADisk, OwnLake]]:
    state = tmp_path_factory.mktemp("store")
    store = StoreOnADisk(state)
    with own_lake(state, store.spec) as own:
        yield store, own


@pytest.fixture(scope="module")
def stored(store: tuple[StoreOnADisk, OwnLake], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    project = fetched_in_pages(copy_project(tmp_path_factory.mktemp("stored")))
    options = Options(rows=200, form="envelope", paging="page", page_size=100)
    with (
        repository_of(store[1].access, "project") as lake,
        open_bench_of(lake, project, options, date(2016, 4, 1)) as bench,
    ):
        yield bench


@pytest.mark.parametrize(
    ("method", "part", "step", "says", "main", "remedy"),
    [
        ("POST", "objects?path=raw", "land", "no space left on device", "untouched", "free space where lakeFS"),
        (
            "PUT",
            "/curated/",
            "transform",
            "HTTP 500 for HTTP PUT",
            "untouched",
            "see lakeFS's log; most often its disk",
        ),
        ("POST", "/merge/main", "publish", "no space left on device", "untouched, unless", "free space where lakeFS"),
    ],
    ids=["land", "transform", "publish"],
)
def test_a_full_store_of_lakefs_fails_the_run_at_any_step(
    store: tuple[StoreOnADisk, OwnLake],
    stored: Bench,
    method: str,
    part: str,
    step: str,
    says: str,
    main: str,
    remedy: str,
) -> None:
    execution_date = next(stored.dates)
    with stored.call_before(method, part, store[0].fill):
        ended = stored.pipeline.run(execution_date, **LONG_TIMEOUT)
    store[0].clear()

    cause, main_line, kept, following = ended.report.splitlines()
    assert (ended.step, error_class(ended.outcome).exit_code) == (step, 5)
    assert says in cause
    assert main_line.startswith(f"main: {main}")
    assert kept.startswith(f"kept: branch etl-{execution_date}-")
    assert following.startswith(f"next: {remedy}")
    assert not require_whole(stored.lake, execution_date)
    require_published_once(stored, execution_date)
