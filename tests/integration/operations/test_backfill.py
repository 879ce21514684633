"""`elt backfill`: what it plans, and what is on `main` after failures, interruptions and kills."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from examples.events_api import Options, create_app, serving
from orchestration.backfill.dates import DateEnd, Order
from orchestration.backfill.journal import journal_of
from orchestration.backfill.plan import BackfillPlan, Only, Range, plan_backfill
from orchestration.backfill.run import Backfilled, run_backfill
from orchestration.backfill.workers import publish_dates
from orchestration.cli.app import app
from orchestration.errors import DataFailed, SourceFailed, UsageError
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.operations.audit import audit_main
from orchestration.operations.rollback import plan_rollback_of_date, roll_back
from orchestration.settings import PROJECT_DIR, Settings
from tests.helpers.elt_runs import CLOSED
from tests.helpers.own_lake import elt, variables_of
from tests.helpers.pipeline import publications_of, require_whole
from tests.helpers.projects import copy_project, settings_of

LIMIT = 180.0


@dataclass(frozen=True)
class Shop:
    """A lake of its own, and a project that publishes to it."""

    lake: Lake
    project: Path

    def environment(self, url: str) -> dict[str, str]:
        access = self.lake.connection.access
        return {
            "ELT_PROJECT_DIR": str(self.project),
            "ELT_REPOSITORY": self.lake.repository,
            "ELT_RETRIES": "0",
            **variables_of(access),
            "SHOP_API_URL": url,
        }

    def settings(self, url: str = CLOSED) -> Settings:
        with pytest.MonkeyPatch.context() as monkeypatch:
            return settings_of(monkeypatch, self.project, **self.environment(url))

    def plan(self, first: str, last: str, only: Only = "missing", *, from_raw: bool = False) -> BackfillPlan:
        return plan_backfill(self.lake, self.settings(), Range(first, last, only, from_raw), SILENT)


@pytest.fixture(scope="module")
def shop(open_repository: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory) -> Shop:
    lake = open_repository("backfill")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    found = Shop(lake, copy_project(tmp_path_factory.mktemp("project")))
    found.settings()
    return found


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with serving(create_app(Options(rows=200))) as url:
        yield url


def planned(plan: BackfillPlan) -> list[tuple[str, str]]:
    return [(one.execution_date, one.reason) for one in plan.dates]


def days(month: int, *numbers: int) -> list[str]:
    return [f"2024-{month:02d}-{number:02d}" for number in numbers]


def test_dates_end_on_their_own_and_the_next_backfill_does_what_is_left(shop: Shop, api: str, tmp_path: Path) -> None:
    first, bad, last = days(1, 1, 2, 3)
    faulty = create_app(Options(rows=200, fault="bad-day", fault_date=date.fromisoformat(bad)))
    with serving(faulty) as url:
        code, found = backfilled(shop, tmp_path, url, first, last)

    assert (code, found["outcomes"]) == (DataFailed.exit_code, {"published": 2, "DataFailed": 1})
    assert [end["execution_date"] for end in found["failed"]] == [bad]
    assert "elt rejects" in found["failed"][0]["message"]
    assert found["marts"].startswith("marts published: ")
    assert not require_whole(shop.lake, bad)

    code, found = backfilled(shop, tmp_path, api, first, last)

    assert (code, found["outcomes"]) == (0, {"published": 1})
    assert found["plan"]["dates"] == [{"execution_date": bad, "reason": "missing"}]
    assert found["marts"].startswith("marts superseded: ")
    assert found["plan"]["seconds"] > 0, "the estimate is made from recent runs"

    code, found = backfilled(shop, tmp_path, api, first, last)
    assert (code, found["outcomes"], found["marts"]) == (0, {}, "")


def backfilled(shop: Shop, folder: Path, url: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Runs the command, and returns its exit code and what it printed."""
    with elt("backfill", *arguments, "--yes", folder=folder, environment=shop.environment(url)) as running:
        out, err = running.communicate(timeout=LIMIT)
    assert out, err
    return running.returncode, json.loads(out)


