"""The EDA report on the real lakeFS: of three published dates, one that failed and a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.events_api import Options, accounting, create_app, serving
from orchestration.analyst.query import query
from orchestration.context import MartsRun
from orchestration.eda import make_report, store
from orchestration.eda.model import Instants, Numbers, Profile, Texts
from orchestration.eda.page import render
from orchestration.eda.profile import profile
from orchestration.errors import DataFailed, GateRefused, UsageError
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.stale import stale_dates_at
from orchestration.log import SILENT
from orchestration.marts import run_marts
from orchestration.models.reports import MartReport, read_reports
from orchestration.operations.rollback import plan_rollback, plan_rollback_of_date, roll_back
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR, Settings
from tests.helpers.own_lake import note_reads, repository_of
from tests.helpers.projects import copy_project, request_for, settings_of

ROWS = 300
DATES = ("2015-06-01", "2015-06-02", "2015-06-06")
FAILED = "2015-06-04"


@dataclass(frozen=True)
class World:
    """A lake with dates and marts, and its commit before the marts were published."""

    lake: Lake
    without_marts: str
    settings: Callable[[], Settings]

    def profile(self) -> Profile:
        return profile(self.lake, self.lake.head(MAIN), read_reports(PROJECT_DIR))


@pytest.fixture(scope="module")
def world(access: LakeAccess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    project = copy_project(tmp_path_factory.mktemp("project"))
    with (
        repository_of(access, "eda") as lake,
        serving(create_app(Options(rows=ROWS))) as good,
        serving(create_app(Options(rows=ROWS, fault="bad-day"))) as bad,
        pytest.MonkeyPatch.context() as patch,
    ):

        def settings(shop: str = good) -> Settings:
            return settings_of(patch, project, SHOP_API_URL=shop)

        for date in DATES:
            run_date(request_for(lake, settings(), date))
        with pytest.raises(DataFailed):
            run_date(request_for(lake, settings(bad), FAILED))
        without_marts = lake.head(MAIN)
        run_marts(MartsRun(lake=lake, settings=settings(), log=SILENT))
        yield World(lake, without_marts, settings)


def test_the_report_of_a_table_matches_a_query(world: World) -> None:
    found = {table.name: table for table in world.profile().tables}
    assert list(found) == ["events", "products"]
    expected = accounting(ROWS)

    events = found["events"]

    assert [(date.date, date.raw, date.curated, date.repeats) for date in events.dates] == [
        (date, expected.raw, expected.curated, expected.identical + expected.conflicting) for date in DATES
    ]
    assert all(date.rejected == expected.reasons for date in events.dates)
    assert events.dates[0].rejected_share == sum(expected.reasons.values()) / expected.raw
    assert events.account == {
        "raw": 3 * expected.raw,
        "published": 3 * expected.curated,
        "identical repeats": 3 * expected.identical,
        "conflicting repeats": 3 * expected.conflicting,
        **{f"rejected: {reason}": 3 * rows for reason, rows in events.dates[0].rejected.items()},
    }
    for column in events.columns:
        name = f'"{column.name}"'
        asked = f"select count(*), count(*) - count({name}), count(distinct {name}) from events"
        assert query(world.lake, asked).rows == ((column.rows, column.nulls, column.distinct),), column
    columns = {column.name: column for column in events.columns}
    price = columns["price"].values
    assert isinstance(price, Numbers)
    asked = "select min(price), max(price), avg(price), median(price), quantile_cont(price, 0.95) from events"
    assert query(world.lake, asked).rows[0] == pytest.approx(
        (price.minimum, price.maximum, price.mean, price.quantiles[0.5], price.quantiles[0.95])
    )
    assert price.histogram is not None
    assert sum(price.histogram.counts) + price.histogram.below + price.histogram.above == columns["price"].rows
    country = columns["country"].values
    assert isinstance(country, Texts)
    asked = "select country, count(*) from events where country is not null group by 1 order by 2 desc, 1 limit 10"
    assert country.top == query(world.lake, asked).rows
    at = columns["timestamp"].values
    assert isinstance(at, Instants)
    asked = "select min(timestamp)::varchar, max(timestamp)::varchar from events"
    assert query(world.lake, asked).rows == ((at.first, at.last),)
    assert sum(at.hours) == columns["timestamp"].rows


def test_revenue_matches_the_mart(world: World) -> None:
    (mart,) = world.profile().marts

    assert (mart.mart, mart.title, mart.published, mart.problem) == ("daily_sales", "Revenue", True, "")
    (revenue,) = mart.measures
    assert (revenue.label, revenue.unit) == ("Revenue", "")
    by_date = query(world.lake, "select execution_date::varchar, sum(revenue) from daily_sales group by 1").rows
    assert revenue.by_date == pytest.approx(dict(by_date))
    assert list(revenue.by_date) == list(DATES)
    assert revenue.total == pytest.approx(sum(revenue.by_date.values()))
    (by_country,) = revenue.rankings
    asked = "select country, sum(revenue) from daily_sales group by 1 order by 2 desc limit 10"
    assert dict(by_country.top) == pytest.approx(dict(query(world.lake, asked).rows))
    assert by_country.values == query(world.lake, "select count(distinct country) from daily_sales").rows[0][0]
    assert world.profile().stale == ()


def test_marts_made_from_a_version_that_was_rolled_back_are_stale(world: World) -> None:
    lake, settings, before = world.lake, world.settings(), world.lake.head(MAIN)

    plan = plan_rollback_of_date(lake, DATES[1])
    roll_back(lake, plan, settings, "wrong prices")

    assert plan.stale == stale_dates_at(lake, MAIN) == world.profile().stale == (DATES[1],)
    back = plan_rollback(lake, before)
    roll_back(lake, back, settings, "they were right")
    assert back.stale == stale_dates_at(lake, MAIN) == (), "the marts go back with all of main"


def test_without_the_marts_there_is_no_revenue(world: World) -> None:
    found = profile(world.lake, world.without_marts, read_reports(PROJECT_DIR))

    assert [(mart.mart, mart.published, mart.measures) for mart in found.marts] == [("daily_sales", False, ())]
    assert "elt marts" in render(found)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"date": "week"}, "it has no column week"),
        ({"date": "country"}, "its column country has the type varchar, not a date"),
        ({"measures": [{"column": "profit"}]}, "it has no column profit"),
        ({"measures": [{"column": "country"}]}, "its column country has the type varchar, not a number"),
        ({"measures": [{"column": "sales", "by": ["region"]}]}, "it has no column region"),
    ],
)
def test_a_declaration_that_the_published_mart_does_not_match_is_explained(
    world: World, tmp_path: Path, changed: dict[str, Any], problem: str
) -> None:
    declared = {"date": "execution_date", "measures": [{"column": "sales"}], **changed}

    (mart,) = profile(world.lake, world.lake.head(MAIN), reports_of(tmp_path, daily_sales=declared)).marts

    assert (mart.measures, mart.problem) == ((), problem)


def test_any_measure_of_any_mart_is_summed(world: World, tmp_path: Path) -> None:
    units = {"column": "units", "unit": "pieces", "by": ["execution_date", "country"]}
    reports = reports_of(
        tmp_path,
        product_sales={"date": "last_sold_on", "measures": [{"column": "returns"}, units | {"by": []}]},
        daily_sales={"measures": [units]},
    )

    daily, products = profile(world.lake, world.lake.head(MAIN), reports).marts

    assert (daily.title, products.title) == ("daily_sales", "product_sales")
    (pieces,) = daily.measures
    assert (pieces.label, pieces.unit, pieces.by_date) == ("units", "pieces", {})
    assert pieces.total == query(world.lake, "select sum(units) from daily_sales").rows[0][0]
    assert [(ranking.column, len(ranking.top)) for ranking in pieces.rankings] == [
        ("execution_date", len(DATES)),
        ("country", min(10, pieces.rankings[1].values)),
    ]
    returns, sold = products.measures
    unsold = query(world.lake, "select coalesce(sum(units), 0) from product_sales where last_sold_on is null").rows[0][
        0
    ]
    assert sum(sold.by_date.values()) == sold.total - unsold
    assert set(returns.by_date) == set(sold.by_date) <= set(DATES)


def reports_of(folder: Path, **declared: dict[str, Any]) -> tuple[MartReport, ...]:
    """Write the declarations of marts into a project folder, and read them."""
    file = folder / "models" / "marts.yml"
    file.parent.mkdir()
    models = [{"name": name, "config": {"meta": {"report": report}}} for name, report in declared.items()]
    file.write_text(yaml.safe_dump({"models": models}))
    return read_reports(folder)


def test_a_report_of_the_latest_dates_reads_only_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read = note_reads(monkeypatch)
    found = profile(world.lake, world.lake.head(MAIN), read_reports(PROJECT_DIR), latest=2)

    assert (found.dates, found.published) == (DATES[1:], len(DATES))
    assert {date.date for table in found.tables for date in table.dates} == set(DATES[1:])
    assert keys.date_receipt(DATES[0]) not in read
    assert min(found.calendar) == DATES[1]
    assert found.marts[0].measures[0].by_date.keys() == set(DATES), "a mart is shown as a whole"
    assert f"The latest 2 of {len(DATES)} dates, {DATES[1]} to {DATES[-1]}," in render(found)


def test_the_calendar_shows_the_failed_date_and_the_gap(world: World) -> None:
    assert world.profile().calendar == {
        "2015-06-01": "published",
        "2015-06-02": "published",
        "2015-06-03": "missing",
        FAILED: "failed",
        "2015-06-05": "missing",
        "2015-06-06": "published",
    }


def test_the_report_is_on_a_branch_that_the_gate_does_not_merge(world: World) -> None:
    lake, head = world.lake, world.lake.head(MAIN)

    stored = make_report(lake, head, {"flow_run_id": "run-4711"}, (), latest=366)

    body = lake.read(store.BRANCH, store.KEY)
    assert body is not None
    assert (stored.branch, stored.key, stored.commit) == ("reports", "reports/eda.html", lake.head("reports"))
    assert head[:12].encode() in body
    assert b"run-4711" not in body
    made = lake.commit_of(stored.commit)
    assert (made.metadata["flow_run_id"], made.metadata["profiled_commit"]) == ("run-4711", head)
    address = f"{lake.connection.access.endpoint}/repositories/eda/object?ref=reports&path=reports/eda.html"
    assert stored.url == address
    with pytest.raises(GateRefused):
        lake.merge(stored.commit, "a report is no data", {})
    assert lake.head(MAIN) == head


def test_the_same_commit_gives_the_same_bytes_and_no_commit(world: World) -> None:
    head = world.lake.head(MAIN)
    first = make_report(world.lake, head, {"flow_run_id": "one"}, (), latest=366)
    body = world.lake.read(store.BRANCH, store.KEY)

    again = make_report(world.lake, head, {"flow_run_id": "two"}, (), latest=366)

    assert again == first
    assert world.lake.read(store.BRANCH, store.KEY) == body
    assert list(world.lake.uncommitted(store.BRANCH)) == []


def test_concurrent_writers_all_succeed_and_leave_one_report(access: LakeAccess) -> None:
    pages = [f"<p>{number}" for number in range(6)]
    with repository_of(access, "eda-writers") as lake:
        with ThreadPoolExecutor(len(pages)) as pool:
            stored = list(pool.map(lambda page: store.store_report(lake, page, "c0ffee", {}), pages))

        body = lake.read(store.BRANCH, store.KEY)
        assert body is not None
        assert body.decode() in pages
        assert list(lake.uncommitted(store.BRANCH)) == []
        assert {report.commit for report in stored} <= {commit.id for commit in lake.log(store.BRANCH)}


def test_leftovers_of_a_dead_writer_do_not_block_the_next(access: LakeAccess) -> None:
    with repository_of(access, "eda-dead") as lake:
        lake.create_branch(store.BRANCH, lake.head(MAIN))
        lake.put(store.BRANCH, store.KEY, b"<p>half", "text/html")

        stored = store.store_report(lake, "<p>whole", "c0ffee", {})

        assert lake.read(stored.commit, store.KEY) == b"<p>whole"


def test_without_published_dates_the_report_is_an_error(access: LakeAccess) -> None:
    with repository_of(access, "eda-empty") as lake:
        with pytest.raises(UsageError, match=r"no date is published yet.*") as refused:
            make_report(lake, lake.head(MAIN), {}, (), latest=366)

        assert refused.value.remedy == "elt run DATE"
        assert store.BRANCH not in list(lake.branches())
