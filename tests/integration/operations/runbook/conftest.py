"""The setting of an operator, who follows docs/runbook.md."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate

from examples.events_api import Options, create_app, serving
from orchestration.flows.own import INGEST
from orchestration.flows.secrets import source_block
from orchestration.lake.client import Lake
from orchestration.lake.connection import LakeConnection
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.project import own_name, tag_of
from orchestration.settings import PROJECT_DIR
from tests.helpers.elt_runs import CLOSED
from tests.helpers.night import ROWS, Night
from tests.helpers.nightly import ByDate
from tests.helpers.projects import MACROS, NAME, copy_project, settings_of
from tests.helpers.runbook import Operator, entries, run_without_prefect

_dates = (str(date(2024, 1, 1) + timedelta(days=10 * number)) for number in count())


@pytest.fixture(scope="module")
def night(
    request: pytest.FixtureRequest, open_repository: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Night]:
    lake = open_repository(f"runbook-{request.path.stem.removeprefix('test_').replace('_', '-')}")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    project = copy_project(tmp_path_factory.mktemp("project"))
    shutil.copy(PROJECT_DIR / "prefect.yaml", project)
    shop = ByDate({}, create_app(Options(rows=ROWS)))
    with serving(shop) as url:
        yield Night(lake, project, shop, url)


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with another rule for prices."""
    project = copy_project(tmp_path_factory.mktemp("changed"))
    rule = project / MACROS / "rows/to_double.sql"
    rule.write_text(rule.read_text().replace("as double)", "as double) * 100", 1))
    return project


@pytest.fixture(autouse=True)
def _setting(request: pytest.FixtureRequest, night: Night, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of the operator. Prefect is down, unless the test uses it."""
    opened: list[LakeConnection] = []
    open_connection = LakeConnection.__init__

    def remember(connection: LakeConnection, *arguments: Any, **named: Any) -> None:
        opened.append(connection)
        open_connection(connection, *arguments, **named)

    # A command leaves its connections to the end of its process.
    monkeypatch.setattr(LakeConnection, "__init__", remember)
    monkeypatch.chdir(night.project)
    if "prefect_client" not in request.fixturenames:
        monkeypatch.setenv("PREFECT_API_URL", f"{CLOSED}/api")
        monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
        run_without_prefect(monkeypatch)
    settings_of(monkeypatch, night.project, **night.environment)
    yield
    for connection in opened:
        connection.close()


@pytest.fixture
def operator(request: pytest.FixtureRequest, night: Night) -> Operator:
    return Operator(entries()[request.function.entry], night.project)


@pytest.fixture
def execution_date() -> str:
    """A date that no other test of the module uses, nor the days after it."""
    return next(_dates)


@pytest.fixture
def deployment(prefect_client: SyncPrefectClient) -> Iterator[UUID]:
    """The nightly deployment without a schedule, in a pool that no worker serves."""
    pool = prefect_client.create_work_pool(WorkPoolCreate(name=f"unserved-{uuid4().hex[:8]}", type="process"))
    flow = prefect_client.create_flow_from_name("ingest-clean")
    yield prefect_client.create_deployment(
        flow, "daily-ingest", work_pool_name=pool.name, entrypoint=INGEST, tags=[tag_of(NAME)]
    )
    for found in prefect_client.read_deployments():
        prefect_client.delete_deployment(found.id)
    prefect_client.delete_work_pool(pool.name)


@pytest.fixture
def token_block(prefect_client: SyncPrefectClient) -> Iterator[str]:
    """The Secret block of the shop's token, which the test writes."""
    name = own_name(NAME, source_block("shop", "token"))
    yield name
    prefect_client.delete_block_document(prefect_client.read_block_document_by_name(name, "secret").id)


@pytest.fixture
def env_file(night: Night) -> Iterator[Path]:
    """The `.env` of the project, which the test writes."""
    file = night.project / ".env"
    yield file
    file.unlink()
