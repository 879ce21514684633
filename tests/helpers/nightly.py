"""The deployments of prefect.yaml, running: a worker, a lakeFS that may go down, a shop and a webhook."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import refresh_global_settings_context
from prefect.states import Scheduled
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from examples.events_api import Options, create_app, serving
from orchestration.flows.deploy import deploy
from orchestration.flows.secrets import LAKE, save
from orchestration.lake.client import Lake
from orchestration.log import SILENT, Log
from orchestration.project import own_name, project_name
from orchestration.servers import worker
from orchestration.servers.background import LocalServer
from orchestration.servers.model import ServerCommand, ServerSpec
from orchestration.servers.prefect import PrefectAccess
from orchestration.settings import EltSettings, Settings, read_settings
from tests.helpers.elt_runs import Shown, prefect_environment
from tests.helpers.isolation import PROJECT
from tests.helpers.own_lake import OwnLake, own_lake, repository_of
from tests.helpers.projects import NAME

TOKEN = "shop+of-the-deployments/=="
GOOD, BAD, DOWN, SLOW, AGAIN, ENDLESS = (f"2016-02-0{day}" for day in range(1, 7))
LIMIT = 150.0


class ByDate:
    """An API with different behaviour on some dates."""

    def __init__(self, dates: dict[str, ASGIApp], otherwise: ASGIApp) -> None:
        self.dates, self.otherwise = dates, otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = parse_qs(scope.get("query_string", b"").decode()).get("date", [""])[0]
        await self.dates.get(asked, self.otherwise)(scope, receive, send)


@dataclass
class Nightly:
    """The running deployments.

    Attributes:
        client: A client of the Prefect API.
        shown: What the Prefect API shows.
        own: A separate lakeFS, which may go down.
        lake: Its repository.
        shop: The API, by date.
        received: What the webhook received.
        state: The state folder of the worker and its runs.
        environment: The environment of the worker.
        worker: The worker of all queues.
    """

    client: SyncPrefectClient
    shown: Shown
    own: OwnLake
    lake: Lake
    shop: ByDate
    received: list[dict[str, Any]]
    state: Path
    environment: Mapping[str, str] = field(repr=False)
    worker: LocalServer

    def begin(
        self,
        deployment: str,
        scheduled: datetime | None = None,
        environment: Mapping[str, str] | None = None,
        **parameters: Any,
    ) -> UUID:
        """Creates a flow run of a deployment, scheduled for now or for a given time, with more variables."""
        found = self.client.read_deployment_by_name(deployment)
        state: State[Any] | None = Scheduled(scheduled_time=scheduled) if scheduled else None
        variables = {"env": dict(environment)} if environment else None
        return self.client.create_flow_run_from_deployment(
            found.id, parameters=parameters, state=state, job_variables=variables
        ).id

    def ended(self, run: UUID) -> FlowRun:
        """Waits for the end of a flow run, and returns it."""
        return self.until(run, lambda found: bool(found.state and found.state.is_final()))

    def until(self, run: UUID, holds: Any) -> FlowRun:
        """Waits until a condition is true for a flow run, and returns it."""
        end = time.monotonic() + LIMIT
        while not holds(found := self.client.read_flow_run(run)) and time.monotonic() < end:
            time.sleep(0.5)
        assert holds(found), found.state
        return found

    @contextmanager
    def only_worker_of(self, queue: str) -> Iterator[None]:
        """Replaces the worker by one that serves a single queue."""
        other = LocalServer(serving_only(self.worker.spec, queue), self.worker.settings)
        self.worker.stop(SILENT)
        try:
            other.start(SILENT)
            other.wait(SILENT)
            yield
        finally:
            other.stop(SILENT)
            self.worker.start(SILENT)
            self.worker.wait(SILENT)

    def date(self, execution_date: str, **parameters: Any) -> FlowRun:
        """Runs a date, and waits for the end."""
        return self.ended(self.begin("ingest-clean/daily-ingest", execution_date=execution_date, **parameters))


def follower(nightly: Nightly, name: str, after: FlowRun) -> FlowRun:
    """Waits for the end of a run with this name that started after another run, and returns it."""
    assert after.start_time is not None
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        runs = nightly.shown.all("flow_runs", flow_runs={"name": {"any_": [name]}}, sort="START_TIME_DESC")
        later = started_after(runs, after.start_time)
        if later and later[0]["state_type"] in ("COMPLETED", "FAILED", "CRASHED"):
            return nightly.client.read_flow_run(UUID(later[0]["id"]))
        time.sleep(0.5)
    raise AssertionError(f"no run of {name} followed")


def started_after(runs: Sequence[dict[str, Any]], start: datetime) -> list[dict[str, Any]]:
    """Returns the runs that started later."""
    return [one for one in runs if one["start_time"] and datetime.fromisoformat(one["start_time"]) > start]


def serving_only(spec: ServerSpec, queue: str) -> ServerSpec:
    """Returns the spec of a worker that serves a single queue."""

    def prepare(settings: Settings, data: Path, log: Log) -> Callable[[int], ServerCommand]:
        launch = spec.prepare(settings, data, log)

        def launch_for_queue(port: int) -> ServerCommand:
            command = launch(port)
            return replace(command, arguments=(*command.arguments, "--work-queue", queue))

        return launch_for_queue

    return replace(spec, name=f"{queue}-worker", prepare=prepare)


@contextmanager
def run_nightly(
    prefect_server: LocalServer, folder: Path, project: Path = PROJECT, **variables: str
) -> Iterator[Nightly]:
    """Starts worker, lake, shop and webhook; deletes the deployments at the end, because tests share the server.

    Another `project` than the session's has a copy of prefect.yaml, and its own source in `variables`.
    """
    url = str(prefect_server.running_url)
    login = prefect_environment(prefect_server)
    received: list[dict[str, Any]] = []

    async def receive_notice(request: Request) -> Response:
        received.append(await request.json())
        return Response(status_code=204)

    good = create_app(Options(rows=200, token=TOKEN))
    shop = ByDate(
        {
            BAD: create_app(Options(rows=1_000, token=TOKEN, fault="bad-day")),
            SLOW: create_app(Options(rows=200, token=TOKEN, fault="slow", delay=5, fault_times=1)),
        },
        good,
    )
    with (
        own_lake(folder / "lake") as own,
        serving(shop) as shop_url,
        serving(Starlette(routes=[Route("/hook", receive_notice, methods=["POST"])])) as hook_url,
        repository_of(own.access, "project") as lake,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        environment = {
            "HOME": str(folder),
            "LAKEFS_ENDPOINT": own.access.endpoint,
            "SHOP_API_URL": shop_url,
            "SHOP_API_TOKEN": TOKEN,
            "ELT_NOTIFY_URL": f"{hook_url}/hook",
            "ELT_STATE_DIR": str(folder / "state"),
            "ELT_REPOSITORY": lake.repository,
            "ELT_RETRIES": "0",
            # test_flow tests nodes as task runs; they cost 4 s a run.
            **login,
            "ELT_PROJECT_DIR": str(project),
            **variables,
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        refresh_global_settings_context()
        # Only Prefect has lakeFS's keys.
        keys_of_lake = {
            "access_key": own.access.access_key.get_secret_value(),
            "secret_key": own.access.secret_key.get_secret_value(),
        }
        save(project_name(project), LAKE, json.dumps(keys_of_lake))
        deploy(url, project, SILENT)
        settings = replace(read_settings(), elt=EltSettings(state_dir=folder / "state"))
        server = LocalServer(worker.spec_for(PrefectAccess(url, SecretStr(login["PREFECT_API_AUTH_STRING"]))), settings)
        server.start(SILENT)
        shown = Shown(login)
        try:
            server.wait(SILENT)
            with get_client(sync_client=True) as client:
                yield Nightly(client, shown, own, lake, shop, received, folder / "state", environment, server)
                for found in client.read_deployments():
                    client.delete_deployment(found.id)
                client.delete_block_document(client.read_block_document_by_name(own_name(NAME, LAKE), "secret").id)
        finally:
            server.stop(SILENT)
            shown.close()
    refresh_global_settings_context()
