"""The API that unit tests fetch from."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fetching import Api, serve_apis


@pytest.fixture(scope="session")
def make_api() -> Iterator[Callable[[Path, pytest.MonkeyPatch], Api]]:
    """One server for the session: starting and stopping one per test took longer than most of the tests."""
    with serve_apis() as make:
        yield make


@pytest.fixture
def api(make_api: Callable[[Path, pytest.MonkeyPatch], Api], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Api:
    return make_api(tmp_path, monkeypatch)
