"""The deployments of prefect.yaml on a real Prefect server, with a real worker and a lakeFS that may go down."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import psutil
import pytest
import yaml
from prefect.client.schemas.objects import FlowRun
from prefect.context import refresh_global_settings_context
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelling, Scheduled
from starlette.types import Receive, Scope, Send

from examples.events_api import Options, create_app
from orchestration.flows import crashed
from orchestration.flows.check import check_outside_of_prefect
from orchestration.flows.deploy import deploy, tagged
from orchestration.lake import keys
from orchestration.lake.client import MAIN
from orchestration.lake.history import publications
from orchestration.lake.keys import LINK
from orchestration.lake.receipt import read_receipt
from orchestration.log import SILENT
from orchestration.prefect_file import read_prefect_file
from orchestration.project import own_name
from orchestration.servers.background import LocalServer
from orchestration.settings import PROJECT_DIR, read_settings
from tests.helpers.elt_runs import endless, eventually
from tests.helpers.isolation import PROJECT
from tests.helpers.nightly import (
    AGAIN,
    BAD,
    DOWN,
    ENDLESS,
    GOOD,
    SLOW,
    TOKEN,
    Nightly,
    follower,
    run_nightly,
    started_after,
)
from tests.helpers.pipeline import require_whole
from tests.helpers.projects import NAME
from tests.helpers.secret_search import files_below, forms, leaks


@pytest.fixture(scope="module")
def nightly(prefect_server: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nightly]:
    """The running deployments, shared by the tests of this module."""
    with run_nightly(prefect_server, tmp_path_factory.mktemp("nightly")) as running:
        yield running


# What is deployed.


def deployed(nightly: Nightly) -> dict[str, dict[str, Any]]:
    """Returns what the API shows of each deployment, in the form of prefect.yaml."""
    found: dict[str, dict[str, Any]] = {}
    automations = nightly.shown.all("automations")
    for one in nightly.shown.all("deployments"):
        triggers = [
            {
                "type": "event",
                "name": automation["name"],
                "expect": sorted(automation["trigger"]["expect"]),
                "match_related": automation["trigger"]["match_related"],
                "posture": automation["trigger"]["posture"],
                "threshold": automation["trigger"]["threshold"],
            }
            for automation in automations
            if any(action.get("deployment_id") == one["id"] for action in automation["actions"])
        ]
        found[one["name"]] = {
            "name": one["name"],
            "entrypoint": one["entrypoint"],
            "tags": one["tags"],
            "work_pool": {"name": one["work_pool_name"], "work_queue_name": one["work_queue_name"]},
            "enforce_parameter_schema": one["enforce_parameter_schema"],
            "concurrency_limit": {
                "limit": one["global_concurrency_limit"]["limit"],
                "collision_strategy": one["concurrency_options"]["collision_strategy"],
            },
            **(
                {
                    "schedules": [
                        {
                            # Prefect adds a line with a start in 2020 before it.
                            "rrule": schedule["schedule"]["rrule"].rpartition("\n")[2],
                            "timezone": schedule["schedule"]["timezone"],
                            "slug": schedule["slug"],
                            "active": schedule["active"],
                            "parameters": schedule["parameters"],
                        }
                        for schedule in one["schedules"]
                    ]
                }
                if one["schedules"]
                else {}
            ),
            **({"triggers": triggers} if triggers else {}),
        }
    return found


def declared(text: str) -> dict[str, dict[str, Any]]:
    file = replace(read_prefect_file(PROJECT_DIR), content=yaml.safe_load(text))
    found = {one["name"]: one for one in tagged(file, NAME)["deployments"]}
    for one in found.values():
        for trigger in one.get("triggers", ()):
            trigger["expect"] = sorted(trigger["expect"])
    return found


def test_the_api_shows_what_the_file_declares(nightly: Nightly) -> None:
    text = (PROJECT_DIR / "prefect.yaml").read_text()

    assert deployed(nightly) == declared(text)
    # The comparison finds a misspelt key, which Prefect ignores silently.
    assert deployed(nightly) != declared(text.replace("schedules:", "schedule:"))


def test_descriptions_and_parameters_come_from_the_flows(nightly: Nightly) -> None:
    found = {one["name"]: one for one in nightly.shown.all("deployments")}

    assert found["daily-ingest"]["description"].startswith(
        "Publish one date: extract, land, transform, audit, publish."
    )
    assert found["marts"]["description"].startswith("Publish the marts")
    assert found["backfill"]["description"].startswith("Publish a range of dates")
    assert found["eda-report"]["description"].startswith("Profile the published tables")
    assert found["housekeeping"]["description"].startswith("Remove branches and files that dead runs left")
    parameters = found["daily-ingest"]["parameter_openapi_schema"]["properties"]
    assert sorted(parameters) == ["bucket", "engine", "execution_date", "force", "repo", "run_type", "sources"]
    assert parameters["run_type"]["enum"] == ["daily", "backfill"]
    assert not any(one["pull_steps"] for one in found.values())


def test_the_nightly_queue_comes_before_downstream_and_backfill(nightly: Nightly) -> None:
    file = read_prefect_file(PROJECT_DIR)
    found = {queue.name: queue.priority for queue in nightly.client.read_work_queues(work_pool_name=file.pool)}

    assert {name: found[name] for name in file.queues} == file.queues
    assert found["nightly"] < found["check"] < found["downstream"] < found["backfill"]


def test_a_run_with_invalid_parameters_is_refused(nightly: Nightly) -> None:
    with pytest.raises(PrefectHTTPStatusError, match="run_type"):
        nightly.begin("ingest-clean/daily-ingest", run_type="hourly")


# What runs.


def test_a_scheduled_date_is_published_and_marts_and_report_follow(nightly: Nightly) -> None:
    late = datetime(2016, 2, 2, 3, tzinfo=UTC)

    run = nightly.ended(nightly.begin("ingest-clean/daily-ingest", late, run_type="daily"))

    assert run.state is not None
    assert (run.name, run.state.name) == (f"{GOOD} daily", "Published")
    assert require_whole(nightly.lake, GOOD)
    newest = next(entry for entry in publications(nightly.lake) if entry.execution_date == GOOD)
    assert nightly.lake.commit_of(newest.commit).metadata[LINK].endswith(str(run.id))
    reported = follower(nightly, "eda-report", run)
    made = follower(nightly, "marts", run)
    assert (made.state_name, reported.state_name) == ("Published", "Reported")
    receipt = read_receipt(nightly.lake, MAIN, keys.MARTS_RECEIPT)
    page = nightly.lake.read("reports", "reports/eda.html")
    assert receipt is not None
    assert keys.date_receipt(GOOD) in receipt.content["inputs"]["receipts"]
    assert page is not None
    assert GOOD.encode() in page
    artifacts = {one["key"]: one for one in artifacts_of(nightly, run)}
    summary, results, link = (own_name(NAME, key) for key in ("run-summary", "dbt-results", "lakefs-commit"))
    assert {summary, results, link} <= artifacts.keys()
    assert "| events | 200 |" in artifacts[summary]["data"]
    assert newest.commit in artifacts[summary]["data"]
    assert own_name(NAME, "eda-report") in {one["key"] for one in artifacts_of(nightly, reported)}
    # From here on, no automation uses the worker.
    for automation in nightly.client.read_automations():
        nightly.client.pause_automation(automation.id)


def test_a_run_that_started_earlier_does_not_follow() -> None:
    runs = [{"start_time": f"2026-11-26T{at}Z"} for at in ("11:59:59.900000", "12:00:00.100000")]

    assert started_after([*runs, {"start_time": None}], datetime(2026, 11, 26, 12, tzinfo=UTC)) == runs[1:]


def test_a_backfill_is_a_run_per_chunk_and_the_marts_follow_once(nightly: Nightly) -> None:
    first, bad, last = "2016-03-01", "2016-03-02", "2016-03-03"
    nightly.shop.dates[bad] = create_app(Options(rows=1_000, token=TOKEN, fault="bad-day"))

    plan = nightly.ended(nightly.begin("backfill/backfill", first=first, last=last, chunk=2, engine="duckdb"))
    chunks = chunks_of(nightly, plan, 2)

    assert plan.state is not None
    assert plan.state.name == "Planned"
    assert plan.state.message == f"{first} to {last}, missing: 3 dates in 2 flow runs"
    states = {run.name: run.state for run in chunks}
    assert states[f"{first} to {bad}"].name == "DataFailed"
    assert states[f"{first} to {bad}"].message.startswith("1 of 2 dates are on main\nDataFailed: 2016-03-02 transform")
    assert states[f"{last} to {last}"].name == "Backfilled"
    tasks = nightly.shown.all("task_runs", flow_runs={"id": {"any_": [str(run.id) for run in chunks]}})
    assert sorted((task["name"][: len(first)], task["state_name"]) for task in tasks) == [
        (first, "Published"),
        (bad, "DataFailed"),
        (last, "Published"),
    ]
    assert [require_whole(nightly.lake, day) for day in (first, bad, last)] == [True, False, True]
    # Backfills notify nobody: who starts one looks at it.
    assert not [one for one in nightly.received if one["subject"] in ("backfill", bad)]
    made = follower(nightly, "marts", plan)
    assert made.state_name == "Superseded"
    assert made.parameters["engine"] == "duckdb"
    runs = nightly.shown.all("flow_runs", flow_runs={"name": {"any_": ["marts"]}})
    assert len(started_after(runs, plan.start_time or datetime.now(UTC))) == 1

    again = nightly.ended(nightly.begin("backfill/backfill", first=first, last=first))
    wrong = nightly.ended(nightly.begin("backfill/backfill", first=last, last=first))
    assert [run.state_name for run in (again, wrong)] == ["Unchanged", "UsageError"]


def chunks_of(nightly: Nightly, plan: FlowRun, count: int) -> list[Any]:
    """Waits for the ends of the runs that a plan has created, and returns them."""
    runs = nightly.shown.all("flow_runs", flow_runs={"tags": {"all_": [f"backfill:{plan.id}"]}})
    assert len(runs) == count
    return [nightly.ended(UUID(run["id"])) for run in runs]


def artifacts_of(nightly: Nightly, run: FlowRun) -> list[dict[str, Any]]:
    return nightly.shown.all("artifacts", artifacts={"flow_run_id": {"any_": [str(run.id)]}})


def test_invalid_data_is_reported_as_data_failed(nightly: Nightly) -> None:
    run = nightly.date(BAD)

    assert run.state is not None
    assert (run.state.type.value, run.state.name) == ("FAILED", "DataFailed")
    assert not require_whole(nightly.lake, BAD)
    (notice,) = notices_of(nightly, BAD)
    assert notice["outcome"] == "DataFailed"
    assert notice["cause"].startswith(f"{BAD} transform: events_reject_share_within_limit")
    assert notice["link"].endswith(f"/runs/flow-run/{run.id}")
    assert notice["text"].startswith(f"{NAME} {BAD}: DataFailed\n")
    results = next(one for one in artifacts_of(nightly, run) if one["key"] == own_name(NAME, "dbt-results"))
    assert json.loads(results["data"])[0]["node"] == "events_reject_share_within_limit"


def notices_of(nightly: Nightly, date: str) -> list[dict[str, Any]]:
    """Returns what the webhook received for a date; waits, because hooks run after the state is set."""
    end = time.monotonic() + 30
    while not (found := [one for one in nightly.received if one["subject"] == date]) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def test_a_source_that_never_ends_does_not_block_the_next_run(nightly: Nightly) -> None:
    nightly.shop.dates[ENDLESS] = endless
    first = nightly.begin(
        "ingest-clean/daily-ingest", environment={"ELT_RUN_TIMEOUT": "10"}, execution_date=ENDLESS, run_type="daily"
    )
    nightly.until(first, lambda run: run.start_time)
    second = nightly.begin("ingest-clean/daily-ingest", execution_date=GOOD)

    ended, later = nightly.ended(first), nightly.ended(second)

    assert ended.state is not None
    assert (ended.state.type.value, ended.state.name) == ("FAILED", "TimedOut")
    assert later.state_name in ("Unchanged", "Published")
    assert not require_whole(nightly.lake, ENDLESS)
    assert [one["outcome"] for one in notices_of(nightly, ENDLESS)] == ["TimedOut"]
    assert not list((nightly.state / "work").glob(f"*-{ENDLESS}-*"))


def test_a_manual_retry_publishes_after_the_lake_was_down(nightly: Nightly) -> None:
    nightly.own.server.stop(SILENT)
    try:
        failed = nightly.date(DOWN)
    finally:
        nightly.own.start()
    assert failed.state is not None
    assert (failed.state.type.value, failed.state.name) == ("FAILED", "PlatformFailed")

    # As the button "Retry" in the UI does.
    nightly.client.set_flow_run_state(failed.id, Scheduled(name="AwaitingRetry", scheduled_time=datetime.now(UTC)))
    retried = nightly.until(failed.id, lambda run: run.state.is_completed())

    assert (retried.state_name, retried.run_count) == ("Published", 2)
    assert require_whole(nightly.lake, DOWN)
    assert [one["outcome"] for one in notices_of(nightly, DOWN)] == ["PlatformFailed"]


def process_of(run: FlowRun, nightly: Nightly) -> psutil.Process:
    """Returns the process of a flow run, a child of the worker."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT__FLOW_RUN_ID") == str(run.id):
                return process
        except psutil.Error:
            continue
    raise AssertionError(f"no process of {run.id}")


