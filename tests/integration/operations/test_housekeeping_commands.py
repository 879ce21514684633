"""`elt clean` and the flow `housekeeping`: output, exit codes, final state, and who is notified."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lakefs_sdk
import pytest
from prefect.client.orchestration import SyncPrefectClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typer.testing import CliRunner

from examples.events_api import serving
from orchestration.cli.app import app
from orchestration.errors import PlatformFailed, UsageError
from orchestration.flows.housekeeping import housekeeping
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.settings import PROJECT_DIR

DEAD, SANDBOX = "etl-2025-05-20-00000001", "sandbox-mine"
LONG_AGO = datetime.now(UTC) - timedelta(days=60)


@pytest.fixture(scope="module")
def lake(open_repository: Callable[..., Lake]) -> Lake:
    lake = open_repository("cleaned")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    return lake


@pytest.fixture
def old(lake: Lake) -> Iterator[None]:
    """The branch of a dead run and an unused sandbox, both with an old commit."""
    commit = lakefs_sdk.CommitCreation(message="raw", var_date=int(LONG_AGO.timestamp()))
    for name in (DEAD, SANDBOX):
        lake.create_branch(name, lake.head(MAIN))
        lake.put(name, "marts/mine/data.parquet", name.encode(), keys.RAW_CONTENT_TYPE)
        lakefs_sdk.CommitsApi(lake.connection.sdk).commit(lake.repository, name, commit)
    yield
    for name in (DEAD, SANDBOX):
        lake.delete_branch(name)


@pytest.fixture
def received(
    lake: Lake, prefect_client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[list[dict[str, Any]]]:
    """What the webhook receives from flows and commands, which use the session's servers."""
    # A command and a flow leave their connections to the end of their process.
    for function in ("endpoints.open_lake", "flows.housekeeping.open_own_lake"):
        monkeypatch.setattr(f"orchestration.{function}", lambda settings: lake)
    notices: list[dict[str, Any]] = []

    async def receive(request: Request) -> Response:
        notices.append(await request.json())
        return Response(status_code=204)

    with serving(Starlette(routes=[Route("/hook", receive, methods=["POST"])])) as url:
        environment = {
            "ELT_STATE_DIR": str(tmp_path / "state"),
            "ELT_NOTIFY_URL": f"{url}/hook",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield notices


def elt(*arguments: str, code: int = 0) -> str:
    """Runs a command in this process; an error of the project is raised."""
    result = CliRunner().invoke(app, arguments)
    if isinstance(result.exception, Exception):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.mark.usefixtures("old", "received")
def test_the_command_shows_first_and_removes_with_yes(lake: Lake) -> None:
    shown = elt("clean")
    found = json.loads(elt("clean", "--json"))

    assert shown.splitlines()[-1] == (
        "would remove 1 of 2 branches, 0 local files and 0 old reports; would warn of 1 sandboxes; "
        "audit: nothing is wrong; do it with --yes"
    )
    assert (found["dry_run"], found["flow_runs_unknown"], found["audited"]["findings"]) == (True, "", [])
    assert {one["branch"]: one["action"] for one in found["branches"]} == {DEAD: "remove", SANDBOX: "warn"}
    assert {one["name"]: one["bytes"] for one in found["storage"]["branches"]} == {
        DEAD: len(DEAD),
        SANDBOX: len(SANDBOX),
    }
    assert {*lake.branches()} == {MAIN, DEAD, SANDBOX}
    assert lake.uncommitted(SANDBOX) == ()

    done = elt("clean", "--yes")

    assert done.splitlines()[-1].startswith("removed 1 of 2 branches")
    assert {*lake.branches()} == {MAIN, SANDBOX}
    assert "removed after" in elt("sandbox", "list").splitlines()[0]
    assert elt("clean", "--yes").splitlines()[-1].startswith("removed 0 of 1 branches")


@pytest.mark.usefixtures("received")
@pytest.mark.parametrize("arguments", [("--older-than", "0"), ("--unused", "0"), ("--older-than", "40000")])
def test_an_age_that_is_not_one_is_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="is not a number of days"):
        elt("clean", *arguments)


@pytest.mark.usefixtures("old")
def test_the_flow_removes_warns_and_ends_as_failed_after_a_finding(lake: Lake, received: list[dict[str, Any]]) -> None:
    state = housekeeping(repo="cleaned", return_state=True)

    assert (state.name, state.is_completed()) == ("Cleaned", True)
    assert {*lake.branches()} == {MAIN, SANDBOX}
    ((warned,), received[:]) = (received[:], [])
    assert (warned["subject"], warned["outcome"]) == ("housekeeping", "Warned")
    assert warned["cause"].startswith(f"{SANDBOX}: unused since {LONG_AGO:%Y-%m-%d}; removed 7 days after")

    lake.create_branch("past", lake.head(MAIN))
    lake.delete("past", [keys.GATE])
    lake.merge(lake.commit("past", "past the gate", {}), "past the gate", {})
    failed = housekeeping(repo="cleaned", return_state=True)

    assert (failed.name, failed.is_failed()) == ("PlatformFailed", True)
    assert "the audit of main has 2 findings, such as " in str(failed.message)
    assert [(one["subject"], one["outcome"]) for one in received] == [("housekeeping", "PlatformFailed")]
    with pytest.raises(PlatformFailed):
        failed.result()
    assert keys.GATE in elt("clean", code=5)
    lake.delete_branch("past")
