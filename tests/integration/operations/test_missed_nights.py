"""Missed nights: which dates are missed or stale, what the check finds, and `elt check` as a command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import State
from prefect.client.schemas.schedules import RRuleSchedule
from prefect.states import Completed, Failed, Pending, Running, Scheduled
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.errors import LakeUnreachable, UsageError
from orchestration.flows.check import nightly_check
from orchestration.flows.lookback import start_earlier_dates
from orchestration.flows.nights import cause_of, unfinished_dates
from orchestration.flows.own import INGEST
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.stale import stale_dates_at
from orchestration.lookback import missed_dates
from orchestration.project import tag_of
from orchestration.servers.model import Server
from tests.helpers.elt_runs import CLOSED
from tests.helpers.gate_branches import audited_pages, install_gate, md5, merge, receipt
from tests.helpers.projects import NAME

OLD, FIRST, SECOND, GAP, LAST, NIGHT = "2025-04-01", *(f"2025-05-{day}" for day in (10, 11, 12, 13, 14))
Elt = Callable[..., Any]


def publish(lake: Lake, date: str, body: bytes = b"[]") -> str:
    """Merges a date through the gate as a run does, without building it."""
    return merge(lake, audited_pages(date, {1: body}), outcome="published", execution_date=date)


def take_off(lake: Lake, date: str, *, whole: bool = False) -> None:
    """Takes a date off `main`, as a rollback of it or of all of `main` does."""
    named = {} if whole else {"execution_date": date}
    merge(lake, dict.fromkeys(audited_pages(date, {1: b"[]"})), outcome="rolled back", **named)


@pytest.fixture(scope="module")
def lake(open_repository: Callable[..., Lake]) -> Lake:
    """A lake with three dates before `NIGHT`, a gap, and marts of the first date only."""
    lake = install_gate(open_repository("missed-nights"))
    publish(lake, FIRST)
    receipts = {keys.date_receipt(FIRST): md5(audited_pages(FIRST, {1: b"[]"})[keys.date_receipt(FIRST)] or b"")}
    mart = "marts/daily_sales/data.parquet"
    made = receipt({mart: md5(b"mart")}, inputs={"commit": lake.head(MAIN), "receipts": receipts})
    merge(lake, {mart: b"mart", keys.MARTS_RECEIPT: made}, outcome="published")
    publish(lake, SECOND)
    publish(lake, LAST)
    return lake


# Which dates are missed.


def test_a_gap_after_the_first_published_date_is_missed(lake: Lake) -> None:
    assert missed_dates(lake, NIGHT, 7) == (GAP,)
    assert missed_dates(lake, "2025-05-17", 7) == (GAP, "2025-05-14", "2025-05-15", "2025-05-16")
    assert missed_dates(lake, "2025-05-17", 2) == ("2025-05-15", "2025-05-16")
    assert missed_dates(lake, NIGHT, 0) == ()


def test_dates_before_the_first_published_one_were_not_missed(lake: Lake) -> None:
    assert missed_dates(lake, FIRST, 7) == ()
    assert missed_dates(lake, OLD, 7) == ()


def test_a_new_lake_has_missed_nothing(open_repository: Callable[..., Lake]) -> None:
    new = install_gate(open_repository("missed-nights-new"))
    assert missed_dates(new, NIGHT, 7) == ()
    publish(new, NIGHT)
    assert missed_dates(new, NIGHT, 7) == ()


@pytest.mark.parametrize("whole", [False, True])
def test_a_date_that_was_rolled_back_is_not_missed_until_it_is_published_again(lake: Lake, whole: bool) -> None:
    take_off(lake, LAST, whole=whole)
    assert missed_dates(lake, NIGHT, 7) == (GAP,)

    publish(lake, LAST)
    assert missed_dates(lake, NIGHT, 7) == (GAP,)


# Stale marts.


def test_marts_are_stale_for_dates_that_came_changed_or_went_since(lake: Lake) -> None:
    assert stale_dates_at(lake, MAIN) == (SECOND, LAST)
    publish(lake, FIRST, b"[1]")
    assert stale_dates_at(lake, MAIN) == (FIRST, SECOND, LAST)
    publish(lake, FIRST)
    assert stale_dates_at(lake, MAIN) == (SECOND, LAST)
    take_off(lake, FIRST)
    assert stale_dates_at(lake, MAIN) == (FIRST, SECOND, LAST)
    publish(lake, FIRST)


def test_a_lake_without_marts_has_no_stale_ones(lake: Lake) -> None:
    *_, first = lake.log(MAIN)
    assert stale_dates_at(lake, first.id) == ()


def test_status_and_a_planned_rollback_name_stale_marts(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    servers = (Server("lakefs", lake.connection.access.endpoint, "configured"),)
    monkeypatch.setattr("orchestration.servers.local.status", lambda settings: servers)
    monkeypatch.setattr("orchestration.endpoints.open_lake", lambda settings: lake)
    status, planned = (CliRunner().invoke(app, asked).stdout for asked in (["status"], ["rollback", "--date", LAST]))

    assert f"the marts are stale for {SECOND}, {LAST}: elt marts builds them again" in status
    assert f"the marts are then stale for {SECOND}" in planned
    assert json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)["stale_dates"] == [SECOND, LAST]
    monkeypatch.setattr("orchestration.servers.local.status", lambda settings: ())
    assert json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)["stale_dates"] is None


# What Prefect knows about a night.


@pytest.fixture
def deployment(prefect_client: SyncPrefectClient) -> Iterator[UUID]:
    """The nightly deployment with an active schedule, in a pool that no worker serves."""
    pool = prefect_client.create_work_pool(WorkPoolCreate(name=f"unserved-{uuid4().hex[:8]}", type="process"))
    made = prefect_client.create_deployment(
        prefect_client.create_flow_from_name("ingest-clean"),
        "daily-ingest",
        work_pool_name=pool.name,
        entrypoint=INGEST,
        tags=[tag_of(NAME)],
    )
    yield made
    prefect_client.delete_deployment(made)
    prefect_client.delete_work_pool(pool.name)


def begin(client: SyncPrefectClient, deployment: UUID, state: State[Any], **parameters: Any) -> UUID:
    return client.create_flow_run_from_deployment(deployment, state=state, parameters=parameters).id


def at_three(date: str) -> datetime:
    """Returns the scheduled start of a date's night."""
    return datetime.fromisoformat(date).replace(tzinfo=UTC) + timedelta(days=1, hours=3)


