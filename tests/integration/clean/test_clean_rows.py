"""The outcome of rows: grammars compared with Python's, duplicates, rejects, drift, forms of pages."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from .conftest import DATE, Bench, event, product

PRICES = [
    "1,234.50", " 12 ", "-3", "+3", "1e3", "1e+3", "1.5e-3", "0", "-0", "00012", "0.10", "\t7\n", "\u00a08",
    "1,234,567", "0,500", "000,001", "-0,500", "01,234", "10,500",
    "999999999999999999999", "1e308", "1e309", "-1e999", "4.9e-324", "1e-999", "0.1", "1234567.891",
    "", " ", ".5", "5.", "1e", "e3", "1E3", "--1", "+-1", "€5", "5 €", "1 234", "12,50", "1,23", "1,2345", ",123",
    "1,,234", "1,234,56", "12345,678", "nan", "inf", "Infinity", "0x10", "1_000", "1e1.5", "١٢", "1.2.3", "true",
    "null", " \t12\u00a0\n", "-0,500.00",
]  # fmt: skip

TIMESTAMPS = [
    "2025-05-20T10:00:00Z", "2025-05-20 10:00:00Z", "2025-05-20T10:00:00", "2025-05-20 10:00:00",
    "2025-05-20T10:00:00+02:00", "2025-05-20T10:00:00-05:30", "2025-05-20T10:00:00+00:00",
    "2025-05-20T10:00:00-00:00", "2025-05-20T00:00:00+14:00", "2025-05-20T23:59:59-23:59", "2025-05-20T10:00:00.1Z",
    "2025-05-20T10:00:00.123456Z", "2025-05-20T10:00:00.1234567Z", "2025-05-20T10:00:00.999999999Z",
    "2025-05-20T23:59:59.9999999+01:00", "2025-05-20 10:00:00.5", "2024-02-29T00:00:00Z", "2000-02-29T00:00:00Z",
    "1582-10-10T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.5Z",
    "2025-03-30T01:30:00+00:00", "2025-10-26T01:30:00+01:00", "2025-10-26T01:30:00+00:00", "1747735200",
    "1747735200000", "1747735200123", "999999999", "999999999999", "9999999999", "0999999999", "", " ",
    "2025-05-20", "2025-05-20T10:00", "2025-05-20T10:00:00z", "2025-05-20t10:00:00Z", " 2025-05-20T10:00:00Z",
    "2025-05-20T10:00:00Z ", "2025-05-20T10:00:00Z\n", "2025-05-20  10:00:00", "2025-05-20T10:00:00 Z",
    "2025-05-20T10:00:00+0200", "2025-05-20T10:00:00+02", "2025-05-20T10:00:00+2:00", "2025-05-20T10:00:00+24:00",
    "2025-05-20T10:00:00+02:60", "2025-05-20T10:00:00.Z", "2025-05-20T10:00:00.1234567890Z",
    "2025-05-20T10:00:00,5Z", "2025-05-20T24:00:00Z", "2016-12-31T23:59:60Z", "2025-05-20T10:60:00Z",
    "2025-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2025-02-30T00:00:00Z", "2025-04-31T00:00:00Z",
    "2025-13-01T00:00:00Z", "2025-00-10T00:00:00Z", "2025-05-00T00:00:00Z", "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "25-05-20T10:00:00Z", "12025-05-20T10:00:00Z",
    "20250520", "20250520100000", "17477352001", "-1747735200", "1747735200.5", "1.7e9", "epoch", "now", "infinity",
    "2025-05-20T10:00:00 UTC", "2025-05-20T10:00:00 Europe/London", "20/05/2025 10:00:00", "٢٠٢٥-05-20T10:00:00Z",
    "2025-W21-2T10:00:00Z", "2025-05-20T04:30:00-05:30", "2025-05-21T09:59:00+23:59", "2025-05-20T10:00:00.123456789Z",
    "0000-12-31T23:59:59Z", "10000-01-01T00:00:00Z",
    "2025-05-20T10:05Z", "2025-05-20 10:05", "2025-05-20T10:05+02:00", "2025-05-20 10:05-0530", "2025-05-20T10:05+00",
    "2025-05-20T24:00", "2025-05-20T10:60Z", "2025-05-20T10", "2025-05-20T10Z", "2025-05-20T1005Z", "2025-02-30T10:05Z",
    "2025-05-20T10:05.5Z", "2025-05-20T10:05 +00", "0001-01-01T00:00", "2025-05-20T10:00:00.5+0000",
    "2025-05-20T10:00:00-00", "2025-05-20T10:00:00+2400", "2025-05-20T10:00:00+0260", "2025-05-20T10:00:00+020",
    "2025-05-20T10:00:00+02000", "2025-05-20T10:00:00+02:0", "2025-05-20 10:00:00+0000", "2025-05-20T10:00:00Z+00",
    "Tue, 20 May 2025 10:05:00 +0000", "Tue, 20 May 2025 10:05:00 GMT", "20 May 2025 10:05 +0200",
    "Sun, 1 Jun 2025 00:00:00 -0530", "01 Jun 2025 00:00:00 UT", "Thu, 29 Feb 2024 23:59:59 UTC",
    "Wed, 20 May 2025 10:05:00 +0000", "Tue 20 May 2025 10:05:00 +0000", "Tue,20 May 2025 10:05:00 +0000",
    "tue, 20 may 2025 10:05:00 +0000", "Tuesday, 20 May 2025 10:05:00 +0000", "Tue, 20 May 25 10:05:00 +0000",
    "Tue, 20 May 2025 10:05:00", "Tue, 20 May 2025 10:05:00 EST", "Tue, 20 May 2025 10:05:00 Z",
    "Tue, 20 May 2025 10:05:00 +00:00", "Tue, 20 May 2025 10:05:00 +2400", "Tue, 20 May 2025 24:05:00 +0000",
    "Tue, 20 May 2025 10:05:60 +0000", "Sun, 30 Feb 2025 10:05:00 +0000", "Tue, 20 May 2025 10:05:00  +0000",
    "Tue May 20 10:05:00 2025", "Fri, 31 Dec 9999 23:59:59 -0001", "Mon, 01 Jan 1900 00:00:00 +0000",
    "Tue, 20 Mai 2025 10:05:00 +0000", "Tue, 20 May 2025 10:05:00.5 +0000", "20250520T100500Z", "/Date(1747735200000)/",
]  # fmt: skip


def price_of(text: str | None) -> float | None:
    """Implements the price rule in plain Python."""
    text = (text or "").strip("\t\n\v\f\r \u00a0")
    if "," in text:
        whole = re.match(r"[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?![0-9,])", text)
        text = text.replace(",", "") if whole and "," not in text[whole.end() :] else ""
    if not re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?", text) or math.isinf(float(text)):
        return None
    return float(text) + 0.0


def instant_of(text: str | None) -> datetime | None:
    """Implements the timestamp rule in plain Python."""
    text = text or ""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    if re.fullmatch(r"[0-9]{9,10}", text):
        return epoch + timedelta(seconds=int(text))
    if re.fullmatch(r"[0-9]{12,13}", text):
        return epoch + timedelta(milliseconds=int(text))
    parts = re.fullmatch(
        r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,9}))?)?"
        r"(?:Z|([+-])([0-9]{2})(?::?([0-9]{2}))?)?",
        text,
    )
    if not parts:
        return mail_instant_of(text)
    fraction, sign, hours, minutes = parts.groups()[6:]
    if sign and (int(hours) > 23 or int(minutes or 0) > 59):
        return None
    ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    try:
        year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups()[:6])
        micros = int((fraction or "").ljust(6, "0")[:6])
        return datetime(year, month, day, hour, minute, second, micros, UTC) - ahead
    except (ValueError, OverflowError):
        return None


def mail_instant_of(text: str) -> datetime | None:
    """Reads an instant of RFC 2822 with Python's parser of mail headers, which is more lenient than the rule."""
    grammar = (
        r"(?:([A-Z][a-z]{2}), )?[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}(?::[0-5][0-9])? "
        r"(?:[+-](?:[01][0-9]|2[0-3])[0-5][0-9]|GMT|UTC|UT)"
    )
    if not (parts := re.fullmatch(grammar, text)):
        return None
    try:
        sent = parsedate_to_datetime(text)
        # Python gives GMT no time zone.
        sent = sent if sent.tzinfo else sent.replace(tzinfo=UTC)
        return sent.astimezone(UTC) if parts[1] in (None, sent.strftime("%a")) else None
    except (ValueError, OverflowError):
        return None


