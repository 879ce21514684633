"""Marts by date on the real lakeFS: only dates that changed are built, with the bytes of a build of all dates."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from examples.events_api import Options, create_app, serving
from orchestration.analyst.query import query
from orchestration.context import MartsRun
from orchestration.errors import DataFailed, IngestCleanError, UsageError
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.bundles import read_bundles
from orchestration.lake.catalog import date_checksums
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import read_receipt
from orchestration.log import SILENT
from orchestration.marts import MartsInputs, MartsSteps, extract_dates, run_marts
from orchestration.marts_dates import dates_to_build
from orchestration.operations.rollback import plan_rollback_of_date, roll_back
from orchestration.operations.verify import verify_marts
from orchestration.plan import Plan, SparkPlan, make_plan
from orchestration.run import run_date
from orchestration.settings import Settings
from tests.helpers.own_lake import repository_of
from tests.helpers.projects import copy_project, request_for, settings_of

FIRST, SECOND, REPEATING, JUNE = "2015-05-29", "2015-05-30", "2015-05-31", "2015-06-01"
BY_DATE = ("daily_invoices", "daily_products", "daily_sales", "event_dates")
OTHERS = ("customer_features", "product_sales")

PRICES = """
models:
  - name: prices
    description: All events.
    columns:
      - {name: events, data_type: bigint, description: Their number.}
      - {name: highest, data_type: double, description: The highest price.}