def test_a_night_without_a_run_names_the_schedule_or_the_server(
    prefect_client: SyncPrefectClient, deployment: UUID
) -> None:
    assert cause_of("2009-05-01", NAME).text.endswith("daily-ingest has no active schedule, resume it in Prefect")

    schedule = RRuleSchedule(rrule="FREQ=DAILY;BYHOUR=3;BYMINUTE=0;BYSECOND=0", timezone="UTC")
    prefect_client.create_deployment_schedules(deployment, [DeploymentScheduleCreate(schedule=schedule, active=True)])
    assert "has an active schedule: the Prefect server did not run" in cause_of("2009-05-01", NAME).text


def test_a_run_that_nobody_took_names_the_missing_worker(prefect_client: SyncPrefectClient, deployment: UUID) -> None:
    run = begin(prefect_client, deployment, Scheduled(scheduled_time=at_three("2009-05-02")))

    found = cause_of("2009-05-02", NAME)

    assert found.text.startswith("its flow run of 2009-05-03 03:00 UTC has not started (")
    assert found.text.endswith(": start one")
    assert "no worker serves the queue default" in found.text
    assert found.link.endswith(f"/runs/flow-run/{run}")
    pool = str(prefect_client.read_deployment(deployment).work_pool_name)
    prefect_client.update_work_pool(pool, WorkPoolUpdate(is_paused=True))
    assert cause_of("2009-05-02", NAME).text.endswith(f"the work pool {pool} is paused")


@pytest.mark.parametrize(
    ("date", "state", "says"),
    [
        ("2009-05-03", Running(), "its flow run has not ended: Running"),
        (
            "2009-05-04",
            Failed(name="DataFailed", message="events_has_rows"),
            "its flow run ended as DataFailed: events",
        ),
        ("2009-05-05", Completed(name="Published"), "its flow run ended as Published, and main does not have the date"),
    ],
    ids=["running", "failed", "published"],
)
def test_a_run_that_started_names_its_state(
    prefect_client: SyncPrefectClient, deployment: UUID, date: str, state: State[Any], says: str
) -> None:
    earlier = begin(prefect_client, deployment, Scheduled(scheduled_time=at_three(date)))
    run = begin(prefect_client, deployment, Pending(), execution_date=date)
    prefect_client.set_flow_run_state(run, state, force=True)

    found = cause_of(date, NAME)

    assert found.text.startswith(says)
    assert found.link.endswith(f"/{run}")
    waiting = unfinished_dates(prefect_client, deployment)
    prefect_client.set_flow_run_state(earlier, Failed(), force=True)
    assert date in waiting
    assert (date in unfinished_dates(prefect_client, deployment)) == (not state.is_final())