def test_prices_and_timestamps_match_their_grammar_in_python(bench: Bench) -> None:
    prices = {f"p{number:03}": text for number, text in enumerate([*PRICES, None])}
    instants = {f"t{number:03}": text for number, text in enumerate([*TIMESTAMPS, None])}
    events = [event(name, price=text) for name, text in prices.items()]
    events += [event(name, timestamp=text) for name, text in instants.items()]

    result = bench.build([events])

    expected: dict[str, Any] = {name: price_of(text) for name, text in prices.items()}
    expected |= {name: instant_of(text) for name, text in instants.items()}
    found = {
        name: price if name[0] == "p" else at for name, price, at in bench.rows("events", "event_id, price, timestamp")
    }
    assert found == {name: value for name, value in expected.items() if value is not None}
    rejected = {
        json.loads(record)["Event ID"]: reason for reason, record in bench.rows("events_rejected", "reason, record")
    }
    reasons = {"p": "price_not_numeric", "t": "timestamp_unparseable"}
    assert rejected == {name: reasons[name[0]] for name, value in expected.items() if value is None}
    assert result.accounting["events"].closes
    zero = next(price for name, price in bench.rows("events", "event_id, price") if prices.get(name) == "-0")
    assert math.copysign(1, zero) == 1


def test_json_numbers_are_prices_and_epochs_too(bench: Bench) -> None:
    bench.build([[event("a", price=1.10, timestamp=1747735200), event("b", price=1000, timestamp=1747735200123)]])
    at = datetime(2025, 5, 20, 10, tzinfo=UTC)
    assert bench.rows("events", "event_id, price, timestamp") == [
        ("a", 1.1, at),
        ("b", 1000.0, at + timedelta(milliseconds=123)),
    ]