"""


class OtherDay:
    """Serves the data of other dates for some of them."""

    def __init__(self, app: Any, dates: Mapping[str, str]) -> None:
        self.app, self.dates = app, dates

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            asked = scope["query_string"].decode()
            for date, other in self.dates.items():
                asked = asked.replace(date, other)
            scope = {**scope, "query_string": asked.encode()}
        await self.app(scope, receive, send)


class Shop:
    """A lake of its own, a source with few or more rows, and the marts."""

    def __init__(self, lake: Lake, settings: Callable[..., Settings]) -> None:
        self.lake, self.settings = lake, settings

    def publish(self, *dates: str, rows: int = 40) -> None:
        for date in dates:
            run_date(request_for(self.lake, self.settings(rows), date))

    def take_back(self, date: str) -> None:
        plan = plan_rollback_of_date(self.lake, date)
        roll_back(self.lake, plan, self.settings(), "a test")

    def run(self, project: Path | None = None, **further: Any) -> tuple[str, ...]:
        """Build the marts and return the dates that were built, or removed."""
        found: list[MartsInputs] = []

        def extract(run: MartsRun, plan: Plan) -> MartsInputs:
            found.append(extract_dates(run, plan))
            return found[-1]

        run = MartsRun(lake=self.lake, settings=self.settings(folder=project), log=SILENT, **further)
        run_marts(run, MartsSteps(extract=extract))
        return found[-1].dates.dated.dates

    def files(self) -> dict[str, tuple[str, ...]]:
        """The names of the files of each mart on main."""
        receipt = read_receipt(self.lake, MAIN, keys.MARTS_RECEIPT)
        assert receipt
        found: dict[str, tuple[str, ...]] = {}
        for key in sorted(receipt.objects):
            found[keys.table_of(key)] = (*found.get(keys.table_of(key), ()), Path(key).stem)
        return found

    def dates_in_bundles(self) -> list[str]:
        """The dates whose receipts are as they are on main in the bundle of their month."""
        checksums = date_checksums(self.lake, MAIN)
        return [keys.date_of_receipt(key) for key in sorted(read_bundles(self.lake, MAIN, checksums))]

    def require_bytes_of_a_full_build(self) -> None:
        verified = verify_marts(self.lake, self.settings(), SILENT)
        assert verified
        assert (verified.outcome, verified.differences, verified.reasons) == ("identical", (), ())

    def dates_with_events(self) -> list[str]:
        rows = query(self.lake, "select distinct execution_date::varchar from daily_sales order by 1").rows
        return [row[0] for row in rows]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def shop(access: LakeAccess, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    repeating = {REPEATING: JUNE}
    with (
        serving(OtherDay(create_app(Options(rows=40)), repeating)) as few,
        serving(OtherDay(create_app(Options(rows=60)), repeating)) as more,
        repository_of(access, f"dated-{secrets.token_hex(4)}") as lake,
    ):

        def settings(rows: int = 40, folder: Path | None = None) -> Settings:
            return settings_of(monkeypatch, folder or project, SHOP_API_URL={40: few, 60: more}[rows])

        yield Shop(lake, settings)


def test_each_change_has_the_bytes_of_a_full_build(shop: Shop) -> None:
    shop.publish(FIRST, SECOND)
    assert shop.run() == (FIRST, SECOND)
    assert shop.files() == dict.fromkeys(BY_DATE, (FIRST, SECOND)) | dict.fromkeys(OTHERS, ("data",))

    shop.publish(JUNE)
    assert shop.run() == (JUNE,)
    assert shop.files()["daily_sales"] == ("2015-05", JUNE)
    assert shop.files()["_receipts"] == ("2015-05",)
    assert shop.dates_in_bundles() == [FIRST, SECOND]
    shop.require_bytes_of_a_full_build()

    # The latest date is built too, for its columns.
    shop.publish(FIRST, rows=60)
    assert shop.run() == (FIRST, JUNE)
    assert shop.dates_in_bundles() == [FIRST, SECOND]
    shop.require_bytes_of_a_full_build()

    # Its events move to the earlier date that repeats them, and back.
    shop.publish(REPEATING)
    assert shop.run() == (REPEATING, JUNE)
    assert shop.dates_with_events() == [FIRST, SECOND, REPEATING]
    shop.require_bytes_of_a_full_build()

    shop.take_back(REPEATING)
    assert shop.run() == (REPEATING, JUNE)
    assert shop.dates_with_events() == [FIRST, SECOND, JUNE]
    shop.require_bytes_of_a_full_build()

    # A removed date alone has no row to build.
    shop.take_back(JUNE)
    assert shop.run() == (SECOND, JUNE)
    assert shop.files()["daily_sales"] == (FIRST, SECOND)
    assert "_receipts" not in shop.files()
    shop.require_bytes_of_a_full_build()

    assert shop.run() == ()
    assert shop.run(force=True) == (FIRST, SECOND)


def test_a_change_of_the_code_builds_all_dates(shop: Shop, tmp_path: Path) -> None:
    shop.publish(FIRST, SECOND)
    shop.run()
    changed = copy_project(tmp_path)
    model = changed / "models" / "marts" / "by_date" / "daily_sales.sql"
    model.write_text(
        model.read_text().replace("sales_figures(order='event_id')", "sales_figures(order='event_id', digits=2)")
    )
    assert shop.run(changed) == (FIRST, SECOND)


def test_a_test_that_fails_on_a_new_date_leaves_main_untouched(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.publish(FIRST)
    shop.run()
    shop.publish(SECOND)
    head = shop.lake.head(MAIN)
    settings = shop.settings()
    mart = settings.project_dir / "models" / "marts" / "by_date" / "daily_sales.yml"
    text = mart.read_text()
    try:
        mart.write_text(text.replace("sales + returns + other_events > 0", f"execution_date <> '{SECOND}'"))
        with pytest.raises(DataFailed, match="daily_sales_counts_some_event"):
            shop.run()
    finally:
        mart.write_text(text)
    assert shop.lake.head(MAIN) == head
    assert shop.run() == (SECOND,)


def test_a_declaration_of_repeats_that_cannot_be_read_is_named(shop: Shop, tmp_path: Path) -> None:
    shop.publish(FIRST)
    wrong = copy_project(tmp_path)
    mart = wrong / "models" / "marts" / "by_date" / "event_dates.yml"
    mart.write_text(mart.read_text().replace("{of: events, key: [event_id]}", "{of: events, key: [id]}"))
    head = shop.lake.head(MAIN)
    with pytest.raises(
        UsageError, match=r"by_date/event_dates\.yml: config\.meta\.repeats .* table events has no column id"
    ):
        shop.run(wrong)
    assert shop.lake.head(MAIN) == head


def test_a_mart_by_date_that_is_not_declared_as_one_is_named(shop: Shop, tmp_path: Path) -> None:
    shop.publish(FIRST)
    wrong = copy_project(tmp_path)
    marts = wrong / "models" / "marts" / "by_date"
    (marts / "prices.sql").write_text("select count(*) as events from {{ ref('all_events') }}")
    meta = "{key_on_lake: marts/prices/data.parquet, order_by: [execution_date, colour]}"
    (marts / "prices.yml").write_text(PRICES.replace("columns:", f"config: {{meta: {meta}}}\n    columns:"))
    with pytest.raises(IngestCleanError) as error:
        shop.run(wrong)
    for problem in (
        "meta.key_on_lake needs {file}",
        "a column execution_date with data_type: date",
        "meta.order_by needs",
    ):
        assert problem in error.value.cause


CHAINED = """
models:
  - name: totals
    description: Sales of each date.
    config:
      meta: {order_by: [execution_date]}
    columns:
      - {name: execution_date, data_type: date, description: The date.}
      - {name: sales, data_type: bigint, description: Their number.}
