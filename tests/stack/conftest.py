"""The stack for its tests: images built once per machine, containers once per store, and figures for a report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.projects import needs_retail
from tests.stack.deployment import Deployment
from tests.stack.engine import run, unusable
from tests.stack.figures import FIGURES, note
from tests.stack.images import ensure_images

FILES = {"versity": (), "minio": ("docker-compose.minio.yml",)}
"""The compose files of each store."""

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests where containers cannot run, or without the shop's data."""
    here = [item for item in items if item.path.parent == _HERE]
    if here and (reason := unusable()):
        for item in here:
            item.add_marker(pytest.mark.skip(reason=reason))
    for item in here:
        item.add_marker(needs_retail)


@pytest.fixture(scope="session", params=FILES)
def store(request: pytest.FixtureRequest) -> str:
    """Return the name of the object store: all tests run once with each."""
    return str(request.param)


@pytest.fixture(scope="session")
def images(store: str) -> None:
    """Build the images of a stack with this store, unless they exist."""
    begun = time.monotonic()
    for name, size in ensure_images(store).items():
        note(f"image {name}: {size}")
    note(f"images for {store}: {time.monotonic() - begun:.0f} s")


@pytest.fixture(scope="session")
def shared_stack(store: str, images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Start the stack with one worker, and note how long that takes and which versions run."""
    deployment = Deployment(f"elt-{store}", tmp_path_factory.mktemp(store), files=FILES[store])
    deployment.down(volumes=True)
    try:
        begun = time.monotonic()
        deployment.up(note=note)
        note(f"{store}: all services up in {time.monotonic() - begun:.0f} s")
        note_versions(deployment)
        yield deployment
    finally:
        deployment.down(volumes=True)


@pytest.fixture
def stack(shared_stack: Deployment) -> Deployment:
    """Return the running stack that all tests with this store share; one that a test has stopped is started again."""
    if not shared_stack.containers("prefect-worker"):
        shared_stack.up()
    return shared_stack


@pytest.fixture
def empty(store: str, images: None, tmp_path: Path) -> Iterator[Deployment]:
    """Return a stack without volumes of which nothing is started yet."""
    deployment = Deployment(f"elt-empty-{store}", tmp_path, files=FILES[store])
    deployment.down(volumes=True)
    try:
        yield deployment
    finally:
        deployment.down(volumes=True)


def note_versions(deployment: Deployment) -> None:
    """Note the version of each service's program, as it reports it."""
    note(f"postgres: {deployment.execute('postgres', 'postgres', '--version')}")
    note(f"lakefs: {deployment.execute('lakefs', '/app/lakefs', '--version')}")
    store = {"versity": "versitygw", "minio": "minio"}[deployment.name.removeprefix("elt-")]
    note(f"object-store: {deployment.execute('object-store', store, '--version').splitlines()[0]}")
    note(f"prefect: {deployment.execute('prefect-worker', 'prefect', '--version')}")
    note(f"engine: {run('podman', '--version').stdout.strip()}, {run('runc', '--version').stdout.splitlines()[0]}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures after the tests."""
    for figure in FIGURES:
        terminalreporter.write_line(figure)