def test_each_invalid_row_is_rejected_with_its_page_and_record(bench: Bench) -> None:
    bad = [5, None, ["a"], "text", event(None), event(" "), event("q", quantity="1.5")]  # type: ignore[arg-type]
    result = bench.build([[event("good"), *bad[:4]], bad[4:]])
    pages = [f"raw/shop/events/date={DATE}/page-0000{number}.json" for number in (1, 2)]
    rejected = bench.rows("events_rejected")
    assert sorted((reason, page) for reason, page, _ in rejected) == [
        ("event_id_missing", pages[1]),
        ("event_id_missing", pages[1]),
        ("quantity_not_integer", pages[1]),
        *[("record_not_object", pages[0])] * 4,
    ]
    assert sorted(record for _, _, record in rejected) == sorted(json.dumps(record) for record in bad)
    parts = result.accounting["events"]
    assert (parts.raw, parts.curated, parts.closes) == (8, 1, True)
    assert parts.rejects["quantity_not_integer"] == ({"page": pages[1], "record": json.dumps(bad[-1])},)
    assert len(parts.rejects["record_not_object"]) == 4


def test_identical_and_conflicting_rows_are_distinguished(bench: Bench) -> None:
    early, late = f"{DATE}T09:00:00Z", f"{DATE}T11:00:00+01:00"
    result = bench.build(
        [[
            event("a"), event("a"), event("a", price="12.750"),
            event("b", timestamp=late), event("b", timestamp=early, country="Spain"), event("b", timestamp=early),
            event("c"), event("c", price="bad"),
        ]],
        [[product("M", None), product("M", "MANUAL"), product("M", "MANUAL")]],
    )  # fmt: skip
    parts, products = result.accounting["events"], result.accounting["products"]
    assert (parts.raw, parts.curated, parts.identical, parts.conflicting) == (8, 3, 2, 2)
    assert parts.conflicting_keys == ("b",)
    assert (parts.rejected, parts.closes) == ({"price_not_numeric": 1}, True)
    assert [(key, country) for key, country in bench.rows("events", "event_id, country")] == [
        ("a", "France"),
        ("b", "France"),
        ("c", "France"),
    ]
    assert (products.raw, products.curated, products.identical, products.conflicting) == (3, 1, 1, 1)
    assert bench.rows("products") == [("M", "MANUAL")]


def test_undeclared_repeated_and_missing_fields_are_counted(bench: Bench) -> None:
    without = event("b")
    del without["Country"]
    twice = json.dumps(event("c"))[:-1] + ', "Price": "99", "Channel": "web"}'
    reordered = dict(reversed(event("d").items()))
    page = (
        f"[{json.dumps(event('a') | {'Channel': {'x': 1}})}, {json.dumps(without)}, {twice}, {json.dumps(reordered)}]"
    )
    result = bench.build([page])
    parts = result.accounting["events"]
    assert parts.drift == {"Channel": 2, "Price": 1}
    assert parts.missing == {"Country": 1}
    assert result.passed
    assert ("c", 12.75) in bench.rows("events", "event_id, price")


def test_nested_values_are_kept_as_json_text(bench: Bench) -> None:
    bench.build([[event(description={"en": "bag", "sizes": [1, 2]})]])
    assert bench.rows("events", "description") == [('{"en":"bag","sizes":[1,2]}',)]


@pytest.mark.parametrize(("events", "products"), [(["[]"], ["[]"]), ([], []), ([""], ["[]"])])
def test_an_empty_day_has_files_without_rows_and_with_their_schema(
    bench: Bench, events: list[str], products: list[str]
) -> None:
    result = bench.build(events, products)
    assert {"events_has_rows", "products_has_rows"} == {test.name for test in result.failed_tests}
    for name in ("events", "events_rejected", "products", "products_rejected"):
        assert bench.rows(name) == []
    assert bench.rows("events", "count(typeof(timestamp))") == [(0,)]
    assert result.accounting["events"].raw == 0