def test_interrupted_and_killed_it_goes_on_with_what_is_left(shop: Shop, api: str, tmp_path: Path) -> None:
    wanted = days(2, 1, 2, 3, 4, 5, 6, 7, 8)
    arguments = (wanted[0], wanted[-1], "--yes", "--no-marts")
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        with elt("backfill", *arguments, folder=tmp_path, environment=shop.environment(api)) as running:
            assert running.stderr
            line = running.stderr.readline()
            assert "published: " in line
            workers = psutil.Process(running.pid).children()
            assert len(workers) >= 2
            os.kill(running.pid, number)
            running.communicate(timeout=LIMIT)
            assert running.returncode == code
        _, alive = psutil.wait_procs(workers, timeout=LIMIT)
        assert not alive
        assert [require_whole(shop.lake, day) for day in wanted].count(False) >= 1

    code, found = backfilled(shop, tmp_path, api, wanted[0], wanted[-1], "--no-marts")

    assert code == 0
    assert all(require_whole(shop.lake, day) for day in wanted)
    assert [publications_of(shop.lake, day) for day in wanted] == [1] * len(wanted)
    assert 0 < len(found["plan"]["dates"]) < len(wanted)
    assert audit_main(shop.lake).findings == ()


def test_the_date_of_a_killed_worker_fails_and_the_next_has_a_new_worker(shop: Shop, api: str) -> None:
    with exported(shop, api):
        found: list[DateEnd] = []
        for end in publish_dates(Order(shop.settings(api)), deque(days(3, 1, 2, 3)), 1):
            found.append(end)
            if len(found) == 1:
                (worker,) = workers_of_this_process()
                worker.kill()

    assert [end.outcome for end in found] == ["published", "PlatformFailed", "published"]
    assert "its process ended by signal 9" in found[1].message
    assert not workers_of_this_process()


