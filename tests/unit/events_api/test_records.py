"""The records of the sample API, and the accounting of a day."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import date, timedelta
from itertools import islice

import pytest
import yaml

from examples.events_api import accounting, dirt, records
from orchestration.settings import PROJECT_DIR
from tests.helpers.sample_api import DAY, FIELDS, cleaned, made

FIRST = (
    '{"Event ID":"20250520000000-1","Event Type":"sale","Timestamp":"2025-05-20T16:05:08+01:00",'
    '"Invoice No":"20250520000000","Stock Code":"84082","Description":"IVORY WATERING CAN","Quantity":6,'
    '"Price":"531.82","Customer ID":"14598","Country":"United Kingdom"}'
)


def test_a_row_depends_on_its_date_and_number_only() -> None:
    whole = list(records.events(DAY, 0, 3_000))
    assert whole == list(records.events(DAY, 0, 3_000))
    assert whole[1_234:1_777] == list(records.events(DAY, 1_234, 1_777))
    assert [next(records.events(DAY, row, row + 1)) for row in range(90, 160)] == whole[90:160]
    assert not set(whole) & set(records.events(DAY + timedelta(days=1), 0, 3_000))


def test_records_do_not_change_between_versions() -> None:
    """Other tests and the demo depend on the records of a day."""
    assert next(records.events(DAY, 0, 1)) == FIRST


def test_events_have_the_declared_fields_and_the_variety_of_real_ones() -> None:
    events = made(5_000)
    assert all(list(event) == FIELDS for event in events)
    assert {event["Event Type"] for event in events} == {"sale", "return"}
    assert all((event["Quantity"] < 0) == (event["Event Type"] == "return") for event in events)
    assert any("," in event["Price"] for event in events)
    assert any(event["Customer ID"] is None for event in events)
    assert any(event["Description"] is None for event in events)
    shapes = {re.sub(r"\d", "9", str(event["Timestamp"])) for event in events} - {"yesterday"}
    clock = "9999-99-99T99:99:99"
    assert shapes == {clock, f"{clock}Z", f"{clock}+99:99", f"{clock}-99:99", "9" * 10, "9" * 13}


@pytest.mark.parametrize("day", [DAY, date(2024, 2, 29), date(2025, 12, 31)])
def test_all_usable_timestamps_fall_on_the_date(day: date) -> None:
    for event in made(5_000, day=day):
        at = cleaned(event)[0].get("Timestamp")
        assert at is None or at.date() == day
        assert not isinstance(event["Timestamp"], str) or at is None or event["Timestamp"].startswith(day.isoformat())


def test_products_are_those_of_the_events() -> None:
    for rows in (0, 1, 101, 160, 1_000):
        products = [json.loads(text) for text in records.products(DAY, rows)]
        sold = {event["Stock Code"]: event["Description"] for event in made(rows)}
        assert products == [{"Stock Code": code, "Description": sold[code]} for code in sorted(sold)]


def test_a_day_of_any_size_has_its_products_at_once() -> None:
    assert records.products(DAY, 10**12) == records.products(DAY, 100_000)


@pytest.mark.parametrize("bad_prices", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 100, 101, 126, 151, 999, 1_000, 2_626, 7_777])
def test_the_accounting_is_what_a_count_of_the_records_gives(rows: int, bad_prices: bool) -> None:
    versions: dict[str, Counter[str]] = {}
    reasons: Counter[str] = Counter()
    for event in made(rows, bad_prices=bad_prices):
        clean, reason = cleaned(event)
        if reason:
            reasons[reason] += 1
        else:
            versions.setdefault(event["Event ID"], Counter())[json.dumps(clean, default=str)] += 1

    stated = accounting(rows, bad_prices=bad_prices)
    assert stated.raw == rows
    assert stated.curated == len(versions)
    assert stated.identical == sum(seen.total() - len(seen) for seen in versions.values())
    assert stated.conflicting == sum(len(seen) - 1 for seen in versions.values())
    assert stated.reasons == reasons
    assert stated.rejected == reasons.total()


def test_a_thousand_usual_rows_pass_a_limit_of_one_percent_and_bad_ones_do_not() -> None:
    usual = accounting(1_000)
    assert usual.reasons == {"event_id_missing": 2, "price_not_numeric": 1, "timestamp_unparseable": 2}
    assert (usual.curated, usual.identical, usual.conflicting) == (981, 9, 5)
    for rows in (10, 100, 1_000, 100_000):
        assert accounting(rows, bad_prices=True).rejected > 0.01 * rows
    assert accounting(1_000_000).rejected == 2_000


def test_kinds_of_dirt_do_not_overlap() -> None:
    """The counts are exact since dirt is on first lines only, and never twice on one row."""
    kinds = [dirt.IDENTICAL, dirt.CONFLICTING, *(flaw.rows for flaw in dirt.flaws(bad_prices=True))]
    assert all(kind.start % dirt.INVOICE_LINES == kind.step % dirt.INVOICE_LINES == 0 for kind in kinds)
    dirty = Counter(row for kind in kinds for row in islice(kind, 10_000) if row < 10_000)
    assert set(dirty.values()) == {1}


def test_the_fields_are_those_the_source_declares() -> None:
    text = (PROJECT_DIR / "models/staging/shop/_shop__sources.yml").read_text(encoding="utf-8")
    tables = {table["name"]: table for table in yaml.safe_load(text)["sources"][0]["tables"]}
    declared = {name: [column["name"] for column in table["columns"]] for name, table in tables.items()}
    assert declared["events"] == FIELDS
    assert declared["products"] == ["Stock Code", "Description"]
