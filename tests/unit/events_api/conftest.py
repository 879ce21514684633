"""One server for all tests of a module; every test mounts the apps it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from examples.events_api import Options, create_app, serving
from tests.helpers.sample_api import Api


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[list[BaseRoute], httpx.Client]]:
    apps = Starlette()
    with serving(apps) as url, httpx.Client(base_url=url, timeout=10) as client:
        yield apps.routes, client


@pytest.fixture
def api(site: tuple[list[BaseRoute], httpx.Client]) -> Callable[..., Api]:
    apps, client = site

    def start(**options: Any) -> Api:
        prefix = f"/{len(apps)}"
        app = Starlette()
        app.mount(prefix, create_app(Options(**options)))
        apps.extend(app.routes)
        return Api(client, prefix)

    return start
