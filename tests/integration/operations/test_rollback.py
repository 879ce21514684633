"""`elt rollback` on a real lakeFS: all of `main`, or one date, goes back by one merge through the gate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.events_api import Options, accounting, create_app, serving
from orchestration.errors import Conflict, UsageError
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.gate import gate_file
from orchestration.lake.history import on_hold, publications
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.operations.audit import audit_main
from orchestration.operations.rollback import DateChange, plan_rollback, plan_rollback_of_date, roll_back
from orchestration.operations.versions import versions_of
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR, Settings
from tests.helpers.gate_versions import version_with_gate
from tests.helpers.projects import copy_project, request_for, settings_of

FIRST, SECOND, THIRD = "2025-05-20", "2025-05-21", "2025-05-22"
REASON = "prices were in cents"


@dataclass(frozen=True)
class Shop:
    """A lake of its own, and a project that publishes to it."""

    lake: Lake
    project: Path

    def publish(self, execution_date: str, rows: int, **further: bool) -> str:
        """Publishes a date with so many rows, and returns the outcome."""
        with serving(create_app(Options(rows=rows))) as url, pytest.MonkeyPatch.context() as monkeypatch:
            run = request_for(self.lake, settings_of(monkeypatch, self.project, SHOP_API_URL=url), execution_date)
            return run_date(run).outcome

    @property
    def settings(self) -> Settings:
        with pytest.MonkeyPatch.context() as monkeypatch:
            return settings_of(monkeypatch, self.project)

    def tree(self, ref: str = MAIN) -> dict[str, str]:
        """Returns the checksums of all objects."""
        return {stored.key: stored.checksum for stored in self.lake.objects(ref)}


@pytest.fixture(scope="module")
def shop(open_repository: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Two dates, of which the first was published twice. Each test leaves the lake as it made it."""
    lake = open_repository("rollback")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    shop = Shop(lake, copy_project(tmp_path_factory.mktemp("project")))
    assert [shop.publish(FIRST, 200), shop.publish(SECOND, 200), shop.publish(FIRST, 300)] == [
        "published",
        "published",
        "superseded",
    ]
    return shop


def counts(rows: int) -> int:
    return accounting(rows).curated


def test_all_of_main_goes_back_and_forward_again(shop: Shop) -> None:
    lake = shop.lake
    again, _, first = publications(lake)
    before, then = shop.tree(), shop.tree(first.commit)

    plan = plan_rollback(lake, first.commit[:12])
    assert [(one.execution_date, one.effect) for one in plan.dates] == [(FIRST, "back"), (SECOND, "removed")]
    assert plan.dates[0].before["events"] == counts(300)
    assert plan.dates[0].after["events"] == counts(200)
    assert shop.tree() == before, "a plan changes nothing"
    back = roll_back(lake, plan, shop.settings, REASON)

    assert shop.tree() == then
    assert audit_main(lake, deep=True).findings == ()
    assert (lake.head(MAIN), lake.commit_of(MAIN).parents[0]) == (back.commit, again.commit)
    latest = next(publications(lake))
    assert (latest.outcome, latest.execution_date, latest.reason) == ("rolled back", None, REASON)
    assert [version.outcome for version in versions_of(lake, SECOND)] == ["removed", "published"]
    assert on_hold(lake, (FIRST, SECOND, THIRD)) == {FIRST, SECOND}
    assert on_hold(lake, ()) == frozenset()

    forward = roll_back(lake, plan_rollback(lake, again.commit), shop.settings, "it was right")

    assert shop.tree() == before
    assert [one.effect for one in forward.plan.dates] == ["back", "restored"]
    assert on_hold(lake, (FIRST, SECOND)) == frozenset(), "main has again what the runs published"
    assert audit_main(lake).findings == ()
    assert list(lake.branches("rollback-")) == []


