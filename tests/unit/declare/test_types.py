"""The type of each field, by the grammars of the models."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestration.declare.fields import find_fields
from orchestration.declare.kept import find_kept
from orchestration.declare.shape import find_records
from orchestration.declare.types import Sample, TypedField, find_types
from orchestration.errors import UsageError

AT = "2025-05-20T08:00:00Z"

# Values of a field in each record, and what it becomes; a name says what the field is called.
CASES: dict[str, tuple[str, Sequence[Any], str]] = {
    "an id as a number": ("id", [1, 2], "bigint"),
    "an id as text": ("order_id", ["17", "18"], "varchar"),
    "a price as text": ("price", ["12.50", "1,000.25"], "double"),
    "a count as text": ("stock", ["1,000", "7"], "bigint"),
    "whole and other numbers": ("weight", [1, 2.5], "double"),
    "numbers with a zero behind the point": ("ratio", [1.0, 2.0], "double"),
    "a decimal comma": ("Betrag", ["1.234,50", "7,25"], "double comma"),
    "leading zeros": ("plz", ["01067", "10115"], "varchar"),
    "a telephone": ("from", ["+15550100", "+15550101"], "varchar"),
    "flags": ("public", [True, False], "varchar"),
    "words": ("name", ["a", "b"], "varchar"),
    "numbers and words": ("size", ["12", "large"], "varchar"),
    "whole numbers and words": ("grade", [1, "a"], "varchar"),
    "numbers with decimals and words": ("reading", [1.5, "n/a"], "varchar undeclarable"),
    "numbers and empty text": ("amount", ["1", ""], "varchar"),
    "too large for bigint": ("hash", [2**70, 1], "varchar"),
    "more digits than a double keeps": ("exact", ["1.2345678901234567", "2.5"], "varchar"),
    "an instant": ("created", [AT, AT], "timestamptz"),
    "an instant without seconds": ("updated", ["2021-07-20T12:15Z", AT], "timestamptz"),
    "an instant as RFC 2822": ("sent", ["Tue, 20 May 2025 11:00:00 +0000", AT], "timestamptz"),
    "text and seconds": ("Updated At", [AT, 1747735200], "timestamptz"),
    "some other text": ("sent_at", ["Tuesday", AT], "varchar"),
    "milliseconds": ("time", [1747699200000, 1747735200123], "timestamptz epoch_ms"),
    "seconds": ("start_time", [1747699200, 1747735200], "timestamptz epoch"),
    "fractions of seconds": ("ts", [1747699200.25, 1747735200], "timestamptz epoch"),
    "numbers of that size": ("population", [1747699200, 1747735200], "bigint"),
    "small numbers with such a name": ("uptime", [5, 7], "bigint"),
    "a date": ("day", ["2025-05-20", "2025-05-21"], "timestamptz %Y-%m-%d"),
    "a German date": ("datum", ["20.05.2025", "21.05.2025"], "timestamptz %d.%m.%Y"),
    "a compact date": ("date", [20250520, 20250521], "timestamptz %Y%m%d"),
    "a date that the day decides": ("on", ["20/05/2025", "21/05/2025"], "timestamptz %d/%m/%Y"),
    "a date with two readings": ("at", ["03/04/2025", "05/06/2025"], "varchar"),
    "a list": ("tags", [["a"], []], "varchar"),
    "null everywhere": ("note", [None, None], "varchar"),
}


def sample_of(folder: Path, records: Sequence[Any]) -> Sample:
    page = folder / "page.json"
    page.write_text(json.dumps(records))
    return Sample([page], find_records(page.read_bytes(), "things"))


@pytest.fixture
def typed(tmp_path: Path) -> Callable[[Sequence[Any]], tuple[Sample, tuple[TypedField, ...]]]:
    def find(records: Sequence[Any]) -> tuple[Sample, tuple[TypedField, ...]]:
        sample = sample_of(tmp_path, records)
        return sample, find_types(sample, find_fields([json.loads(text) for text in sample.records]))

    return find


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TypedField]:
    records = [{name: values[at] for name, values, _ in CASES.values()} for at in range(2)]
    sample = sample_of(tmp_path_factory.mktemp("cases"), records)
    return {one.field.label: one for one in find_types(sample, find_fields(records))}


@pytest.mark.parametrize("case", CASES)
def test_a_field_has_the_type_that_each_of_its_values_allows(case: str, found: dict[str, TypedField]) -> None:
    name, _, expected = CASES[case]
    one = found[name]
    shown = (one.data_type, one.format, "comma" * one.decimal_comma, "undeclarable" * bool(one.undeclarable))

    assert " ".join(filter(None, shown)) == expected, one.why
    assert one.why


def test_null_is_counted_apart_from_absent(typed: Any) -> None:
    _, fields = typed(
        [{"id": 1, "size": 2.5, "code": "a"}, {"id": 2, "size": None, "code": " "}, {"id": 3, "code": "b"}]
    )

    by_name = {one.column: one for one in fields}
    assert (by_name["size"].nullable, by_name["size"].field.absent, by_name["size"].blank) == (True, 1, 2)
    assert (by_name["code"].nullable, by_name["code"].blank) == (False, 1)
    assert not by_name["id"].nullable


def kept(typed: Any, records: Sequence[Any], date: str | None = "2025-05-20", **further: Any) -> dict[str, Any]:
    sample, fields = typed(records)
    found = find_kept(
        sample, fields, ("orders", "articles"), further.pop("key", ()), date, **({"open_ended": False} | further)
    )
    assert all(guess.why for guess in found.guesses)
    return {
        "key": [one.field.label for one in found.key],
        **{
            rule: one.field.label
            for rule, one in (("earliest", found.earliest), ("latest", found.latest), ("keep_date", found.keep_date))
            if one
        },
        **({"all_dates": True} if found.all_dates else {}),
        "date": found.date,
    }


def orders(count: int = 3, **further: Callable[[int], Any]) -> list[dict[str, Any]]:
    return [{name: make(at) for name, make in further.items()} for at in range(count)]


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"id": lambda at: at, "title": lambda at: f"t{at}"}, ["id"]),
        ({"title": lambda at: f"t{at}", "order_id": lambda at: f"o{at}"}, ["order_id"]),
        ({"views": lambda at: at, "article": lambda at: f"a{at}"}, ["article"]),
        # The record's own id wins over one of a nested object.
        ({"user": lambda at: {"id": at}, "id": lambda at: f"o{at}"}, ["id"]),
        # A column that is unique by chance names nothing.
        ({"title": lambda at: f"t{at}", "amount": lambda at: at + 0.5}, []),
        ({"shop_id": lambda at: at // 2, "line_no": lambda at: at % 2}, ["shop_id", "line_no"]),
        # An instant names a record of a time series, and is unique by chance elsewhere.
        ({"time": lambda at: f"2025-05-20T0{at}:00:00Z", "rain": lambda at: at + 0.5}, ["time"]),
        ({"created_at": lambda at: f"2025-05-20T0{at}:00:00Z", "rain": lambda at: at + 0.5}, []),
        ({"id": lambda at: None if at == 0 else at}, []),
        ({"id": lambda at: at // 2, "size": lambda at: at % 2 + 0.5}, []),
    ],
)
def test_a_key_is_unique_never_null_and_has_a_name_of_one(typed: Any, fields: Any, key: list[str]) -> None:
    assert kept(typed, orders(4, **fields))["key"] == key


def test_identical_records_do_not_hide_a_key(typed: Any) -> None:
    rows = orders(2, id=lambda at: at)

    assert kept(typed, [*rows, rows[0]])["key"] == ["id"]


def test_a_key_that_is_given_has_to_be_a_field_without_null(typed: Any) -> None:
    rows = orders(2, id=lambda at: at, other=lambda at: at or None)

    assert kept(typed, rows, key=["id"])["key"] == ["id"]
    for name, says in (("nothing", "no such field; they have id, other"), ("other", "null or blank in 1 records")):
        with pytest.raises(UsageError, match=says):
            kept(typed, rows, key=[name])


def test_the_instant_of_the_date_decides_and_its_name_says_how(typed: Any) -> None:
    created = orders(id=lambda at: at, created_at=lambda at: AT)
    changed = orders(id=lambda at: at, created_at=lambda at: "2020-01-01T00:00:00Z", updated_at=lambda at: AT)

    assert kept(typed, created) == {"key": ["id"], "earliest": "created_at", "date": "2025-05-20"}
    assert kept(typed, changed) == {"key": ["id"], "latest": "updated_at", "date": "2025-05-20"}
    assert kept(typed, created, open_ended=True)["keep_date"] == "created_at"


def test_without_a_date_it_is_that_of_most_records(typed: Any) -> None:
    rows = orders(5, id=lambda at: at, created_at=lambda at: f"2025-05-{20 if at else 19}T08:00:00Z")

    assert kept(typed, rows, None)["date"] == "2025-05-20"


def test_an_answer_of_many_days_allows_them(typed: Any) -> None:
    rows = orders(5, id=lambda at: at, created_at=lambda at: f"2025-0{at + 1}-20T08:00:00Z")

    assert kept(typed, rows)["all_dates"]


def test_a_record_without_an_instant_has_no_date(typed: Any) -> None:
    rows = orders(id=lambda at: at, created_at=lambda at: AT if at else None)

    assert kept(typed, rows, None) == {"key": ["id"], "date": ""}