def test_a_killed_run_is_crashed_and_the_next_one_publishes(nightly: Nightly) -> None:
    begun = nightly.begin("ingest-clean/daily-ingest", execution_date=SLOW)
    running = nightly.until(begun, lambda run: run.state.is_running())
    os.kill(process_of(running, nightly).pid, signal.SIGKILL)

    crashed = nightly.ended(begun)
    assert crashed.state is not None
    assert crashed.state.type.value == "CRASHED"
    assert [one["outcome"] for one in notices_of(nightly, SLOW)] == ["Crashed"]

    again = nightly.date(SLOW)
    assert again.state_name == "Published"
    assert require_whole(nightly.lake, SLOW)


def test_a_cancelled_run_leaves_main_untouched(nightly: Nightly) -> None:
    released = Event()

    async def held(scope: Scope, receive: Receive, send: Send) -> None:
        while not released.is_set():
            await asyncio.sleep(0.05)
        await nightly.shop.otherwise(scope, receive, send)

    # The response is delayed, so that the run cannot publish before it is cancelled.
    nightly.shop.dates[AGAIN] = held
    try:
        begun = nightly.begin("ingest-clean/daily-ingest", execution_date=AGAIN)
        nightly.until(begun, lambda run: run.state.is_running())
        nightly.client.set_flow_run_state(begun, Cancelling())
        cancelled = nightly.ended(begun)
    finally:
        released.set()
        del nightly.shop.dates[AGAIN]

    assert cancelled.state is not None
    assert cancelled.state.is_cancelled()
    assert not require_whole(nightly.lake, AGAIN)
    assert nightly.date(AGAIN, run_type="backfill").state_name == "Published"


