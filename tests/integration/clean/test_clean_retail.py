"""Every day of the retail data against plain Python's reading of the same CSV; skipped where the data is missing."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestration.settings import PROJECT_DIR

from .conftest import Bench

RETAIL = Path(os.environ.get("ELT_RETAIL_DIR") or PROJECT_DIR.parent / "shared" / "retail")
DAYS = sorted(path.stem for path in (RETAIL / "by-day").glob("*.csv"))

pytestmark = pytest.mark.skipif(not DAYS, reason="the retail data is not beside the project; ELT_RETAIL_DIR names it")

Row = tuple[Any, ...]


def rows_on(day: str) -> list[dict[str, str]]:
    with (RETAIL / "by-day" / f"{day}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def expected(rows: list[dict[str, str]]) -> tuple[list[Row], int, int]:
    """Curated rows in order, identical and conflicting ones counted; straight from the CSV, by way of no JSON."""
    events: Counter[Row] = Counter()
    for row in rows:
        invoice = row["InvoiceNo"]
        at = datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=ZoneInfo("Europe/London"))
        events[
            f"{invoice}-{row['StockCode']}",
            "return" if invoice.startswith("C") else "sale",
            at.astimezone(ZoneInfo("UTC")),
            invoice,
            row["StockCode"],
            row["Description"] or None,
            int(row["Quantity"]),
            round(float(row["UnitPrice"]), 2),
            row["CustomerID"].removesuffix(".0") or None,
            row["Country"],
        ] += 1
    kept: dict[str, Row] = {}
    for event in sorted(events, key=precedence, reverse=True):
        kept[event[0]] = event
    curated = [kept[event_id] for event_id in sorted(kept, key=str.encode)]
    return curated, sum(events.values()) - len(events), len(events) - len(kept)


def precedence(event: Row) -> Row:
    """The earliest first, then the other columns in order, nulls last."""
    return (event[2], *((value is None, value.encode() if isinstance(value, str) else value or 0) for value in event))


def test_every_day_is_what_python_makes_of_the_csv(bench: Bench) -> None:
    spec = importlib.util.spec_from_file_location("retail_serve", RETAIL / "serve.py")
    assert spec is not None
    assert spec.loader is not None
    serve = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serve)
    for day in DAYS:
        rows = rows_on(day)
        curated, identical, conflicting = expected(rows)
        bodies = [json.dumps([serve.event(row) for row in rows])], [json.dumps(serve.products(rows))]
        result = bench.build_run(bench.run(*bodies, date=day))
        result.require_passed()
        parts = result.accounting["events"]
        assert (parts.raw, parts.curated) == (len(rows), len(curated)), day
        assert (parts.identical, parts.conflicting, parts.rejected) == (identical, conflicting, {}), day
        assert bench.rows("events", date=day) == curated, day
        if day == "2010-12-01":
            assert (parts.raw, parts.curated, parts.identical, parts.conflicting) == (3108, 3009, 44, 55)
