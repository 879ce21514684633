"""Every day of the real shop, published as whole days and in pages, held against plain Python over the CSV."""

import csv
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestration import keys
from orchestration.lake import MAIN, Lake
from orchestration.reader import query
from orchestration.receipt import read_receipt
from orchestration.run import run_date
from tests.support import RETAIL, copy_project, fetched_in_pages, needs_retail, request_for, settings_of

Row = tuple[Any, ...]
COLUMNS = "event_id, event_type, timestamp, invoice_no, stock_code, description, quantity, price, customer_id, country"


def lines_of(day: str) -> list[dict[str, str]]:
    with (RETAIL / "by-day" / f"{day}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def products_of(day: str) -> dict[str, str | None]:
    """The products of a day by stock code, each with the last description that an invoice gave."""
    products: dict[str, str | None] = {}
    for line in lines_of(day):
        products[line["StockCode"]] = line["Description"] or products.get(line["StockCode"])
    return products


def expected_of(day: str) -> tuple[dict[str, Row], dict[str, int]]:
    """The curated events of a day by id, and its accounting, from the CSV alone."""
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
        # The earliest first, then by the other columns in order, nulls last.
        return (row[2], *((value is None, value) for at, value in enumerate(row) if at != 2))

    curated = {key: min(copies, key=rank) for key, copies in rows.items()}
    distinct = sum(len(set(copies)) for copies in rows.values())
    return curated, {
        "raw": len(lines),
        "curated": len(curated),
        "identical": len(lines) - distinct,
        "conflicting": distinct - len(curated),
    }


@needs_retail
def test_the_first_day_has_the_figures_that_were_promised() -> None:
    _, parts = expected_of("2010-12-01")

    assert parts == {"raw": 3_108, "curated": 3_009, "identical": 44, "conflicting": 55}


@needs_retail
@pytest.mark.parametrize("page_size", [0, 1_000])
def test_every_day_is_accounted_for_and_curated_as_computed_apart(
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    retail_api: Callable[[int], str],
    page_size: int,
) -> None:
    project = copy_project(tmp_path)
    if page_size:
        fetched_in_pages(project)
    settings = settings_of(monkeypatch, project, SHOP_API_URL=retail_api(page_size))
    days = sorted(file.stem for file in (RETAIL / "by-day").glob("*.csv"))
    expected = {day: expected_of(day) for day in days}
    products = {day: products_of(day) for day in days}
    nothing_dropped = {"identical": 0, "conflicting": 0, "rejected": {}, "drift": {}}

    for day in days:
        published = run_date(request_for(lake, settings, day))
        receipt = read_receipt(lake, MAIN, keys.date_receipt(day))
        assert published.outcome in ("published", "superseded")
        assert receipt is not None
        assert receipt.content["accounting"] == {
            "events": {**expected[day][1], "rejected": {}, "drift": {}},
            "products": {"raw": len(products[day]), "curated": len(products[day]), **nothing_dropped},
        }

    among = f"date between '{days[0]}' and '{days[-1]}'"
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    for day, *row in query(lake, f"select date::varchar, {COLUMNS} from events where {among}").rows:
        found[day][row[0]] = tuple(row)
    assert found == {day: curated for day, (curated, _) in expected.items()}
    sold: dict[str, dict[str, str | None]] = defaultdict(dict)
    for day, code, name in query(
        lake, f"select date::varchar, stock_code, description from products where {among}"
    ).rows:
        sold[day][code] = name
    assert sold == products