def test_a_night_creates_a_run_for_each_missed_date_that_has_none_oldest_first(
    lake: Lake, prefect_client: SyncPrefectClient, deployment: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.flows.lookback.open_lake", lambda settings: lake)
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", str(deployment))
    # The schedule's own run of one of the nights, which no worker has taken yet.
    begin(prefect_client, deployment, Scheduled(scheduled_time=at_three("2025-05-15")))

    place = {"repo": lake.repository, "bucket": "lakefs", "engine": "spark"}

    @flow(name="nightly", persist_result=False)
    def night(date: str, outcome: str) -> None:
        state: State[Any] = Completed(name=outcome) if outcome == "Published" else Failed(name=outcome)
        start_earlier_dates(date, state, place)

    def created() -> list[dict[str, Any]]:
        runs = [run for run in prefect_client.read_flow_runs() if run.deployment_id == deployment and run.parameters]
        return [run.parameters for run in sorted(runs, key=lambda run: str(run.created))]

    night("2025-05-17", "SourceFailed")
    monkeypatch.setenv("ELT_CATCH_UP_DAYS", "0")
    night("2025-05-17", "Published")
    assert created() == []
    monkeypatch.delenv("ELT_CATCH_UP_DAYS")

    night("2025-05-17", "DataFailed")
    night("2025-05-17", "Published")

    assert created() == [{"execution_date": date, **place} for date in (GAP, "2025-05-14", "2025-05-16")]


def test_without_the_deployment_the_cause_is_named(prefect_client: SyncPrefectClient) -> None:
    assert "no deployment of ingest-clean for the project ingest_clean: `elt deploy`" in cause_of(NIGHT, NAME).text


def test_the_flow_ends_with_the_result_of_the_check(
    lake: Lake, prefect_client: SyncPrefectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.flows.check.open_lake", lambda settings: lake)

    published, absent = (nightly_check(execution_date=date, return_state=True) for date in (LAST, NIGHT))

    assert published.is_completed()
    assert (
        published.message == f"it is on main\nearlier dates that are not on main: {GAP}; `elt run DATE` publishes each"
    )
    assert (absent.type.value, absent.name) == ("FAILED", "NotPublished")
    monkeypatch.setattr("orchestration.flows.check.open_lake", unreachable)
    assert nightly_check(execution_date=LAST, return_state=True).name == "Unknown"


def unreachable(settings: object) -> Lake:
    raise LakeUnreachable("no connection to lakeFS")


# The command.


@pytest.fixture
def elt(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Elt:
    """Runs a command in this process, with a Prefect that does not answer; an error of the project is raised."""
    monkeypatch.setattr("orchestration.flows.check.open_lake", lambda settings: lake)
    monkeypatch.setenv("PREFECT_API_URL", f"{CLOSED}/api")

    def run(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, ("check", *arguments, "--json"))
        if isinstance(result.exception, Exception):
            raise result.exception
        assert result.exit_code == code, result.output
        return json.loads(result.stdout)

    return run


def test_a_published_date_ends_with_0_and_sends_nothing(elt: Elt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELT_NOTIFY_URL", CLOSED)

    assert elt(LAST, "--notify") == {
        "date": LAST,
        "outcome": "Published",
        "cause": "",
        "missing": [GAP],
        "link": "",
        "notified": False,
    }


def test_a_date_that_is_missing_ends_with_5_also_without_prefect(elt: Elt) -> None:
    found = elt(NIGHT, code=5)

    assert (found["outcome"], found["missing"]) == ("NotPublished", [GAP])
    assert found["cause"].startswith("Prefect does not answer: ConnectError")


def test_a_date_on_hold_is_reported_as_that(elt: Elt, lake: Lake) -> None:
    take_off(lake, LAST)
    try:
        found = elt(LAST, code=5)
    finally:
        publish(lake, LAST)

    assert found["cause"] == f"it was rolled back and is on hold: `elt run {LAST}` publishes it again"


def test_a_lake_that_does_not_answer_is_reported_and_not_raised(elt: Elt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.flows.check.open_lake", unreachable)
    assert elt(NIGHT, code=5)["cause"] == "main cannot be read: no connection to lakeFS"


def test_a_webhook_that_is_not_there_is_refused_or_reported(elt: Elt, monkeypatch: pytest.MonkeyPatch) -> None:
    assert elt(NIGHT, "--notify", code=5)["notified"] is False, "a webhook in a block is not known without Prefect"
    monkeypatch.setattr("orchestration.flows.check.notify_url", lambda settings: None)
    with pytest.raises(UsageError, match="there is no webhook to notify"):
        elt(NIGHT, "--notify")
    with pytest.raises(UsageError, match="'yesterday' is not a date"):
        elt("yesterday")