def test_a_changed_date_shows_its_rows_before_and_after(nightly: Nightly) -> None:
    assert nightly.date(AGAIN, run_type="backfill").state_name in ("Published", "Unchanged")
    nightly.shop.dates[AGAIN] = create_app(Options(rows=300, token=TOKEN))

    again = nightly.date(AGAIN, run_type="backfill")

    assert again.state_name == "Superseded"
    (shown,) = (one for one in artifacts_of(nightly, again) if one["key"] == own_name(NAME, "superseded-rows"))
    (events,) = (row for row in json.loads(shown["data"]) if row["table"] == "events")
    assert events["rows before"] < events["rows after"]


def test_a_backfill_sends_no_notification(nightly: Nightly) -> None:
    before = len(nightly.received)

    run = nightly.date(BAD, run_type="backfill")

    assert run.state_name == "DataFailed"
    # The hooks run in the flow run's process, after the state is set.
    assert files_of_running_flows(nightly) == []
    assert len(nightly.received) == before


def test_one_night_publishes_the_dates_of_three_nights_without_a_worker(
    nightly: Nightly, monkeypatch: pytest.MonkeyPatch
) -> None:
    *missed, tonight = (f"2016-02-{day}" for day in range(17, 21))
    access = nightly.own.access
    monkeypatch.setenv("LAKEFS_ACCESS_KEY", access.access_key.get_secret_value())
    monkeypatch.setenv("LAKEFS_SECRET_KEY", access.secret_key.get_secret_value())
    monkeypatch.setenv("ELT_CATCH_UP_DAYS", "3")
    for name, value in nightly.environment.items():
        monkeypatch.setenv(name, value)
    refresh_global_settings_context()

    with nightly.only_worker_of("check"):
        # Prefect was down in the first two nights, and created no run. In the third one, only the worker was.
        for date in missed[:2]:
            checked = check_outside_of_prefect(read_settings(), date, notify_people=True, log=SILENT)
            assert (checked.outcome, checked.notified) == ("NotPublished", True)
            assert "no flow run was created, although ingest-clean/daily-ingest has an active sched" in checked.cause
        late = nightly.begin(
            "ingest-clean/daily-ingest", datetime(2016, 2, 20, 3, tzinfo=UTC), {"ELT_CATCH_UP_DAYS": "0"}
        )
        check = nightly.ended(nightly.begin("nightly-check/nightly-check", datetime(2016, 2, 20, 8, tzinfo=UTC)))
        assert (check.name, check.state_name) == (f"check {missed[2]}", "NotPublished")
        # The check sends its notice after its state is set, and the end of its worker would stop it.
        for date in missed:
            assert [one["outcome"] for one in notices_of(nightly, date)] == ["NotPublished"]
    (notice,) = notices_of(nightly, missed[2])
    assert "its flow run of 2016-02-20 03:00 UTC has not started" in notice["cause"]
    assert f"/runs/flow-run/{late}" in notice["cause"]

    # The worker runs again.
    assert nightly.ended(late).state_name == "Published"
    begun = nightly.begin("ingest-clean/daily-ingest", datetime(2016, 2, 21, 3, tzinfo=UTC), {"ELT_CATCH_UP_DAYS": "3"})
    assert nightly.ended(begun).state_name == "Published"
    published = eventually(
        lambda: [date for date in missed if nightly.lake.stat(MAIN, keys.date_receipt(date))],
        lambda found: found == missed,
    )

    assert published == missed
    assert all(require_whole(nightly.lake, date) for date in (*missed, tonight))
    checked = check_outside_of_prefect(read_settings(), tonight, notify_people=True, log=SILENT)
    assert (checked.outcome, checked.missing, checked.notified) == ("Published", (), False)


