"""Runs of the whole pipeline as processes, shared by the tests of Prefect's view and of secrets."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.context import refresh_global_settings_context
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from examples.events_api import Options, create_app, serving
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import Lake
from orchestration.servers.background import LocalServer
from tests.helpers.elt_runs import (
    CLOSED,
    ELT,
    REMOVING_NOTHING,
    Case,
    Runs,
    Shown,
    endless,
    eventually,
    prefect_environment,
)
from tests.helpers.isolation import ENVIRONMENT
from tests.helpers.own_lake import variables_of

TOKEN = f"shop+{secrets.token_hex(12)}/=="

WRONG_KEY_IN_DUCKDB = f"""
from dataclasses import replace
from orchestration import transform
right = transform.gateway_of
transform.gateway_of = lambda lake: replace(right(lake), secret_key="sesamsesam")
{ELT}
"""
FLOW_ONLY = """
import sys
from orchestration.flows.launch import run_date_flow
from orchestration.settings import read_settings
sys.exit(run_date_flow(read_settings(), sys.argv[2], "daily", force=False).exit_code)
"""


def write_a_stray_object(lake: Lake, date: str) -> None:
    branch = eventually(lambda: next(lake.branches(f"etl-{date}-"), ""))
    lake.put(branch, f"curated/events/date={date}/stray.parquet", b"stray", keys.RAW_CONTENT_TYPE)


NODES_SHOWN = {"ELT_DBT_TASK_RUNS": "true"}

CASES = {
    "daily": Case("2015-03-01", run_type="daily", code=REMOVING_NOTHING, environment=NODES_SHOWN),
    "bad day": Case("2015-03-02", "bad day", "daily", code=REMOVING_NOTHING, environment=NODES_SHOWN),
    "backfill": Case("2015-03-03", code=REMOVING_NOTHING, environment={"PREFECT_LOGGING_LEVEL": "DEBUG"}),
    "undecodable": Case("2015-03-04", "undecodable", code=REMOVING_NOTHING),
    "malformed": Case("2015-03-05", "malformed", "daily"),
    # A refusal ends the run only if main has not moved in the meantime.
    "stray object": Case("2015-03-06", after=("daily", "backfill"), during=write_a_stray_object),
    "wrong key in DuckDB": Case("2015-03-07", code=WRONG_KEY_IN_DUCKDB),
    "dbt refuses": Case("2015-03-08", run_type="daily", environment={"ELT_DUCKDB_MEMORY": "nonsense", **NODES_SHOWN}),
    "shop down": Case("2015-03-09", environment={"SHOP_API_URL": CLOSED}),
    "lake down": Case("2015-03-10", environment={"LAKEFS_ENDPOINT": CLOSED}),
    "other bucket": Case("2015-03-11", environment={"ELT_BUCKET": "other"}),
    "wrong key": Case("2015-03-12", environment={"LAKEFS_SECRET_KEY": "sesamsesam"}),
    "Prefect down": Case("2015-03-13", environment={"PREFECT_API_URL": f"{CLOSED}/api"}),
    "endless": Case("2015-03-14", "endless", environment={"ELT_RUN_TIMEOUT": "20"}),
    "no date": Case("2015-13-01", run_type="daily", code=FLOW_ONLY),
    "by default": Case("2015-03-15", run_type="daily"),
    "again": Case("2015-03-01", run_type="daily", after=("daily",)),
}


def malformed(app: ASGIApp) -> ASGIApp:
    """An API whose first event lacks a colon, which only a full parse detects."""

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        async def altered(message: Message) -> None:
            if "body" in message:
                message = {**message, "body": message["body"].replace(b'"Event Type":', b'"Event Type" ', 1)}
            await send(message)

        await app(scope, receive, altered)

    return faulty


async def undecodable(request: Request) -> Response:
    return Response(b"not what it says", 404, {"Content-Encoding": "gzip"})


@pytest.fixture(scope="session")
def runs(
    lake: Lake, access: LakeAccess, prefect_server: LocalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runs]:
    """Runs of `elt run` with every outcome, started by the first test that uses one."""
    folder = tmp_path_factory.mktemp("runs")
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    good = create_app(Options(token=TOKEN))
    shops: dict[str, ASGIApp] = {
        "good": good,
        "bad day": create_app(Options(token=TOKEN, fault="bad-day")),
        "malformed": malformed(good),
        "endless": endless,
        "undecodable": Starlette(routes=[Route("/{path}", undecodable)]),
    }
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "GIT_CONFIG_GLOBAL": str(Path.home() / ".gitconfig"),
        "TMPDIR": str(folder / "tmp"),
        "DO_NOT_TRACK": "1",
        **ENVIRONMENT,
        **prefect_environment(prefect_server),
        "ELT_REPOSITORY": "project",
        **variables_of(access),
        "SHOP_API_TOKEN": TOKEN,
        "ELT_RETRIES": "0",
    }
    with ExitStack() as stack:
        urls = {name: stack.enter_context(serving(app)) for name, app in shops.items()}
        started = Runs(CASES, folder, environment, urls, lake)
        stack.callback(started.close)
        yield started


@pytest.fixture(scope="session")
def shown(prefect_server: LocalServer) -> Iterator[Shown]:
    """What the API of the session's Prefect server shows."""
    view = Shown(prefect_environment(prefect_server))
    yield view
    view.close()


@pytest.fixture
def prefect_client(prefect_server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[SyncPrefectClient]:
    """Returns a client of the session's Prefect server, which is also the configured one during the test."""
    for name, value in prefect_environment(prefect_server).items():
        monkeypatch.setenv(name, value)
    refresh_global_settings_context()
    with get_client(sync_client=True) as client:
        yield client
    monkeypatch.undo()
    refresh_global_settings_context()
