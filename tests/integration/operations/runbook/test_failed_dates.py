"""docs/runbook.md, "A date failed": each entry is provoked with real parts, and its commands make all well."""

from __future__ import annotations

import os
import signal
from itertools import count
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import ChangeFlowRunState

from orchestration.audit import Candidate, audit
from orchestration.context import DateRun
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import LakeRefused
from orchestration.extract import Extracted
from orchestration.flows.crashed import automation_name, ensure_automation
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.gate import gate_file
from orchestration.lake.setup import set_protection_rules
from orchestration.land import Landed
from orchestration.plan import Plan
from orchestration.publish import RunResult, publish
from orchestration.run import ATTEMPTS, DateSteps
from tests.helpers.disks import has_disks, on_a_disk
from tests.helpers.elt_runs import CLOSED, LIMIT, endless, eventually
from tests.helpers.gate_versions import version_with_gate
from tests.helpers.night import ROWS, Night, kept_branch
from tests.helpers.own_lake import elt
from tests.helpers.pipeline import KILLED, Pipeline
from tests.helpers.runbook import Operator, entry

TOKEN = "expires-tonight"


@entry("DataFailed: a test failed")
def test_a_failed_test(night: Night, operator: Operator, execution_date: str) -> None:
    night.sends(execution_date, fault="bad-day", rows=200)
    shown = operator.types(f"elt run {execution_date}", code=3)
    branch = kept_branch(shown)
    operator.sees(shown, DATE=execution_date, BRANCH=branch)

    done = operator.does({"elt run": lambda: night.recovers(execution_date)}, DATE=execution_date, BRANCH=branch)

    assert "price_not_numeric" in done[0]
    assert night.is_well(execution_date)


@entry("DataFailed: the list is empty or cut")
def test_a_list_that_is_empty_or_cut(night: Night, operator: Operator, execution_date: str) -> None:
    night.publish(execution_date)
    night.sends(execution_date, rows=20)
    shown = operator.types(f"elt run {execution_date}", code=3)
    night.sends(execution_date, fault="empty-day")
    operator.sees(shown + operator.types(f"elt run {execution_date}", code=3))
    assert night.is_well(execution_date)

    *_, whole, forced = operator.does(
        {
            "elt source check": lambda: night.sends(execution_date, rows=20),
            "elt run": lambda: night.recovers(execution_date),
            "elt run DATE --force": lambda: night.sends(execution_date, rows=20),
        },
        DATE=execution_date,
    )

    assert ("unchanged" in whole, "superseded" in forced) == (True, True)
    assert night.is_well(execution_date)


