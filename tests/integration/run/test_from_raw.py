"""A date is rebuilt from the raw that has landed, while the API is down."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from examples.events_api import Options, accounting, create_app, serving
from orchestration.context import DateRun
from orchestration.errors import DataFailed, PlatformFailed, UsageError
from orchestration.lake.client import Lake
from orchestration.lake.history import publications
from orchestration.lake.setup import init_lake
from orchestration.landed import dates_with_kept_raw, described, latest_raw
from orchestration.log import SILENT
from orchestration.operations.rollback import plan_rollback_of_date, roll_back
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR
from orchestration.source.pages import Page
from tests.helpers.elt_runs import CLOSED
from tests.helpers.projects import copy_project, keys_of, request_for, settings_of

DATE, ONCE, NEVER = "2025-05-20", "2025-05-21", "2025-05-22"
STAGING = "models/staging/shop/stg_shop__events.sql"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def lake(open_repository: Callable[..., Lake], project: Path) -> Lake:
    own = open_repository("from-raw")
    init_lake(own, "lakefs", PROJECT_DIR, SILENT)
    with serving(create_app(Options(rows=200))) as url, pytest.MonkeyPatch.context() as monkeypatch:
        for execution_date in (DATE, ONCE):
            run_date(request_for(own, settings_of(monkeypatch, project, SHOP_API_URL=url), execution_date))
    return own


@pytest.fixture
def rebuild(lake: Lake, project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DateRun]:
    """Returns the run of a date from its raw, without an API."""

    def run(execution_date: str = DATE, of: Path = project) -> DateRun:
        used = settings_of(monkeypatch, of, SHOP_API_URL=CLOSED)
        return request_for(lake, used, execution_date, from_raw=True, run_type="backfill")

    return run


def test_under_the_same_code_nothing_changes(lake: Lake, rebuild: Callable[..., DateRun]) -> None:
    before = lake.head("main")
    assert run_date(rebuild()).outcome == "unchanged"
    assert lake.head("main") == before


def test_under_changed_models_the_date_is_superseded_with_the_same_raw(
    lake: Lake, rebuild: Callable[..., DateRun], tmp_path: Path
) -> None:
    changed = copy_project(tmp_path)
    model = changed / STAGING
    model.write_text(f"-- a change\n{model.read_text()}")
    before = keys_of(lake, "main", DATE)

    result = run_date(rebuild(of=changed))

    after = keys_of(lake, "main", DATE)
    assert (result.outcome, result.rows["events"]) == ("superseded", accounting(200).curated)
    assert {key: after[key] for key in before if key.startswith("raw/")} == {
        key: checksum for key, checksum in before.items() if key.startswith("raw/")
    }
    assert next(publications(lake)).outcome == "superseded"


def test_a_date_that_was_rolled_back_off_main_comes_back(lake: Lake, rebuild: Callable[..., DateRun]) -> None:
    run, before = rebuild(ONCE), keys_of(lake, "main", ONCE)
    roll_back(lake, plan_rollback_of_date(lake, ONCE), run.settings, "a test")
    assert not keys_of(lake, "main", ONCE)

    assert run_date(run).outcome == "published"
    assert keys_of(lake, "main", ONCE) == before


def test_a_date_without_raw_is_a_usage_error(rebuild: Callable[..., DateRun]) -> None:
    with pytest.raises(UsageError, match=f"there is no raw of {NEVER}") as raised:
        run_date(rebuild(NEVER))
    assert raised.value.remedy == f"elt run {NEVER}"


@pytest.mark.parametrize(("failed", "snapshot"), [("2025-05-23", False), ("2025-05-24", True)])
def test_a_failed_date_is_made_from_the_branch_that_it_kept(
    lake: Lake,
    project: Path,
    rebuild: Callable[..., DateRun],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failed: str,
    snapshot: bool,
) -> None:
    with serving(create_app(Options(rows=1_000, fault="bad-day"))) as url:
        used = settings_of(monkeypatch, project, SHOP_API_URL=url)
        with pytest.raises(DataFailed):
            run_date(request_for(lake, used, failed))
    assert failed in dates_with_kept_raw(lake)
    lenient = copy_project(tmp_path)
    file = lenient / "models/staging/shop/_shop__sources.yml"
    described = yaml.safe_load(file.read_text())
    for table in described["sources"][0]["tables"]:
        table["config"]["meta"]["reject_limit"] = 1
        if snapshot:
            # An API that answers with what is current cannot be asked for a past date.
            del table["config"]["meta"]["fetch"]["parameters"]
    file.write_text(yaml.safe_dump(described, sort_keys=False))
    (branch,) = lake.branches(f"etl-{failed}-")

    result = run_date(replace(rebuild(failed, lenient), from_raw=not snapshot))

    assert (result.outcome, result.rows["events"] > 0) == ("published", True)
    landed = {key: checksum for key, checksum in keys_of(lake, branch, failed).items() if key.startswith("raw/")}
    published = keys_of(lake, "main", failed)
    assert landed
    assert {key: checksum for key, checksum in published.items() if key.startswith("raw/")} == landed


def test_a_page_that_is_not_what_landed_is_refused(lake: Lake, tmp_path: Path) -> None:
    raw = latest_raw(lake, DATE, ["shop.events"])
    assert raw
    wrong = replace(raw, pages={"shop.events": tuple(replace(page, sha256="0") for page in raw.pages["shop.events"])})

    with pytest.raises(PlatformFailed, match="is not what landed"):
        wrong.take(lake, "shop.events", tmp_path)


def test_what_is_recorded_with_raw_has_a_limit() -> None:
    page = Page("shop.events", "raw/1", Path(), 0, "", "", ("gzip",), "")

    assert json.loads(described([page])) == {"raw/1": {"decoded": ["gzip"], "no_data": ""}}
    assert described([]) == "{}"
    assert described(replace(page, key=f"raw/{number}") for number in range(5_000)) == ""


def test_a_table_that_was_declared_since_is_named(rebuild: Callable[..., DateRun], tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    file = project / "models/staging/shop/_shop__sources.yml"
    described = yaml.safe_load(file.read_text())
    tables = described["sources"][0]["tables"]
    tables.append({**tables[-1], "name": "returns"})
    file.write_text(yaml.safe_dump(described, sort_keys=False))

    with pytest.raises(UsageError, match=r"has no pages of shop\.returns"):
        run_date(rebuild(of=project))