def test_one_date_goes_back_to_its_version_before_and_is_published_again(shop: Shop) -> None:
    assert shop.publish(THIRD, 200) == "published"
    assert shop.publish(THIRD, 300) == "superseded"
    before = shop.tree()

    plan = plan_rollback_of_date(shop.lake, THIRD)
    roll_back(shop.lake, plan, shop.settings, REASON)

    (change,) = plan.dates
    assert (change.execution_date, change.effect) == (THIRD, "back")
    assert (change.before["events"], change.after["events"]) == (counts(300), counts(200))
    others = {key: checksum for key, checksum in before.items() if THIRD not in key}
    assert {key: checksum for key, checksum in shop.tree().items() if THIRD not in key} == others
    assert audit_main(shop.lake, deep=True).findings == ()
    latest, _, oldest = versions_of(shop.lake, THIRD)
    assert (latest.outcome, latest.reason, latest.rows) == ("rolled back", REASON, oldest.rows)
    assert on_hold(shop.lake, (FIRST, THIRD)) == {THIRD}

    assert shop.publish(THIRD, 300) == "superseded"
    assert shop.tree() == before
    assert on_hold(shop.lake, (FIRST, THIRD)) == frozenset()


def test_the_only_version_of_a_date_goes_off_main_and_comes_back(shop: Shop) -> None:
    date = "2025-05-23"
    before = shop.tree()
    shop.publish(date, 200)
    with_it = shop.tree()

    roll_back(shop.lake, plan_rollback_of_date(shop.lake, date), shop.settings, REASON)
    assert shop.tree() == before
    assert next(versions_of(shop.lake, date)).outcome == "removed"
    assert on_hold(shop.lake, (date,)) == {date}

    plan = plan_rollback_of_date(shop.lake, date)
    roll_back(shop.lake, plan, shop.settings, "a rollback of the rollback")
    assert plan.dates == (DateChange(date, {}, plan.dates[0].after),)
    assert plan.dates[0].effect == "restored"
    assert shop.tree() == with_it
    assert on_hold(shop.lake, (date,)) == frozenset()


def test_a_date_published_after_the_plan_is_kept(shop: Shop) -> None:
    plan = plan_rollback_of_date(shop.lake, FIRST)
    shop.publish("2025-05-24", 200)

    roll_back(shop.lake, plan, shop.settings, REASON)

    assert keys.date_receipt("2025-05-24") in shop.tree()
    assert audit_main(shop.lake).findings == ()


def test_the_same_date_published_after_the_plan_is_a_conflict(shop: Shop) -> None:
    shop.publish("2025-05-25", 200)
    plan = plan_rollback_of_date(shop.lake, "2025-05-25")
    shop.publish("2025-05-25", 300)
    before = shop.tree()

    with pytest.raises(Conflict):
        roll_back(shop.lake, plan, shop.settings, REASON)

    assert shop.tree() == before
    assert list(shop.lake.branches("rollback-")) == []


def test_an_older_gate_does_not_come_back(shop: Shop) -> None:
    target = shop.lake.head(MAIN)
    with version_with_gate(gate_file() + b"# newer\n"):
        init_lake(shop.lake, "lakefs", PROJECT_DIR, SILENT)
        shop.publish("2025-05-26", 200)

        roll_back(shop.lake, plan_rollback(shop.lake, target), shop.settings, REASON)

        assert audit_main(shop.lake).findings == ()
    init_lake(shop.lake, "lakefs", PROJECT_DIR, SILENT)


def test_what_cannot_be_rolled_back_is_refused(shop: Shop) -> None:
    *_, first = shop.lake.log(MAIN)
    before = shop.lake.head(MAIN)

    with pytest.raises(UsageError, match="is the repository's first commit"):
        plan_rollback(shop.lake, first.id)
    with pytest.raises(UsageError, match="main has what it had at"):
        plan_rollback(shop.lake, MAIN)
    with pytest.raises(UsageError, match="1999-01-01 was never published"):
        plan_rollback_of_date(shop.lake, "1999-01-01")
    assert shop.lake.head(MAIN) == before
