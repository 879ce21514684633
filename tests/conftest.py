"""Fixtures for all tests: a clean environment, and one real lakeFS and Prefect server per process of the suite."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import date, timedelta
from itertools import count
from typing import Any

import pytest

from tests.helpers.isolation import ENVIRONMENT, PERSONAL, isolate, release

isolate()

# ruff: noqa: E402 (Prefect reads its settings when it is imported)
from examples.events_api import Options, create_app, serving
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import Lake
from orchestration.lake.connection import LakeConnection
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.servers import lakefs, prefect
from orchestration.servers.background import LocalServer
from orchestration.servers.local import lake_access
from orchestration.settings import PROJECT_DIR, EltSettings, LakeSettings, read_settings
from tests.helpers.matrix import Bench, open_bench
from tests.helpers.own_lake import repository_of
from tests.helpers.projects import RETAIL, copy_project, fetched_in_pages
from tests.helpers.spark import COMPARED, BothEngines, Compared, TogetherOnSpark, py4j_leaves_sockets

_dates = (str(date(2000, 1, 1) + timedelta(days=number)) for number in count())


def pytest_xdist_auto_num_workers() -> int:
    """Start one worker more than there are cores: a worker waits for servers and processes half of its time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop refusing the developer's files after the last test, and report what this process has compared."""
    release()
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["compared"] = asdict(COMPARED)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what another process has compared."""
    COMPARED.add(Compared(**getattr(node, "workeroutput", {}).get("compared", {})))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reset the environment and the umask before each test."""
    before = os.umask(0o022)
    for name in list(os.environ):
        if name.startswith(PERSONAL) and name not in ENVIRONMENT:
            monkeypatch.delenv(name)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    yield
    os.umask(before)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run of tests build everything on Spark too."""
    parser.addoption("--both-engines", action="store_true", help="Repeat each build on Spark, and compare the files.")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> TogetherOnSpark | None:
    """Keep those tests together whose pages are recorded for Spark, if that was asked for."""
    return TogetherOnSpark(config, log) if config.getoption("--both-engines") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let tests leave what Spark leaves, if that was asked for."""
    if config.getoption("--both-engines"):
        for item in items:
            item.add_marker(py4j_leaves_sockets)


@pytest.fixture(scope="session")
def both_engines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> BothEngines | None:
    """Return what repeats builds on Spark, if that was asked for."""
    if not request.config.getoption("--both-engines"):
        return None
    lake = request.getfixturevalue("lake")
    return BothEngines(request.getfixturevalue("access"), lake.repository, tmp_path_factory.mktemp("both"))


@pytest.fixture(scope="session", autouse=True)
def _on_both_engines(both_engines: BothEngines | None) -> Iterator[None]:
    """Repeat all builds on Spark, if that was asked for."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if both_engines:
            for module in ("orchestration.transform", "tests.integration.clean.conftest"):
                monkeypatch.setattr(f"{module}.build", both_engines.build)
        yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
    """Show what was compared. The first difference fails a test."""
    if COMPARED.builds and exitstatus == pytest.ExitCode.OK:
        terminalreporter.write_line(str(COMPARED))


@pytest.fixture(scope="session")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LakeAccess]:
    """Start a real lakeFS for the whole session."""
    state = tmp_path_factory.mktemp("elt")
    settings = replace(read_settings(), elt=EltSettings(state_dir=state), lake=LakeSettings())
    server = LocalServer(lakefs.SPEC, settings)
    server.start(SILENT)
    try:
        server.wait(SILENT)
        yield lake_access(settings)
    finally:
        server.stop(SILENT)


@pytest.fixture(scope="session")
def open_repository(access: LakeAccess) -> Iterator[Callable[..., Lake]]:
    """Return a function that opens a repository of the session's lakeFS, optionally through another endpoint."""
    opened: list[Lake] = []

    def open_one(name: str, endpoint: str = access.endpoint) -> Lake:
        lake = Lake(LakeConnection(replace(access, endpoint=endpoint), timeout=30), name)
        opened.append(lake)
        return lake

    yield open_one
    for lake in opened:
        lake.connection.close()


@pytest.fixture(scope="session")
def lake(open_repository: Callable[..., Lake]) -> Lake:
    """Return the repository `project` with gate and protection. All tests share it, each with its own dates."""
    shared = open_repository("project")
    init_lake(shared, "lakefs", PROJECT_DIR, SILENT)
    return shared


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """Start a real Prefect server for the whole session, with the first test that uses it."""
    state = tmp_path_factory.mktemp("prefect")
    settings = replace(read_settings(), elt=EltSettings(state_dir=state))
    server = LocalServer(prefect.SPEC, settings)
    server.start(SILENT)
    try:
        server.wait(SILENT)
        yield server
    finally:
        server.stop(SILENT)


@pytest.fixture(scope="session")
def benches(access: LakeAccess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, ...]]:
    """Return two pipelines that run dates of one repository at the same time, each through its own proxy."""
    project = fetched_in_pages(copy_project(tmp_path_factory.mktemp("benches")))
    api = create_app(Options(rows=200, form="envelope", paging="page", page_size=100))
    with repository_of(access, "faults") as lake, serving(api) as shop, ExitStack() as stack:
        yield tuple(stack.enter_context(open_bench(lake, project, shop, date(year, 1, 1))) for year in (2001, 2006))


@pytest.fixture
def execution_date() -> str:
    """Return a date that no other test uses."""
    return next(_dates)


@pytest.fixture
def retail_api() -> Iterator[Callable[[int], str]]:
    """Return a function that starts the retail shop's server and returns its URL; page size 0 gives whole days."""
    with ExitStack() as stack:

        def start(page_size: int) -> str:
            command = [sys.executable, str(RETAIL / "serve.py"), "--port", "0", "--page-size", str(page_size)]
            server = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(server.terminate)
            assert server.stdout is not None
            return server.stdout.readline().split("/events")[0]

        yield start
