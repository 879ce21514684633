"""`elt run` in processes of their own, forked from a warm one, and what Prefect's API shows of them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
from starlette.types import Receive, Scope, Send

from orchestration.lake.client import Lake
from orchestration.servers.background import LocalServer
from orchestration.servers.prefect import read_login
from tests.helpers.warm import Forked

CLOSED = "http://127.0.0.1:9"
"""An address without a server."""

LIMIT = 180.0
ELT = "from orchestration.cli.app import main; main()"
REMOVING_NOTHING = f"import shutil; shutil.rmtree = lambda *a, **k: None; {ELT}"
"""Keeps work directories and temporary files, so that a test can read them afterwards."""

T = TypeVar("T")


def eventually(ask: Callable[[], T], holds: Callable[[T], bool] = bool) -> T:
    """Ask until the answer satisfies `holds`, for at most `LIMIT` seconds, and return the last answer."""
    end = time.monotonic() + LIMIT
    while not holds(answer := ask()) and time.monotonic() < end:
        time.sleep(0.1)
    return answer


@dataclass(frozen=True)
class Case:
    """One run to start.

    Attributes:
        date: Its date.
        shop: The name of its sample API.
        run_type: Its type.
        environment: More variables.
        code: The Python code that it runs.
        after: The cases that must end first; they precede it in the mapping.
        during: A function that changes the lake during the run.
    """

    date: str
    shop: str = "good"
    run_type: str = "backfill"
    environment: Mapping[str, str] = field(default_factory=dict)
    code: str = ELT
    after: tuple[str, ...] = ()
    during: Callable[[Lake, str], None] | None = None


@dataclass(frozen=True)
class Ended:
    """The end of a run's process: exit code and output."""

    date: str
    name: str
    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON that it printed."""
        report: dict[str, Any] = json.loads(self.out)
        return report


class Runs:
    """Runs all cases in the background, two at a time; they write to `folder` only."""

    def __init__(
        self,
        cases: Mapping[str, Case],
        folder: Path,
        environment: Mapping[str, str],
        shops: Mapping[str, str],
        lake: Lake,
    ) -> None:
        self.folder, self.environment = folder, environment
        self._shops, self._lake = shops, lake
        self._pool = ThreadPoolExecutor(2)
        self._futures: dict[str, Future[Ended]] = {}
        for name, case in cases.items():
            self._futures[name] = self._pool.submit(self._run, name, case)

    def __getitem__(self, name: str) -> Ended:
        return self._futures[name].result()

    def all(self) -> dict[str, Ended]:
        """Return all runs by the names of their cases."""
        return {name: future.result() for name, future in self._futures.items()}

    def elt(self, *arguments: str) -> Any:
        """Run another `elt` command and return the JSON that it prints."""
        command = [sys.executable, "-c", ELT, *arguments, "--json"]
        environment = {**self.environment, "ELT_STATE_DIR": str(self.folder / "state")}
        return json.loads(subprocess.check_output(command, env=environment, cwd=self.folder))

    def close(self) -> None:
        """Start no more cases, and wait for the running ones."""
        self._pool.shutdown(cancel_futures=True)

    def _run(self, name: str, case: Case) -> Ended:
        for other in case.after:
            self._futures[other].result()
        # A run removes work directories of dead runs, so the runs that keep theirs have a separate state folder.
        state = self.folder / ("kept" if case.code == REMOVING_NOTHING else "state")
        environment = {
            **self.environment,
            "ELT_STATE_DIR": str(state),
            "SHOP_API_URL": self._shops[case.shop],
            **case.environment,
        }
        arguments = ("run", case.date, "--run-type", case.run_type, "--json")
        printed = self.folder / "printed" / name.replace(" ", "-")
        printed.parent.mkdir(exist_ok=True)
        process = Forked(
            partial(_executed, case.code, arguments),
            folder=self.folder,
            environment=environment,
            out=printed.with_suffix(".out"),
            err=printed.with_suffix(".err"),
        )
        try:
            if case.during:
                case.during(self._lake, case.date)
            code = process.wait(LIMIT)
        except BaseException:
            process.kill()
            raise
        return Ended(case.date, f"{case.date} {case.run_type}", code, process.out, process.err)


def _executed(code: str, arguments: Sequence[str]) -> None:
    sys.argv = ["elt", *arguments]
    exec(code, {"__name__": "__main__"})


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """An API that sends a byte every 0.1 s and never ends; no timeout of a single read applies."""
    head = [(b"content-type", b"application/json")]

    async def drip() -> None:
        await send({"type": "http.response.start", "status": 200, "headers": head})
        while True:
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.1)

    dripping = asyncio.ensure_future(drip())
    while (await receive())["type"] != "http.disconnect":
        pass
    dripping.cancel()


def prefect_environment(server: LocalServer) -> dict[str, str]:
    """Return the environment of a client of this local Prefect server."""
    login = read_login(server.data)
    assert login
    return {"PREFECT_API_URL": str(server.running_url), "PREFECT_API_AUTH_STRING": login.get_secret_value()}


class Shown:
    """A reader of a Prefect server's API."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Connect; `environment` is the result of `prefect_environment`."""
        login = environment["PREFECT_API_AUTH_STRING"].partition(":")
        url = environment["PREFECT_API_URL"]
        self._api = httpx.Client(base_url=url, auth=(login[0], login[2]), trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def all(self, what: str, **asked: Any) -> list[dict[str, Any]]:
        """Return all objects of a kind."""
        found: list[dict[str, Any]] = []
        while True:
            page = self._api.post(f"/{what}/filter", json={"limit": 200, "offset": len(found), **asked})
            page.raise_for_status()
            found += page.json()
            if len(page.json()) < 200:
                return found

    def events(self) -> list[dict[str, Any]]:
        """Return all events."""
        page = self._api.post("/events/filter", json={"limit": 50}).raise_for_status().json()
        found: list[dict[str, Any]] = page["events"]
        while page["next_page"]:
            page = self._api.get(page["next_page"]).raise_for_status().json()
            found += page["events"]
        return found

    def flow_runs(self, name: str) -> list[dict[str, Any]]:
        """Return the flow runs of a name, oldest first."""
        return self.all("flow_runs", flow_runs={"name": {"any_": [name]}}, sort="START_TIME_ASC")

    def task_runs(self, flow_run: Mapping[str, Any], last: str | None) -> dict[str, str]:
        """Return the state of each task run of a flow run by name, once all are final and `last` is among them.

        The server records task runs every few seconds, in the order of their events, so a final state
        of the last task is the sign that nothing is still to come. `None`: the flow run has no tasks.
        """

        def ask() -> list[dict[str, Any]]:
            return self.all("task_runs", flow_runs={"id": {"any_": [flow_run["id"]]}})

        def are_recorded(found: list[dict[str, Any]]) -> bool:
            final = [run for run in found if run["state_type"] in ("COMPLETED", "FAILED", "CRASHED")]
            return len(final) == len(found) and (last is None or any(step_of(run["name"]) == last for run in final))

        found = eventually(ask, are_recorded)
        assert len({run["name"] for run in found}) == len(found)
        return {run["name"]: f"{run['state_type']} {run['state_name']}" for run in found}


def step_of(task_run: str) -> str:
    """Return the step that a task run is, to whose name Prefect appends; `""` for a node of dbt, `model …`."""
    return "" if " " in task_run else task_run.rpartition("-")[0]
