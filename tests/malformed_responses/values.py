"""Values and records, each with its outcome: docs/design.md#cleaning-rules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

from tests.malformed_responses.case import Row, event

AT = datetime(2025, 5, 20, 10, tzinfo=UTC)


def _of(field: str, column: str, reason: str, texts: dict[str, object]) -> Iterator[Row]:
    """Yields rows with an unusual value in one field; `texts` maps JSON text to the value, None if rejected."""
    for text, value in texts.items():
        name = f"{field} `{text}`" if len(text) < 60 else f"{field} `{text[:9]}…`, {len(text):,} characters"
        record = event(name, **{field: text})
        if value is None:
            yield Row(name, record, rejected=reason)
        else:
            yield Row(name, record, becomes={"event_id": name, column: value})


# The whole grammars of prices and timestamps are compared with Python in tests/integration/clean/test_clean_rows.py.
# Here are values of other JSON types, and one text for each form.
PRICES = tuple(
    _of(
        "Price",
        "price",
        "price_not_numeric",
        {
            '"1,234.50"': 1234.5, '" 12 "': 12.0, '"-3"': -3.0, '"1.5e-3"': 0.0015,
            "1.10": 1.1, "1E3": 1000.0, "-0.0": 0.0, "12345678901234567890": 12345678901234567890.0,
            '"12,50"': None, '"0,500"': None, '"€5"': None, '""': None, '"nan"': None, '"1e309"': None,
            "null": None, "true": None, "{}": None, "[5]": None,
            "NaN": None, "-Infinity": None, "1e400": None, "9" * 5_000: None,
        },
    )
)  # fmt: skip

TIMESTAMPS = tuple(
    _of(
        "Timestamp",
        "timestamp",
        "timestamp_unparseable",
        {
            '"2025-05-20 10:00:00"': AT, '"2025-05-20T12:00:00+02:00"': AT,
            '"2025-05-20T10:00:00.123456789Z"': AT.replace(microsecond=123456),
            '"2025-05-20T12:00:00+0200"': AT, '"2025-05-20T10:00"': AT, '"Tue, 20 May 2025 10:00:00 GMT"': AT,
            "1747735200": AT, '"1747735200"': AT, "1747735200000": AT,
            '"2016-12-31T23:59:60Z"': None, '"2025-02-29T00:00:00Z"': None, '"9999-12-31T23:59:59-00:01"': None,
            '" 2025-05-20T10:00:00Z"': None, '"2025-05-20T10:00:00 Europe/London"': None,
            '"Wed, 20 May 2025 10:00:00 GMT"': None,
            '"2025-05-20"': None, '"20250520"': None, '"20/05/2025 10:00:00"': None, '""': None,
            "17477352001": None, "-1747735200": None, "1747735200.5": None, "1.7477352e9": None,
            "null": None, "true": None, "[]": None,
        },
    )
)  # fmt: skip

QUANTITIES = tuple(
    _of(
        "Quantity",
        "quantity",
        "quantity_not_integer",
        {
            '"1,200"': 1200, '" 7 "': 7, '"+7"': 7, "-7": -7, "-0": 0, '"007"': 7,
            "9223372036854775807": 2**63 - 1, "-9223372036854775808": -(2**63),
            "9223372036854775808": None, '"9223372036854775808"': None, "2.0": None, "1e2": None, '"1.5"': None,
            '"1e2"': None, '"12,5"': None, '"0,500"': None,
            '"1 200"': None, '""': None, "null": None, "false": None, "[2]": None,
        },
    )
)  # fmt: skip


def _ids() -> Iterator[Row]:
    for text in ('""', '" "', '"\\t\\n\\u00a0"', "null"):
        name = f"Event ID `{text}`"
        yield Row(name, event("", Event_ID=text, Invoice_No=json.dumps(name)), rejected="event_id_missing")
    for text, becomes in {
        "4711": "4711",
        '"04711"': "04711",
        '"twin"': "twin",
        '"Twin"': "Twin",
        '" twin"': " twin",
        "123456789012345678901234567890": "123456789012345678901234567890",
        "true": "true",
        '{"id": 1}': '{"id":1}',
        "[1, null]": "[1,null]",
        '"\\u0000"': "\0",
        '"\\u200b"': "\u200b",
        '"\\ud83d\\uded2"': "🛒",
        '"a\\"b\\\\c\\/d"': 'a"b\\c/d',
    }.items():
        yield Row(f"Event ID `{text}`", event("", Event_ID=text), becomes={"event_id": becomes})
    for text in ("4711.0", "-0.50", "1e3", "1e400", "-0", "NaN", "-Infinity", '{"id": 1.50}', "[NaN]"):
        name = f"Event ID `{text}`"
        yield Row(name, event("", Event_ID=text, Invoice_No=json.dumps(name)), rejected="event_id_not_exact")
    for text, becomes in {'"4711.0"': "4711.0", '"NaN"': "NaN", '"-0"': "-0", '"[1.5]"': "[1.5]"}.items():
        yield Row(f"Event ID `{text}`", event("", Event_ID=text), becomes={"event_id": becomes})


def _texts() -> Iterator[Row]:
    """Yields rows for a text field, which keeps a value of another type as JSON text."""
    for text, becomes in {
        "5": "5",
        '"1.10"': "1.10",
        '"NaN"': "NaN",
        "9" * 50: "9" * 50,
        "[1.10, NaN]": "[1.1,NaN]",
        "false": "false",
        "null": None,
        '{"en": ["bag", 1]}': '{"en":["bag",1]}',
        "[]": "[]",
        '"a\\u0000b\\u2028"': "a\0b\u2028",
        '"\'; drop table events; --"': "'; drop table events; --",
    }.items():
        name = f"Description `{text}`"
        yield Row(name, event(name, Description=text), becomes={"event_id": name, "description": becomes})
    for text in ("1.10", "17850.0", "1E3", "1e-400", "1e400", "-0", "-0.0", "NaN", "Infinity", "-Infinity"):
        name = f"Description `{text}`"
        yield Row(name, event(name, Description=text), rejected="description_not_exact")
    name = "a field twice, text first, then a number that text cannot represent exactly: the first is used"
    twice = event(name, Description='"1.50"')[:-1] + ',"Description":1.50}'
    yield Row(name, twice, becomes={"event_id": name, "description": "1.50"}, drift=("Description",))


def _records() -> Iterator[Row]:
    for text in ("null", "5", "-0.50", "true", "NaN", '"text"', '"{"', "[]", '[{"Event ID": "a"}]'):
        yield Row(f"record `{text}`", text, rejected="record_not_object")
    yield Row("record `{}`", "{}", rejected="event_id_missing")


def _names() -> Iterator[Row]:
    def kept(name: str, record: str, *drift: str, **becomes: object) -> Row:
        return Row(name, record, becomes={"event_id": name, **becomes}, drift=drift)

    name = "a field twice: the first is used"
    yield kept(name, event(name, Price='"1"')[:-1] + ',"Price":"2"}', "Price", price=1.0)
    name = "a field twice, null first"
    yield Row(name, event(name, Price="null")[:-1] + ',"Price":"2"}', "price_not_numeric", drift=("Price",))
    name = "a field beside another one whose name differs in case"
    yield kept(name, event(name, price='"2"'), "price", price=12.75)
    name = "a field whose name differs in case, instead of the declared one"
    yield Row(name, event(name, without="Price", price='"2"'), "price_not_numeric", drift=("price",))
    name = "a field name with an escape sequence"
    yield kept(name, event(name, Price='"2"').replace('"Price"', '"Pric\\u0065"'), price=2.0)
    name = "fields in another order"
    yield kept(name, f'{{"Country":"Spain",{event(name, without="Country")[1:]}', country="Spain")
    name = "an undeclared field"
    yield kept(name, event(name, Channel='{"web": 1}'), "Channel", price=12.75)
    name = "undeclared fields with unusual names"
    odd = event(name)[:-1] + ',"":1,"a\\u0000b":2,"it\'s \\"odd\\"":3}'
    yield kept(name, odd, "", "a\0b", 'it\'s "odd"', country="France")
    name = "a missing field that is nullable"
    yield kept(name, event(name, without="Country"), country=None)
    name = "a missing field that is required"
    yield Row(name, event(name, without="Quantity"), "quantity_not_integer")


def _repeats() -> Iterator[Row]:
    def of(name: str, *records: str, price: float, identical: int = 0, conflicting: int = 0) -> Row:
        becomes = {"event_id": name, "price": price}
        return Row(name, records[0], "", becomes, (), records[1:], identical, conflicting)

    early, late, as_late = '"2025-05-20T08:00:00Z"', '"2025-05-20T10:30:00+02:00"', '"2025-05-20T08:30:00Z"'
    name = "a record three times"
    yield of(name, event(name), event(name), event(name), price=12.75, identical=2)
    name = "records that are equal after cleaning"
    formatted = event(name, Price='"1,234.50"', Timestamp=late, Quantity='" 2 "')
    yield of(name, formatted, event(name, Price="1234.5", Timestamp=as_late), price=1234.5, identical=1)
    name = "different records with one id: the earliest is kept"
    first, second = event(name, Price='"1"', Timestamp=late), event(name, Price='"2"', Timestamp=early)
    yield of(name, first, second, first, price=2.0, identical=1, conflicting=1)
    name = "different records with one id and one time: the first in the order of the other columns is kept"
    texts = {'"10"': '"B"', '"9"': "null", '"8"': '"B"'}
    records = [event(name, Price=price, Description=description) for price, description in texts.items()]
    yield of(name, *records, price=8.0, conflicting=2)
    name = "a valid record, with a rejected one of the same id"
    yield of(name, event(name, Price='"3"'), price=3.0)
    yield Row("a rejected record, with a valid one of the same id", event(name, Price='"?"'), "price_not_numeric")


ROWS = (*PRICES, *TIMESTAMPS, *QUANTITIES, *_ids(), *_texts(), *_records(), *_names(), *_repeats())