@contextmanager
def exported(shop: Shop, url: str) -> Iterator[None]:
    """Sets the environment of this process, which its workers inherit."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in shop.environment(url).items():
            monkeypatch.setenv(name, value)
        yield


def workers_of_this_process() -> list[BaseProcess]:
    return [child for child in multiprocessing.active_children() if child.name == "backfill"]


def test_no_further_date_is_started_after_so_many_failures(shop: Shop) -> None:
    first, *_, last = days(4, 1, 2, 3)
    with exported(shop, CLOSED):
        done = run_backfill(
            shop.plan(first, last), shop.settings(), SILENT, workers=1, max_failures=1, on_end=lambda end: None
        )

    assert (done.outcomes, done.not_started) == ({"SourceFailed": 1}, 2)
    assert (done.exit_code, done.marts) == (SourceFailed.exit_code, "")


def test_changed_models_are_rebuilt_from_raw_without_the_api(shop: Shop, api: str, tmp_path: Path) -> None:
    first, second, never = days(5, 1, 2, 3)
    with exported(shop, api):
        run_backfill(
            shop.plan(first, second), shop.settings(api), SILENT, workers=2, marts=False, on_end=lambda end: None
        )
    assert planned(shop.plan(first, never, "changed", from_raw=True)) == []
    changed = replace(shop, project=copy_project(tmp_path))
    model = changed.project / "models/staging/shop/stg_shop__events.sql"
    model.write_text(f"-- a change\n{model.read_text()}")

    plan = changed.plan(first, never, "changed", from_raw=True)
    with exported(changed, CLOSED):
        done = run_backfill(plan, changed.settings(), SILENT, workers=2, marts=False, on_end=lambda end: None)

    assert planned(plan) == [(day, "built by other code") for day in (first, second)]
    assert plan.without_raw == 1
    assert (done.outcomes, done.exit_code, done.more_rows) == ({"superseded": 2}, 0, 0)
    assert planned(changed.plan(first, never, "changed", from_raw=True)) == []


def test_a_date_on_hold_is_left_out_unless_it_is_named(shop: Shop, api: str) -> None:
    first, last = days(6, 1, 2)
    with exported(shop, api):
        run_backfill(shop.plan(first, last), shop.settings(api), SILENT, workers=1, marts=False, on_end=print)
    roll_back(shop.lake, plan_rollback_of_date(shop.lake, first), shop.settings(), "a test")

    plan = shop.plan(first, last)

    assert (planned(plan), plan.on_hold) == ([], (first,))
    assert planned(shop.plan(first, last, "all")) == [(last, "asked for")]
    assert planned(shop.plan(first, first)) == [(first, "missing")]
    assert planned(shop.plan(first, first, "changed", from_raw=True)) == [(first, "landed and not published")]


def test_a_backfill_of_all_dates_notes_what_is_done_until_all_are(shop: Shop, tmp_path: Path) -> None:
    settings = shop.settings().with_elt(state_dir=tmp_path)
    first, last = days(7, 1, 3)
    plan = shop.plan(first, last, "all")
    journal = journal_of(plan, settings)
    assert journal
    assert journal_of(replace(plan, asked=replace(plan.asked, only="missing")), settings) is None

    for day in days(7, 1, 2):
        journal.add(day)

    again = journal_of(plan, settings)
    assert again
    assert planned(plan.without(again.done)) == [(day, "asked for") for day in days(7, 3)]
    again.delete()
    assert journal.done == frozenset()


def test_a_plan_with_restart_shows_all_dates_and_forgets_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first, last = days(8, 1, 2)
    settings = settings_of(monkeypatch, shop.project, **shop.environment(CLOSED))
    journal = journal_of(shop.plan(first, last, "all"), settings)
    assert journal
    journal.add(first)

    shown = CliRunner().invoke(app, ("backfill", first, last, "--only", "all", "--restart", "--plan", "--json"))

    assert [one["execution_date"] for one in json.loads(shown.stdout)["plan"]["dates"]] == [first, last]
    assert journal.done == {first}
    journal.delete()


def test_exit_codes_that_differ_become_that_of_the_platform() -> None:
    def done(*codes: int) -> int:
        ends = tuple(DateEnd("2024-01-01", "", "", code, 0.0) for code in codes)
        plan = BackfillPlan(Range("2024-01-01", "2024-01-01"), (), (), 0, None)
        return Backfilled(plan, {}, ends, 0, 0, "", None).exit_code

    assert [done(), done(3, 3), done(4), done(3, 4), done(5, 3)] == [0, 3, 4, 5, 5]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("2024-01-02", "2024-01-01"), "the range 2024-01-02 to 2024-01-01 has no date"),
        (("2024-01-01", "2999-01-01"), "2999-01-01 is in the future"),
        (("2024-1-1", "2024-01-02"), "'2024-1-1' is not a date"),
        (("2024-01-01", "2024-01-02", "--only", "missing", "--from-raw"), "cannot be rebuilt from its raw"),
        (("2023-01-01", "2023-01-02"), "not started without a confirmation"),
        (("2023-01-01", "2023-01-02", "--workers", "0"), "greater than or equal to 1"),
        (("2023-01-01", "2023-01-02", "--max-failures", "0"), "greater than or equal to 1"),
        (("2023-01-01", "2023-01-02", "--only", "new"), "'new' is not one of"),
    ],
)
def test_a_wrong_argument_is_refused_and_changes_nothing(
    shop: Shop, arguments: tuple[str, ...], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_of(monkeypatch, shop.project, **shop.environment(CLOSED))
    before = shop.lake.head(MAIN), tuple(shop.lake.branches())

    result = CliRunner().invoke(app, ("backfill", *arguments))

    assert result.exit_code == 2 or isinstance(result.exception, UsageError)
    assert problem in f"{result.output}{result.exception}"
    assert (shop.lake.head(MAIN), tuple(shop.lake.branches())) == before


def test_a_plan_is_only_shown(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    settings_of(monkeypatch, shop.project, **shop.environment(CLOSED))

    text = CliRunner().invoke(app, ("backfill", "2023-01-01", "2023-12-31", "--plan", "--workers", "4"))
    found = CliRunner().invoke(app, ("backfill", "2023-01-01", "2023-01-02", "--plan", "--json"))

    lines = text.stdout.splitlines()
    assert lines[0] == "2023-01-01 to 2023-12-31, missing: 365 dates are fetched and built"
    assert lines[3].split() == ["2023-01-01", "2023-12-31", "365", "missing"]
    assert [one["reason"] for one in json.loads(found.stdout)["plan"]["dates"]] == ["missing"] * 2