"""


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("select execution_date, sales from {{ ref('daily_sales') }}", "several rows with the same execution_date"),
        ("select execution_date + 1 as execution_date, 1::bigint as sales from {{ ref('built_dates') }}", "not built"),
        (
            "select null::date as execution_date, 1::bigint as sales",
            "an execution_date that is not built, such as None",
        ),
    ],
)
def test_rows_that_no_file_would_have_for_certain_are_refused(
    shop: Shop, tmp_path: Path, sql: str, problem: str
) -> None:
    shop.publish(FIRST)
    wrong = copy_project(tmp_path)
    (wrong / "models" / "marts" / "by_date" / "totals.sql").write_text(sql)
    (wrong / "models" / "marts" / "by_date" / "totals.yml").write_text(CHAINED)
    with pytest.raises(DataFailed, match=f"(?s)totals: .*{problem}"):
        shop.run(wrong)


def test_a_mart_by_date_may_read_another_one(shop: Shop, tmp_path: Path) -> None:
    chained = copy_project(tmp_path)
    model = chained / "models" / "marts" / "by_date" / "totals.sql"
    model.with_suffix(".yml").write_text(CHAINED)
    summed = "select execution_date, sum(sales)::bigint as sales from {{ ref('daily_sales') }} group by execution_date"
    model.write_text(summed + " having {{ is_built('execution_date') }}")
    shop.publish(FIRST, SECOND)
    shop.run(chained)
    shop.publish(JUNE)

    assert shop.run(chained) == (JUNE,)
    assert shop.files()["totals"] == ("2015-05", JUNE)
    for mart in ("totals", "daily_sales"):
        found = query(shop.lake, f"select count(distinct execution_date), sum(sales) from {mart}").rows
        assert found == query(shop.lake, "select 3, count(*) filter (event_type = 'sale') from events").rows

    model.write_text(summed)
    shop.run(chained)
    shop.publish(FIRST, rows=60)
    with pytest.raises(DataFailed, match=f"(?s)totals: .*1 rows have an execution_date .* such as {SECOND}"):
        shop.run(chained)


def test_another_version_of_duckdb_builds_all_dates(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.publish(FIRST)
    shop.run()
    shop.publish(SECOND)
    monkeypatch.setattr("orchestration.marts_dates.version", lambda _: "9.9.9")
    assert shop.run() == (FIRST, SECOND)


@pytest.mark.parametrize("other", ["duckdb", "pyspark"])
def test_another_version_of_what_builds_and_writes_on_spark_builds_all_dates(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    shop.publish(FIRST)
    shop.run()
    shop.publish(SECOND)
    run = MartsRun(lake=shop.lake, settings=shop.settings(), log=SILENT)
    plan = make_plan(run)
    # What Spark builds with is not used: only what is to be built is asked.
    plan = replace(plan, spark=SparkPlan(Mock(), plan.project))
    receipt = read_receipt(shop.lake, MAIN, keys.MARTS_RECEIPT)
    assert receipt
    versions = {"duckdb": "1.5", "pyspark": "4.1"}
    former = replace(receipt, content={**receipt.content, "engine": "spark", "code": plan.code, "versions": versions})

    def dates(installed: Mapping[str, str]) -> tuple[str, ...]:
        monkeypatch.setattr("orchestration.marts_dates.version", installed.__getitem__)
        checksums = date_checksums(shop.lake, MAIN)
        return dates_to_build(run, plan, shop.lake.head(MAIN), former, checksums).dated.dates

    assert dates(versions) == (SECOND,)
    assert dates({**versions, other: "9.9"}) == (FIRST, SECOND)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("order_by: [execution_date, event_id]", "order_by: [execution_date, event_id, is_first]"),
        ("description: Names the event.\n        constraints: *required", "description: Names the event."),
    ],
)
def test_what_the_yaml_of_a_mart_by_date_decides_builds_all_dates(
    shop: Shop, tmp_path: Path, before: str, after: str
) -> None:
    changed = copy_project(tmp_path)
    shop.publish(FIRST)
    shop.run(changed)
    file = changed / "models" / "marts" / "by_date" / "event_dates.yml"
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    shop.publish(SECOND)
    assert shop.run(changed) == (FIRST, SECOND)


def test_a_null_in_a_required_column_of_a_mart_by_date_is_named(shop: Shop, tmp_path: Path) -> None:
    shop.publish(FIRST)
    wrong = copy_project(tmp_path)
    model = wrong / "models" / "marts" / "by_date" / "daily_sales.sql"
    model.write_text(
        model.read_text().replace(
            "        country,\n        {{", "        nullif(country, 'United Kingdom') as country,\n        {{"
        )
    )
    with pytest.raises(DataFailed, match=r"(?s)daily_sales: .* 1 nulls in the not_null column country"):
        shop.run(wrong)


def test_a_mart_that_is_built_whole_has_all_dates(shop: Shop, tmp_path: Path) -> None:
    more = copy_project(tmp_path)
    marts = more / "models" / "marts"
    (marts / "prices.sql").write_text(
        "select count(*) as events, max(price) as highest from {{ published(ref('events')) }}"
    )
    (marts / "prices.yml").write_text(PRICES)
    shop.publish(FIRST)
    shop.run(more)
    shop.publish(SECOND)

    assert shop.run(more) == (SECOND,)
    counted = query(shop.lake, "select (select count(*) from events), (select events from prices)").rows[0]
    assert counted[0] == counted[1] > 0


@pytest.mark.parametrize(
    ("sql", "reads"),
    [
        ("select count(*) as events, max(price) as highest from {{ built_rows(ref('events')) }}", "prices"),
        ("select count(*) as events, max(revenue) as highest from {{ ref('all_events') }}", "all_events"),
    ],
)
def test_a_mart_that_would_lack_dates_is_refused(shop: Shop, tmp_path: Path, sql: str, reads: str) -> None:
    wrong = copy_project(tmp_path)
    marts = wrong / "models" / "marts"
    (marts / "prices.sql").write_text(sql)
    (marts / "prices.yml").write_text(PRICES)
    shop.publish(FIRST)
    head = shop.lake.head(MAIN)
    with pytest.raises(UsageError, match=f"the mart prices would lack rows: {reads} has only those that built_rows"):
        shop.run(wrong)
    assert shop.lake.head(MAIN) == head
