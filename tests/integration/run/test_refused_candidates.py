"""Runs whose branch differs from what was fetched and tested, and runs that publish the same date at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.audit import Candidate
from orchestration.context import DateRun
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import Conflict, GateMissing, PlatformFailed
from orchestration.extract import Extracted, extract
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.land import Landed
from orchestration.plan import Plan
from orchestration.publish import RunResult, publish
from orchestration.run import ATTEMPTS, DateSteps, run_date
from orchestration.settings import Settings
from orchestration.transform import transform
from tests.helpers.projects import keys_of, request_for

MakeSettings = Callable[..., Settings]


# Races.


def publish_after(other: Callable[[], RunResult], times: int) -> Callable[[DateRun, Candidate], RunResult]:
    """Returns a step `publish` before which another run publishes the date, `times` times."""
    left = iter(range(times))

    def merge(run: DateRun, candidate: Candidate) -> RunResult:
        if next(left, None) is not None:
            other()
        return publish(run, candidate)

    return merge


def test_a_conflict_in_every_attempt_ends_the_run(lake: Lake, settings: MakeSettings, execution_date: str) -> None:
    rows = iter(range(200, 900, 50))
    slow = publish_after(lambda: run_date(request_for(lake, settings(next(rows)), execution_date)), times=ATTEMPTS)

    with pytest.raises(Conflict) as error:
        run_date(request_for(lake, settings(180), execution_date), DateSteps(publish=slow))

    assert error.value.exit_code == 6
    assert list(lake.branches(f"etl-{execution_date}")) == [error.value.branch]


def test_two_equal_concurrent_runs_publish_the_same_tree(
    lake: Lake, settings: MakeSettings, execution_date: str
) -> None:
    same = settings(100)
    trees: list[dict[str, str]] = []

    def other() -> RunResult:
        done = run_date(request_for(lake, same, execution_date))
        trees.append(keys_of(lake, MAIN, execution_date))
        return done

    published = run_date(request_for(lake, same, execution_date), DateSteps(publish=publish_after(other, times=1)))

    assert published.outcome == "published"
    assert keys_of(lake, MAIN, execution_date) == trees[0]


# A branch that differs from what was fetched and tested.


def test_an_additional_page_on_the_branch_is_refused(lake: Lake, settings: MakeSettings, execution_date: str) -> None:
    extra = keys.raw_page("shop", "events", execution_date, 99)

    def add(run: DateRun, plan: Plan, landed: Landed, folder: Path) -> BuildResult:
        built = transform(run, plan, landed, folder)
        lake.put(landed.branch, extra, b"[]", keys.RAW_CONTENT_TYPE)
        return built

    with pytest.raises(PlatformFailed, match=extra):
        run_date(request_for(lake, settings(100), execution_date), DateSteps(transform=add))


def test_a_missing_output_is_refused(lake: Lake, settings: MakeSettings, execution_date: str) -> None:
    def lose(run: DateRun, plan: Plan, landed: Landed, folder: Path) -> BuildResult:
        built = transform(run, plan, landed, folder)
        lake.delete(landed.branch, [keys.curated("events_rejected", execution_date)])
        return built

    with pytest.raises(PlatformFailed, match=f"lacks {keys.curated('events_rejected', execution_date)}"):
        run_date(request_for(lake, settings(100), execution_date), DateSteps(transform=lose))


@pytest.mark.parametrize("table", ["events", "events_rejected"])
def test_files_with_other_rows_than_were_counted_are_refused(
    lake: Lake, settings: MakeSettings, execution_date: str, table: str
) -> None:
    def lose(run: DateRun, plan: Plan, landed: Landed, folder: Path) -> BuildResult:
        built = transform(run, plan, landed, folder)
        key = keys.curated(table, execution_date)
        return replace(built, rows={**built.rows, key: built.rows[key] + 1})

    with pytest.raises(PlatformFailed, match=rf"^{table} has \d+ rows in its files, and dbt counted \d+"):
        run_date(request_for(lake, settings(100), execution_date), DateSteps(transform=lose))

    assert keys_of(lake, MAIN, execution_date) == {}


def test_a_branch_that_lost_the_gate_is_refused(lake: Lake, settings: MakeSettings, execution_date: str) -> None:
    """lakeFS reads the gate from the merged commit: without it, the merge would not be checked at all."""

    def lose(run: DateRun, plan: Plan, landed: Landed, folder: Path) -> BuildResult:
        built = transform(run, plan, landed, folder)
        lake.delete(landed.branch, [keys.GATE])
        return built

    with pytest.raises(GateMissing, match="is missing in") as error:
        run_date(request_for(lake, settings(100), execution_date), DateSteps(transform=lose))

    assert (error.value.step, error.value.main) == ("audit", "untouched")
    assert keys_of(lake, MAIN, execution_date) == {}


def test_a_base_outside_the_history_of_main_is_refused(lake: Lake, settings: MakeSettings, execution_date: str) -> None:
    aside = f"aside-{execution_date}"
    lake.create_branch(aside, lake.head(MAIN))
    lake.put(aside, "x", b"", keys.RAW_CONTENT_TYPE)
    elsewhere = lake.commit(aside, "not of main", {})

    def pin_elsewhere(run: DateRun, plan: Plan, folder: Path) -> Extracted:
        return replace(extract(run, plan, folder), base=elsewhere)

    with pytest.raises(PlatformFailed, match=f"{elsewhere[:12]} is not in the history of main"):
        run_date(request_for(lake, settings(100), execution_date), DateSteps(extract=pin_elsewhere))

    assert keys_of(lake, MAIN, execution_date) == {}
