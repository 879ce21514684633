"""Lookback: which earlier dates the nightly run asks for again, and what a run of some sources fetches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from orchestration.flows.lookback import start_earlier_dates
from orchestration.lake.client import Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT, log_to
from orchestration.lookback import EarlierDate, earlier_dates
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR, Settings, read_settings
from orchestration.source.config import read_tables
from tests.helpers.elt_runs import CLOSED
from tests.helpers.projects import copy_project, fetched_in_pages, request_for

MakeSettings = Callable[..., Settings]
SHOP = "models/staging/shop/_shop__sources.yml"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = fetched_in_pages(copy_project(tmp_path_factory.mktemp("project")))
    file = folder / SHOP
    file.write_text(file.read_text().replace("  config:\n", "  config:\n    meta: {lookback: 3}\n", 1))
    return folder


@pytest.fixture
def lake(open_repository: Callable[..., Lake], execution_date: str) -> Lake:
    """A repository for each test, because the dates of the tests are beside each other."""
    own = open_repository(f"lookback-{execution_date}")
    init_lake(own, "lakefs", PROJECT_DIR, SILENT)
    return own


def days_before(execution_date: str, days: int) -> str:
    return str(date.fromisoformat(execution_date) - timedelta(days=days))


def test_earlier_dates_are_those_that_main_has_newest_first(
    lake: Lake, settings: MakeSettings, project: Path, execution_date: str
) -> None:
    used = settings(200)
    for days in (1, 3, 4):
        run_date(request_for(lake, used, days_before(execution_date, days)))

    found = tuple(earlier_dates(read_tables(project), lake, execution_date))

    assert found == tuple(EarlierDate(days_before(execution_date, days), ("shop",)) for days in (1, 3))


def test_sources_that_a_run_leaves_out_keep_their_raw(
    lake: Lake, settings: MakeSettings, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_date(request_for(lake, settings(200), execution_date))
    monkeypatch.setenv("SHOP_API_URL", CLOSED)
    logged: list[str] = []

    again = run_date(request_for(lake, read_settings(), execution_date, sources=("till",), log=log_to(logged.append)))
    built = run_date(request_for(lake, read_settings(), execution_date, sources=("till",), force=True))

    assert (again.outcome, again.commit) == ("unchanged", first.commit)
    assert (built.outcome, built.rows) == ("unchanged", first.rows)
    assert sum("because this run fetches only till" in line for line in logged) == 2


def test_a_date_that_main_does_not_have_is_fetched_whole(
    lake: Lake, settings: MakeSettings, execution_date: str
) -> None:
    assert run_date(request_for(lake, settings(200), execution_date, sources=())).outcome == "published"


def test_the_nightly_run_creates_a_run_for_each_missed_and_each_earlier_date_once(
    lake: Lake,
    settings: MakeSettings,
    execution_date: str,
    prefect_client: SyncPrefectClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used = settings(200)
    run_date(request_for(lake, used, days_before(execution_date, 2)))
    access = lake.connection.access
    monkeypatch.setenv("LAKEFS_ENDPOINT", access.endpoint)
    monkeypatch.setenv("LAKEFS_ACCESS_KEY", access.access_key.get_secret_value())
    monkeypatch.setenv("LAKEFS_SECRET_KEY", access.secret_key.get_secret_value())
    own = prefect_client.create_deployment(
        prefect_client.create_flow_from_name("nightly"), f"lookback {execution_date}"
    )
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", str(own))

    place = {"repo": lake.repository, "bucket": used.elt.bucket, "engine": None}

    @flow(name="nightly", persist_result=False)
    def nightly(outcome: str) -> None:
        state: State[Any] = Completed(name=outcome) if outcome == "Published" else Failed(name=outcome)
        start_earlier_dates(execution_date, state, place)

    def created() -> list[dict[str, Any]]:
        runs = [run for run in prefect_client.read_flow_runs() if run.deployment_id == own]
        return [run.parameters for run in sorted(runs, key=lambda run: str(run.created))]

    nightly("SourceFailed")
    assert created() == []
    nightly("DataFailed")
    nightly("Published")

    assert created() == [
        {"execution_date": days_before(execution_date, 1), **place},
        {
            "execution_date": days_before(execution_date, 2),
            "sources": ["shop"],
            **place,
        },
    ]
    monkeypatch.setenv("LAKEFS_ENDPOINT", CLOSED)
    nightly("Published")
    prefect_client.delete_deployment(own)
