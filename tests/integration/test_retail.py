"""Every day of the real shop, published as whole days and in pages, compared with plain Python over the CSV."""

import csv
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from math import fsum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestration.analyst.query import query
from orchestration.context import MartsRun
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.catalog import read_catalog
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import read_receipt
from orchestration.log import SILENT
from orchestration.marts import run_marts
from orchestration.run import run_date
from tests.helpers.own_lake import repository_of
from tests.helpers.projects import RETAIL, copy_project, fetched_in_pages, needs_retail, request_for, settings_of

Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def retail_lake(access: LakeAccess) -> Iterator[Lake]:
    """A repository with only the days of the shop."""
    with repository_of(access, "retail") as lake:
        yield lake


COLUMNS = "event_id, event_type, timestamp, invoice_no, stock_code, description, quantity, price, customer_id, country"


def all_days() -> list[str]:
    return sorted(file.stem for file in (RETAIL / "by-day").glob("*.csv"))


def lines_of(day: str) -> list[dict[str, str]]:
    with (RETAIL / "by-day" / f"{day}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def products_of(day: str) -> dict[str, str | None]:
    """Returns the products of a day by stock code, each with the description of the last invoice."""
    products: dict[str, str | None] = {}
    for line in lines_of(day):
        products[line["StockCode"]] = line["Description"] or products.get(line["StockCode"])
    return products


def expected_of(day: str) -> tuple[dict[str, Row], dict[str, int]]:
    """Computes the curated events of a day by id, and its accounting, from the CSV only."""
    lines = lines_of(day)
    rows: dict[str, list[Row]] = defaultdict(list)
    for line in lines:
        at = datetime.fromisoformat(line["InvoiceDate"]).replace(tzinfo=ZoneInfo("Europe/London")).astimezone(UTC)
        rows[f"{line['InvoiceNo']}-{line['StockCode']}"].append(
            (
                f"{line['InvoiceNo']}-{line['StockCode']}",
                "return" if line["InvoiceNo"].startswith("C") else "sale",
                at,
                line["InvoiceNo"],
                line["StockCode"],
                line["Description"] or None,
                int(line["Quantity"]),
                round(float(line["UnitPrice"]), 2),
                re.sub(r"\.0$", "", line["CustomerID"]) or None,
                line["Country"],
            )
        )

    def rank(row: Row) -> tuple[Any, ...]:
        # Sort by time, then by the other columns in order, nulls last.
        return (row[2], *((value is None, value) for at, value in enumerate(row) if at != 2))

    curated = {key: min(copies, key=rank) for key, copies in rows.items()}
    distinct = sum(len(set(copies)) for copies in rows.values())
    return curated, {
        "raw": len(lines),
        "curated": len(curated),
        "identical": len(lines) - distinct,
        "conflicting": distinct - len(curated),
        "accepted_keys": len(curated),
        "curated_keys": len(curated),
    }


@needs_retail
def test_the_first_day_has_the_documented_figures() -> None:
    _, parts = expected_of("2010-12-01")

    assert parts == {
        "raw": 3_108,
        "curated": 3_009,
        "identical": 44,
        "conflicting": 55,
        "accepted_keys": 3_009,
        "curated_keys": 3_009,
    }


@needs_retail
@pytest.mark.parametrize("page_size", [0, 1_000])
def test_every_day_matches_the_independent_computation(
    retail_lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    retail_api: Callable[[int], str],
    page_size: int,
) -> None:
    lake = retail_lake
    project = copy_project(tmp_path)
    if page_size:
        fetched_in_pages(project)
    settings = settings_of(monkeypatch, project, SHOP_API_URL=retail_api(page_size))
    # A few days are enough to test pages.
    days = all_days()[:3] if page_size else all_days()
    expected = {day: expected_of(day) for day in days}
    products = {day: products_of(day) for day in days}
    counted = ("raw", "curated", "accepted_keys", "curated_keys")
    nothing_dropped = {"identical": 0, "conflicting": 0, "rejected": {}, "drift": {}, "drift_fields": 0}

    for day in days:
        published = run_date(request_for(lake, settings, day))
        receipt = read_receipt(lake, MAIN, keys.date_receipt(day))
        assert published.outcome in ("published", "superseded")
        assert receipt is not None
        assert receipt.content["accounting"] == {
            "events": {**expected[day][1], "rejected": {}, "drift": {}, "drift_fields": 0},
            "products": {**dict.fromkeys(counted, len(products[day])), **nothing_dropped},
        }

    among = f"_execution_date between '{days[0]}' and '{days[-1]}'"
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    for day, *row in query(lake, f"select _execution_date::varchar, {COLUMNS} from events where {among}").rows:
        found[day][row[0]] = tuple(row)
    assert found == {day: curated for day, (curated, _) in expected.items()}
    sold: dict[str, dict[str, str | None]] = defaultdict(dict)
    for day, code, name in query(
        lake, f"select _execution_date::varchar, stock_code, description from products where {among}"
    ).rows:
        sold[day][code] = name
    assert sold == products


def figures_of(rows: list[Row]) -> tuple[int, int, int, float]:
    """Computes sales, returns, units and revenue of some events."""
    kinds = [row[1] for row in rows]
    return (
        kinds.count("sale"),
        kinds.count("return"),
        sum(row[6] for row in rows),
        fsum(row[6] * row[7] for row in rows),
    )


def grouped(days: list[str], key: Callable[[str, Row], Any]) -> dict[Any, list[Row]]:
    """Groups all events of the days by `key` of day and event."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for day in days:
        for row in expected_of(day)[0].values():
            groups[key(day, row)].append(row)
    return groups


@needs_retail
def test_the_marts_match_the_independent_computation(
    retail_lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, retail_api: Callable[[int], str]
) -> None:
    settings = settings_of(monkeypatch, copy_project(tmp_path), SHOP_API_URL=retail_api(0))
    days = all_days()
    # Publish them here if this test runs alone; the test above has published all of them.
    for day in set(days) - read_catalog(retail_lake, MAIN).receipts.keys():
        run_date(request_for(retail_lake, settings, day))

    run_marts(MartsRun(lake=retail_lake, settings=settings, log=SILENT))

    figures = "sales, returns, units, revenue"
    for mart, key, computed in (
        ("daily_sales", "execution_date::varchar, country", grouped(days, lambda day, row: (day, row[9]))),
        ("product_sales", "stock_code", grouped(days, lambda _, row: (row[4],))),
        ("customer_features", "customer_id", grouped(days, lambda _, row: (row[8],))),
    ):
        columns = figures.replace("revenue", "monetary_value") if mart == "customer_features" else figures
        found = {row[:-4]: row[-4:] for row in query(retail_lake, f"select {key}, {columns} from {mart}").rows}
        expected = {names: figures_of(rows) for names, rows in computed.items() if names[-1] is not None}
        assert found.keys() == expected.keys()
        for names, (*counts, revenue) in expected.items():
            assert list(found[names][:3]) == counts, (mart, names)
            assert found[names][3] == pytest.approx(revenue, abs=1e-6), (mart, names)

    last = date.fromisoformat(days[-1])
    asked = "customer_id, recency_days, tenure_days, frequency, returns_share, countries"
    features = {row[0]: row[1:] for row in query(retail_lake, f"select {asked} from customer_features").rows}
    seen = grouped(days, lambda day, row: (row[8], day))
    for customer, (recency, tenure, frequency, share, countries) in features.items():
        own = {day: rows for (name, day), rows in seen.items() if name == customer}
        rows = [row for rows in own.values() for row in rows]
        assert (recency, tenure) == tuple((last - date.fromisoformat(day)).days for day in (max(own), min(own)))
        assert frequency == len({row[3] for row in rows if row[1] == "sale"})
        assert share == figures_of(rows)[1] / len(rows)
        assert countries == len({row[9] for row in rows})
