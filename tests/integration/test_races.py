"""Concurrent runs on one lake: newer data wins, equal runs agree, and other changes of `main` are kept."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import pytest
import yaml
from starlette.types import ASGIApp, Receive, Scope, Send

from examples.events_api import Options, accounting, create_app, serving
from orchestration.analyst.query import query
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.gate import gate_file
from orchestration.lake.receipt import read_receipt
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.operations.rollback import plan_rollback, roll_back
from orchestration.run import DateSteps
from orchestration.settings import PROJECT_DIR, read_settings
from tests.helpers.matrix import LONG_TIMEOUT, Bench
from tests.helpers.pipeline import Ended, Pipeline, objects_of, publications_of, require_whole
from tests.helpers.projects import name_project

STALE, USUAL, NEWER = 400, 200, 300
"""Rows of a date: fetched by a slow run, in the shop of the benches, and in another shop."""


def shop_of(rows: int) -> ASGIApp:
    return create_app(Options(rows=rows, form="envelope", paging="page", page_size=100))


@pytest.fixture(scope="module")
def newer() -> Iterator[str]:
    """A shop with more events for each date."""
    with serving(shop_of(NEWER)) as url:
        yield url


@contextmanager
def slow_shop(action: Callable[[], object]) -> Iterator[str]:
    """A shop that sends stale events of a date, then calls `action`, and has the new events from then on."""
    now, new = shop_of(STALE), shop_of(NEWER)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal now
        # Products are fetched last.
        if scope["path"] == "/products" and now is not new:
            await asyncio.to_thread(action)
            now = new
        await now(scope, receive, send)

    with serving(app) as url:
        yield url


def count_events_on_main(lake: Lake, date: str) -> int | None:
    """Returns the number of curated events in the receipt of a date; None if `main` has nothing of the date."""
    assert require_whole(lake, date) == bool(objects_of(lake, date))
    receipt = read_receipt(lake, MAIN, keys.date_receipt(date))
    return receipt.rows["events"] if receipt else None


def overtake_slow_run(benches: tuple[Bench, ...], newer: str, steps: DateSteps | None = None) -> Ended:
    """Runs a date with old data; before it lands, a fast run publishes newer data. Returns how the slow one ended.

    Raises:
        AssertionError: `main` does not have the newer data at the end.
    """
    slow, fast = benches
    date = next(slow.dates)
    first: list[Ended] = []
    with slow_shop(lambda: first.append(fast.pipeline.run(date, SHOP_API_URL=newer))) as url:
        ended = slow.pipeline.run(date, steps, SHOP_API_URL=url)
    assert [run.outcome for run in first] == ["published"]
    assert count_events_on_main(slow.lake, date) == accounting(NEWER).curated, "old data replaced newer data"
    return ended


def run_with_action(bench: Bench, date: str, action: Callable[[], object]) -> Ended:
    """Runs a date, and calls `action` after its rows are tested and before they are merged."""
    with bench.call_before("POST", "/merge/main", action):
        return bench.pipeline.run(date, **LONG_TIMEOUT)


def roll_back_to(lake: Lake, commit: str) -> None:
    """Rolls `main` back to the tree of a former commit, as `elt rollback` does."""
    roll_back(lake, plan_rollback(lake, commit), read_settings(), "a test")


@pytest.fixture
def bench(benches: tuple[Bench, ...]) -> Bench:
    return benches[0]


@pytest.fixture
def date(bench: Bench) -> str:
    return next(bench.dates)


# Runs of one date.


def test_newer_data_wins_over_a_slow_run_with_old_data(benches: tuple[Bench, ...], newer: str) -> None:
    ended = overtake_slow_run(benches, newer)

    # After a conflict it started again, and found what the other run had published.
    assert ended.outcome == "unchanged"


def test_equal_concurrent_runs_agree_and_succeed(benches: tuple[Bench, ...], date: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda bench: bench.pipeline.run(date), benches))

    lake = benches[0].lake
    assert all(run.succeeded for run in ended), ended
    assert count_events_on_main(lake, date) == accounting(USUAL).curated
    trees = [set(lake.objects(merge.id)) for merge in lake.log(MAIN) if merge.metadata.get("execution_date") == date]
    # If both publish, the second merge changes nothing.
    assert trees == trees[:1] * len(trees)


def test_main_has_the_data_of_the_later_fetch(benches: tuple[Bench, ...], date: str, newer: str) -> None:
    first, second = benches
    assert first.pipeline.run(date).outcome == "published"

    assert second.pipeline.run(date, SHOP_API_URL=newer).outcome == "superseded"
    assert count_events_on_main(first.lake, date) == accounting(NEWER).curated
    assert first.pipeline.run(date).outcome == "superseded"
    assert count_events_on_main(first.lake, date) == accounting(USUAL).curated


def test_eight_concurrent_dates_are_all_published(benches: tuple[Bench, ...]) -> None:
    lake, environment = benches[0].lake, benches[0].pipeline.environment
    dates = list(islice(benches[0].dates, 8))
    # Eight builds on two cores are slow.
    directly = LONG_TIMEOUT | {"LAKEFS_ENDPOINT": lake.connection.access.endpoint}

    with ThreadPoolExecutor(len(dates)) as pool:
        ended = list(pool.map(lambda day: Pipeline(environment | directly).run(day), dates))

    assert [run.outcome for run in ended] == ["published"] * len(dates), ended
    assert {count_events_on_main(lake, day) for day in dates} == {accounting(USUAL).curated}
    assert [publications_of(lake, day) for day in dates] == [1] * len(dates)


# Other changes of the lake.


def test_a_rollback_of_other_dates_during_a_run_is_kept(bench: Bench) -> None:
    before = bench.lake.head(MAIN)
    other, date = islice(bench.dates, 2)
    assert bench.pipeline.run(other).outcome == "published"

    ended = run_with_action(bench, date, lambda: roll_back_to(bench.lake, before))

    assert ended.outcome == "published"
    assert count_events_on_main(bench.lake, other) is None
    assert count_events_on_main(bench.lake, date) == accounting(USUAL).curated


def test_a_rollback_of_the_date_that_a_run_supersedes_restarts_the_run(bench: Bench, date: str, newer: str) -> None:
    before = bench.lake.head(MAIN)
    assert bench.pipeline.run(date, SHOP_API_URL=newer).outcome == "published"

    ended = run_with_action(bench, date, lambda: roll_back_to(bench.lake, before))

    assert ended.outcome == "published"
    assert count_events_on_main(bench.lake, date) == accounting(USUAL).curated


def test_a_rolled_back_date_is_published_again_with_the_same_bytes(bench: Bench, date: str) -> None:
    before = bench.lake.head(MAIN)
    assert bench.pipeline.run(date).outcome == "published"
    tree = objects_of(bench.lake, date)

    roll_back_to(bench.lake, before)

    assert bench.lake.commit_of(MAIN).metarange == bench.lake.commit_of(before).metarange
    assert count_events_on_main(bench.lake, date) is None
    assert bench.pipeline.run(date).outcome == "published"
    assert objects_of(bench.lake, date) == tree


def test_writes_to_a_sandbox_during_a_run_stay_on_the_sandbox(bench: Bench, date: str) -> None:
    sandbox = f"sandbox-{date}"

    def write() -> None:
        bench.lake.create_branch(sandbox, bench.lake.head(MAIN))
        bench.lake.put(sandbox, f"curated/events/date={date}/data.parquet", b"mine", keys.RAW_CONTENT_TYPE)
        bench.lake.commit(sandbox, "mine", {})

    assert run_with_action(bench, date, write).outcome == "published"
    assert count_events_on_main(bench.lake, date) == accounting(USUAL).curated


def test_a_new_gate_during_a_run_is_kept_and_used_by_the_next_run(
    bench: Bench, open_repository: Callable[..., Lake], tmp_path: Path
) -> None:
    """It uses its own repository, because it changes the gate."""
    lake = open_repository("newgate")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    next_version = name_project(tmp_path) / "lake" / keys.GATE
    next_version.parent.mkdir(parents=True)
    next_version.write_bytes(gate_file(PROJECT_DIR) + b"# the next version\n")
    during, after = islice(bench.dates, 2)
    there = bench.switch_to(lake, ELT_REPOSITORY=lake.repository)

    ended = run_with_action(there, during, lambda: init_lake(lake, "lakefs", tmp_path, SILENT))

    assert ended.outcome == "published"
    assert require_whole(lake, during)
    assert lake.read(MAIN, keys.GATE) == next_version.read_bytes()
    # One published date is one file, on whose partition column DuckDB 1.5.5 had an internal error.
    assert query(lake, "select min(_execution_date)::varchar, max(_execution_date)::varchar from events").rows == (
        (during, during),
    )
    refused = there.pipeline.run(after)
    assert refused.outcome == "PlatformFailed"
    assert "is not this version's" in refused.report
    assert not require_whole(lake, after)


def test_a_removed_table_leaves_main_when_the_date_is_superseded(bench: Bench, date: str, tmp_path: Path) -> None:
    assert bench.pipeline.run(date).outcome == "published"
    before = objects_of(bench.lake, date)
    without = copy_without_products(Path(bench.pipeline.environment["ELT_PROJECT_DIR"]), tmp_path / "project")

    ended = bench.pipeline.run(date, ELT_PROJECT_DIR=str(without))

    after = objects_of(bench.lake, date)
    assert ended.outcome == "superseded"
    assert require_whole(bench.lake, date)
    assert set(after) == {key for key in before if "/products" not in key}


def copy_without_products(project: Path, copy: Path) -> Path:
    """Copies the project without the table `products` and everything that reads it."""
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".elt"))
    shutil.rmtree(copy / "models" / "marts")
    (copy / "models" / "exposures.yml").unlink()
    for file in copy.glob("models/**/*products*"):
        file.unlink()
    events = copy / "models" / "curated" / "events.yml"
    described = yaml.safe_load(events.read_text())
    for column in described["models"][0]["columns"]:
        column["data_tests"] = [test for test in column.get("data_tests", ()) if "relationships" not in test]
    events.write_text(yaml.safe_dump(described))
    sources = copy / "models" / "staging" / "shop" / "_shop__sources.yml"
    described = yaml.safe_load(sources.read_text())
    described["sources"][0]["tables"] = [
        table for table in described["sources"][0]["tables"] if table["name"] != "products"
    ]
    sources.write_text(yaml.safe_dump(described))
    return copy