def files_of_running_flows(nightly: Nightly) -> list[Path]:
    """Waits until no flow run has a process; returns the files of those that still have one."""
    attempts = (nightly.state / "worker" / "tmp").glob
    return eventually(lambda: list(attempts("prefect-workspace-attempt-*")), lambda left: not left)


def test_no_secret_is_left_anywhere(nightly: Nightly, prefect_server: LocalServer, tmp_path: Path) -> None:
    access = nightly.own.access
    secret = access.secret_key.get_secret_value()
    sought = forms(secret, access.access_key.get_secret_value()) | forms(TOKEN)
    # During a run, Prefect keeps its environment in a private file of the worker.
    assert files_of_running_flows(nightly) == []
    places = files_below(nightly.state, prefect_server.data, prefect_server.log.parent)
    kinds = ("flows", "flow_runs", "task_runs", "logs", "artifacts", "variables", "block_documents", "deployments")
    places |= {kind: json.dumps(nightly.shown.all(kind)).encode() for kind in kinds}
    places["events"] = json.dumps(nightly.shown.events()).encode()
    places["received"] = json.dumps(nightly.received).encode()
    for commit in nightly.lake.log(MAIN):
        places[commit.id] = json.dumps(dict(commit.metadata)).encode()
    for stored in nightly.lake.objects(MAIN):
        places[stored.key] = nightly.lake.read(MAIN, stored.key) or b""

    assert {"worker.log", "prefect.db"} <= {Path(place).name for place in places}
    assert len(places["artifacts"]) > 100
    assert leaks(places, sought, tmp_path) == []


def test_deploying_again_creates_nothing(nightly: Nightly, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in nightly.environment.items():
        monkeypatch.setenv(name, value)
    refresh_global_settings_context()
    before = {one["name"]: one["id"] for one in nightly.shown.all("deployments")}

    deploy(nightly.environment["PREFECT_API_URL"], PROJECT, SILENT)

    assert {one["name"]: one["id"] for one in nightly.shown.all("deployments")} == before
    assert sorted(one["name"] for one in nightly.shown.all("automations")) == [
        "ingest-clean: EDA report after the marts",
        "ingest-clean: marts after a date",
        crashed.automation_name(NAME),
    ]
