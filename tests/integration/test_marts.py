"""The marts on the real lakeFS: built from what the receipts list at one commit, and published like dates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.events_api import Options, create_app, serving
from orchestration.analyst.query import query
from orchestration.audit import Candidate
from orchestration.context import MartsRun
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import DataFailed, PlatformFailed, UsageError
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.history import publications
from orchestration.lake.receipt import read_receipt
from orchestration.lake.stale import stale_dates_at
from orchestration.log import SILENT
from orchestration.marts import MartsInputs, MartsSteps, audit_marts, land_branch, run_marts
from orchestration.operations.audit import audit_main
from orchestration.operations.verify import verify_marts
from orchestration.plan import Plan
from orchestration.publish import RunResult, publish
from orchestration.run import run_date
from orchestration.settings import Settings
from tests.helpers.own_lake import repository_of
from tests.helpers.projects import copy_project, drop_marts_selector, request_for, settings_of

BY_DATE = ("daily_invoices", "daily_products", "daily_sales", "event_dates")
MARTS = tuple(sorted((*BY_DATE, "customer_features", "product_sales")))
DATES = ("2015-06-01", "2015-06-02")


@pytest.fixture(scope="module")
def marts_lake(access: LakeAccess) -> Iterator[Lake]:
    """A repository with the dates of this module only."""
    with repository_of(access, "marts") as lake:
        yield lake


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, project: Path) -> Iterator[Callable[..., Settings]]:
    with serving(create_app(Options(rows=200))) as few, serving(create_app(Options(rows=300))) as more:

        def make(folder: Path = project, *, rows: int = 200) -> Settings:
            return settings_of(monkeypatch, folder, SHOP_API_URL={200: few, 300: more}[rows])

        yield make


MakeSettings = Callable[..., Settings]


@pytest.fixture
def published(marts_lake: Lake, settings: MakeSettings) -> Lake:
    """The lake with both published dates."""
    for date in DATES:
        run_date(request_for(marts_lake, settings(), date))
    return marts_lake


def marts_of(lake: Lake, settings: Settings, **further: Any) -> MartsRun:
    return MartsRun(lake=lake, settings=settings, log=SILENT, **further)


def tree_of(lake: Lake) -> dict[str, str]:
    return {stored.key: stored.checksum for stored in lake.objects(MAIN)}


def test_without_published_dates_there_is_nothing_to_do(access: LakeAccess, settings: MakeSettings) -> None:
    with repository_of(access, "marts-empty") as lake, pytest.raises(UsageError, match="no date is published yet"):
        run_marts(marts_of(lake, settings()))


def test_the_marts_are_published_with_their_own_receipt(published: Lake, settings: MakeSettings) -> None:
    pinned = published.head(MAIN)

    done = run_marts(marts_of(published, settings(), origin={"flow_run_id": "run-4711"}))

    receipt = read_receipt(published, MAIN, keys.MARTS_RECEIPT)
    assert receipt is not None
    assert (done.outcome, done.subject, done.replaced) == ("published", "marts", False)
    assert receipt.objects == {
        key: checksum for key, checksum in tree_of(published).items() if key.startswith("marts/")
    }
    assert tuple(sorted({keys.table_of(key) for key in receipt.objects})) == MARTS
    assert done.rows == {mart: query(published, f"select count(*) from {mart}").rows[0][0] for mart in MARTS}
    assert receipt.content["inputs"] == {
        "commit": pinned,
        "receipts": {
            stored.key: stored.checksum for stored in published.objects(MAIN, keys.RECEIPTS) if "date=" in stored.key
        },
    }
    events = sum(row[0] for row in query(published, "select count(*) from events").rows)
    assert receipt.content["accounting"]["events"]["published_rows"] == events
    assert all(test["status"] == "pass" for test in receipt.content["tests"].values())
    assert b"run-4711" not in receipt.to_bytes()
    assert list(published.branches("etl-marts")) == []
    newest = next(publications(published))
    assert (newest.execution_date, newest.outcome, newest.commit) == (None, "published", done.commit)
    assert newest.rows == done.rows


def test_running_again_changes_nothing_with_and_without_force(published: Lake, settings: MakeSettings) -> None:
    run_marts(marts_of(published, settings()))
    head, tree = published.head(MAIN), tree_of(published)

    again = run_marts(marts_of(published, settings()))
    forced = run_marts(marts_of(published, settings(), force=True))

    assert (again.outcome, forced.outcome) == ("unchanged", "unchanged")
    assert (published.head(MAIN), tree_of(published)) == (head, tree)


def test_a_changed_date_supersedes_the_marts(published: Lake, settings: MakeSettings) -> None:
    run_marts(marts_of(published, settings()))
    before = read_receipt(published, MAIN, keys.MARTS_RECEIPT)
    run_date(request_for(published, settings(rows=300), DATES[0]))

    done = run_marts(marts_of(published, settings()))

    after = read_receipt(published, MAIN, keys.MARTS_RECEIPT)
    assert before is not None
    assert after is not None
    assert done.outcome == "superseded"
    assert (
        after.content["accounting"]["events"]["published_rows"]
        > before.content["accounting"]["events"]["published_rows"]
    )


def test_an_event_in_two_dates_is_counted_once_and_named(
    published: Lake, settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_marts(marts_of(published, settings()))
    first = query(published, "select sum(sales + returns + other_events) from daily_sales").rows[0][0]

    class SameDay:
        """Serves the data of one date for every requested date."""

        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                asked = scope["query_string"].decode().replace("2015-06-03", DATES[1])
                scope = {**scope, "query_string": asked.encode()}
            await self.app(scope, receive, send)

    with serving(SameDay(create_app(Options(rows=200)))) as same:
        repeated = run_date(
            request_for(published, settings_of(monkeypatch, settings().project_dir, SHOP_API_URL=same), "2015-06-03")
        )
    run_marts(marts_of(published, settings()))

    receipt = read_receipt(published, MAIN, keys.MARTS_RECEIPT)
    assert receipt is not None
    assert receipt.content["accounting"]["events"]["repeated_rows"] == repeated.rows["events"]
    assert query(published, "select sum(sales + returns + other_events) from daily_sales").rows[0][0] == first
    latest = query(published, "select max(execution_date)::varchar from daily_sales").rows[0][0]
    assert latest == DATES[1]


def test_marts_that_fail_a_test_leave_main_untouched(published: Lake, settings: MakeSettings, tmp_path: Path) -> None:
    failing = copy_project(tmp_path / "failing")
    file = failing / "models" / "marts" / "by_date" / "daily_sales.yml"
    file.write_text(file.read_text().replace("sales + returns + other_events > 0", "sales < 0"))
    tree = tree_of(published)

    with pytest.raises(DataFailed) as error:
        run_marts(marts_of(published, settings(failing), force=True))

    assert "daily_sales_counts_some_event" in error.value.cause
    assert (error.value.subject, error.value.step, error.value.command) == ("marts", "transform", "elt marts")
    assert error.value.branch in list(published.branches("etl-marts"))
    assert tree_of(published) == tree


def test_a_removed_mart_leaves_the_lake(published: Lake, settings: MakeSettings, tmp_path: Path) -> None:
    run_marts(marts_of(published, settings()))
    smaller = copy_project(tmp_path / "smaller")
    for file in (smaller / "models" / "marts").glob("customer_features.*"):
        file.unlink()
    exposures = smaller / "models" / "exposures.yml"
    described = yaml.safe_load(exposures.read_text())
    described["exposures"] = [one for one in described["exposures"] if one["name"] != "customer_model"]
    exposures.write_text(yaml.safe_dump(described))

    done = run_marts(marts_of(published, settings(smaller)))

    assert done.outcome == "superseded"
    assert not [key for key in tree_of(published) if "customer_features" in key]


def test_a_run_starts_again_after_a_conflict_with_another(published: Lake, settings: MakeSettings) -> None:
    run_date(request_for(published, settings(rows=300), DATES[1]))
    other_runs: list[RunResult] = []

    def merge(run: MartsRun, candidate: Candidate) -> RunResult:
        if not other_runs:
            # Another date and its marts, so that the two receipts differ.
            run_date(request_for(published, settings(), "2015-06-04"))
            other_runs.append(run_marts(marts_of(published, settings())))
        return publish(run, candidate)

    done = run_marts(marts_of(published, settings()), MartsSteps(publish=merge))

    assert other_runs[0].outcome in ("published", "superseded")
    assert (done.outcome, done.rows) == ("unchanged", other_runs[0].rows)


@pytest.mark.parametrize("step", ["transform", "audit", "publish"])
def test_running_again_succeeds_after_a_run_died_in_any_step(
    published: Lake, settings: MakeSettings, step: str, tmp_path: Path
) -> None:
    def die(*_: Any) -> Any:
        raise PlatformFailed("as if killed")

    run_date(request_for(published, settings(rows=300), DATES[0]))
    tree = tree_of(published)
    steps = replace(MartsSteps(), **{step: die})
    with pytest.raises(PlatformFailed, match="as if killed"):
        run_marts(marts_of(published, settings(), force=True), steps)
    assert tree_of(published) == tree

    healed = run_marts(marts_of(published, settings()))
    assert run_marts(marts_of(published, settings(), force=True)).outcome == "unchanged"
    assert healed.outcome in ("published", "superseded", "unchanged")


def test_the_gate_refuses_a_mart_that_the_receipt_does_not_list(published: Lake, settings: MakeSettings) -> None:
    def add(run: MartsRun, plan: Plan, inputs: MartsInputs) -> str:
        branch = land_branch(run, plan, inputs)
        run.lake.put(branch, "marts/stray/data.parquet", b"stray", keys.RAW_CONTENT_TYPE)
        return branch

    tree = tree_of(published)
    with pytest.raises(PlatformFailed) as error:
        run_marts(marts_of(published, settings(), force=True), MartsSteps(land=add))

    assert error.value.outcome == "GateRefused"
    assert "marts/stray/data.parquet is not listed in" in error.value.cause
    assert tree_of(published) == tree


def test_missing_objects_are_detected_before_the_receipt_is_written(published: Lake, settings: MakeSettings) -> None:
    def lose(run: MartsRun, plan: Plan, inputs: MartsInputs, branch: str, built: BuildResult) -> Candidate:
        run.lake.delete(branch, [f"marts/daily_sales/{DATES[1]}.parquet"])
        return audit_marts(run, plan, inputs, branch, built)

    with pytest.raises(PlatformFailed, match=rf"etl-marts-\w+ lacks marts/daily_sales/{DATES[1]}\.parquet"):
        run_marts(marts_of(published, settings(), force=True), MartsSteps(audit=lose))


def test_the_receipt_is_sorted_json(published: Lake, settings: MakeSettings) -> None:
    run_marts(marts_of(published, settings()))

    body = published.read(MAIN, keys.MARTS_RECEIPT)

    assert body is not None
    assert sorted(json.loads(body)) == list(json.loads(body))


def test_marts_that_the_project_drops_are_removed_once(published: Lake, settings: MakeSettings, tmp_path: Path) -> None:
    run_marts(marts_of(published, settings()))
    without = copy_project(tmp_path / "project")
    shutil.rmtree(without / "models" / "marts")
    (without / "models" / "exposures.yml").unlink()
    drop_marts_selector(without)
    differs = verify_marts(published, settings(without), SILENT)

    removed = run_marts(marts_of(published, settings(without)))
    head = published.head(MAIN)
    again = run_marts(marts_of(published, settings(without)))
    run_date(request_for(published, settings(rows=300), DATES[1]))

    assert differs is not None
    assert (differs.outcome, [one.table for one in differs.differences]) == ("differs", list(MARTS))
    assert (removed.outcome, removed.rows, removed.replaced) == ("superseded", {}, False)
    assert not [key for key in tree_of(published) if "marts" in key]
    assert audit_main(published, deep=True).findings == ()
    assert (again.outcome, again.commit) == ("skipped", head)
    assert stale_dates_at(published, MAIN) == (), "marts that do not exist are not stale"
    assert verify_marts(published, settings(without), SILENT) is None
    newest = next(one for one in publications(published) if one.execution_date is None)
    assert (newest.outcome, newest.rows) == ("superseded", {})
    assert run_marts(marts_of(published, settings())).outcome == "published"
