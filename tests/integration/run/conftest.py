"""Settings of runs of the whole protocol, on a project that is fetched in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from examples.events_api import Options, create_app, serving
from orchestration.settings import Settings
from tests.helpers.projects import copy_project, fetched_in_pages, settings_of


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dbt project, fetched in pages, shared by the tests that do not change it."""
    return fetched_in_pages(copy_project(tmp_path_factory.mktemp("project")))


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    with ExitStack() as stack:

        def start(rows: int = 1_000, **options: Any) -> str:
            app = create_app(Options(rows=rows, form="envelope", paging="page", page_size=500, **options))
            return stack.enter_context(serving(app))

        yield start


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, project: Path, serve: Callable[..., str]) -> Callable[..., Settings]:
    def make(rows: int = 1_000, folder: Path = project, **options: Any) -> Settings:
        return settings_of(monkeypatch, folder, SHOP_API_URL=serve(rows, **options))

    return make


@pytest.fixture
def own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give the test a state folder in which nothing is parsed yet: copies of the project share what was parsed."""
    monkeypatch.setenv("ELT_STATE_DIR", str(tmp_path / "state"))