@entry("SourceFailed: the API does not answer")
def test_an_api_that_does_not_answer(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_API_URL", CLOSED)
    operator.sees(operator.types(f"elt run {execution_date}", code=4))

    operator.does(
        {"elt run": lambda: monkeypatch.setenv("SHOP_API_URL", night.url)},
        codes={"elt source check": (4,)},
        DATE=execution_date,
    )

    assert night.is_well(execution_date)


@entry("SourceFailed: the API refuses the token")
@pytest.mark.usefixtures("token_block")
def test_a_token_that_is_refused(night: Night, operator: Operator, execution_date: str) -> None:
    night.sends(execution_date, token=TOKEN)
    operator.sees(operator.types(f"elt run {execution_date}", code=4))

    operator.does(typed={"elt secrets set": TOKEN}, DATE=execution_date)

    assert night.is_well(execution_date)


@entry("PlatformFailed: lakeFS does not answer")
def test_a_lakefs_that_does_not_answer(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEFS_ENDPOINT", CLOSED)
    operator.sees(operator.types(f"elt run {execution_date}", code=5))

    operator.does(
        {"docker compose up": lambda: monkeypatch.setenv("LAKEFS_ENDPOINT", night.lake.connection.access.endpoint)},
        codes={"elt check": (5,)},
        DATE=execution_date,
    )

    assert night.is_well(execution_date)


@entry("PlatformFailed: the disk is full")
@pytest.mark.skipif(not has_disks(), reason="this kernel allows no mounts")
@pytest.mark.usefixtures("prefect_client")
def test_a_full_disk(night: Night, operator: Operator, execution_date: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    night.sends(execution_date, rows=2_000)
    command = ("run", execution_date)
    environment = {**os.environ, "ELT_STATE_DIR": str(disk)}
    with elt(*command, folder=night.project, environment=environment, within=on_a_disk(disk, "256k")) as running:
        _, shown = running.communicate(timeout=LIMIT)
    assert running.returncode == 5, shown
    operator.sees(shown)

    operator.does(DATE=execution_date)

    assert night.is_well(execution_date)


@entry("PlatformFailed: the gate or the protection is missing")
def test_a_missing_gate_or_protection(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with version_with_gate(gate_file() + b"# of another version\n"):
        shown = operator.types(f"elt run {execution_date}", code=5)
    set_protection_rules(night.lake, [])
    operator.sees(shown + operator.types(f"elt run {execution_date}", code=5))

    operator.does(DATE=execution_date)

    assert night.is_well(execution_date)


@entry("PlatformFailed: uncommitted writes on main")
def test_uncommitted_writes_on_main(night: Night, operator: Operator, execution_date: str) -> None:
    set_protection_rules(night.lake, [])
    assert eventually(lambda: is_written(night.lake))
    set_protection_rules(night.lake, [MAIN])
    operator.sees(operator.types(f"elt run {execution_date}", code=5))

    operator.does(DATE=execution_date)

    assert night.is_well(execution_date)


def is_written(lake: Lake) -> bool:
    """Returns whether `main` takes a write; lakeFS applies a changed protection after some seconds."""
    try:
        lake.put(MAIN, "stray.txt", b"x", keys.RAW_CONTENT_TYPE)
    except LakeRefused:
        return False
    return True


@entry("GateRefused")
def test_a_refusal_of_the_gate(night: Night, operator: Operator, execution_date: str) -> None:
    def add(run: DateRun, plan: Plan, extracted: Extracted, landed: Landed, built: BuildResult) -> Candidate:
        key = f"curated/events/date={execution_date}/stray.parquet"
        night.lake.put(landed.branch, key, b"stray", keys.RAW_CONTENT_TYPE)
        return audit(run, plan, extracted, landed, built)

    operator.sees(night.fails(execution_date, DateSteps(audit=add)), DATE=execution_date)

    operator.does(DATE=execution_date)

    assert night.is_well(execution_date)


@entry("Conflict")
def test_a_conflict(night: Night, operator: Operator, execution_date: str) -> None:
    rows = count(ROWS + 1)

    def lose(run: DateRun, candidate: Candidate) -> RunResult:
        night.publish(execution_date, rows=next(rows))
        return publish(run, candidate)

    operator.sees(night.fails(execution_date, DateSteps(publish=lose)))
    assert next(rows) == ROWS + 1 + ATTEMPTS

    versions, done = operator.does(DATE=execution_date)

    assert versions.count("superseded") == ATTEMPTS - 1
    assert "superseded" in done
    assert night.is_well(execution_date)


@entry("TimedOut")
def test_a_run_that_timed_out(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.sends(execution_date, endless)
    monkeypatch.setenv("ELT_RUN_TIMEOUT", "2")
    operator.sees(operator.types(f"elt run {execution_date}", code=7))
    monkeypatch.delenv("ELT_RUN_TIMEOUT")

    operator.does({"elt source check": lambda: night.recovers(execution_date)}, DATE=execution_date)

    assert night.is_well(execution_date)


@entry("Crashed: the process was killed")
def test_a_killed_process(
    night: Night, operator: Operator, execution_date: str, prefect_client: SyncPrefectClient
) -> None:
    ended = Pipeline(os.environ).run(execution_date, DateSteps(publish=die))
    assert ended.outcome == KILLED
    # test_crashed_runs waits until the server carries it out.
    ensure_automation(prefect_client, "runbook", {"ingest-clean"})
    (automation,) = prefect_client.read_automations_by_name(automation_name("runbook"))
    prefect_client.delete_automation(automation.id)
    (action,) = automation.actions
    assert isinstance(action, ChangeFlowRunState)
    operator.sees(f"{action.state.value.capitalize()}: {action.message}")

    operator.does(codes={"elt check": (5,)}, DATE=execution_date)

    assert list(night.lake.branches(f"etl-{execution_date}-")) != []
    assert night.is_well(execution_date)


def die(run: DateRun, candidate: Candidate) -> RunResult:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(run, candidate)
