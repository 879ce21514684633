"""Reports of a build stay small for any records: names, keys and values of any number and length."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchestration.audit import date_receipt
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import DataFailed

from .conftest import DATE, Bench, event

MANY = 200_000
LONG = 4_000_000


def reported(result: BuildResult) -> str:
    """Returns everything that the build reports."""
    failure = result.failure()
    return "\n".join(note for _, note in result.notes()) + (failure.describe() if failure else "")


def test_a_day_with_many_fields_is_reported_in_a_few_lines(bench: Bench) -> None:
    further = {f"Further {number:03}": number for number in range(490)}
    day = [event(f"e{number % 300:03}", quantity=number) | further for number in range(600)]
    result = bench.build([day])
    result.require_passed()
    assert [note for _, note in result.notes() if note.startswith("events")][:2] == [
        "events: 490 undeclared fields, such as "
        "'Further 000', 'Further 001', 'Further 002', 'Further 003', 'Further 004' and 485 more",
        "events: 300 conflicting rows omitted, with keys such as 'e000', 'e001', 'e002', 'e003', 'e004' and 295 more",
    ]


def test_200000_names_end_in_a_short_report_and_receipt(bench: Bench) -> None:
    # Each record has unique names, one common name, and one repeated name.
    further = [", ".join(f'"u{record}_{number}": 0' for number in range(MANY // 3)) for record in range(3)]
    bodies = [
        json.dumps(event(f"e{record}"))[:-1] + f', {names}, "Every": 1, "Every": 2}}'
        for record, names in enumerate(further)
    ]
    result = bench.build([f"[{', '.join(bodies)}]"])
    result.require_passed()
    assert result.accounting["events"].undeclared == MANY // 3 * 3 + 1
    assert next(iter(result.accounting["events"].drift.items())) == ("Every", 3)
    assert len(reported(result)) < 1_000
    assert len(date_receipt(DATE, (), {}, result, "").to_bytes()) < 10_000


def test_long_names_keys_and_values_are_cut(bench: Bench) -> None:
    alike = ["x" * 100 + "a", "x" * 100 + "b"]
    day = [event(letter * LONG, description="d\x1b]0;x\x07" * 100_000) | {letter * LONG: 1} for letter in "abc"]
    day = [
        *day,
        day[0] | {"Quantity": 7},
        event("r", description="d" * 400, price="x" * LONG) | dict.fromkeys(alike, 1),
    ]
    result = bench.build([day])
    assert result.accounting["events"].undeclared == 5
    assert dict(result.accounting["events"].drift) == {
        "a" * 80 + "… (4000000 characters)": 2,
        "x" * 80 + "… (101 characters)": 2,
        "b" * 80 + "… (4000000 characters)": 1,
        "c" * 80 + "… (4000000 characters)": 1,
    }
    assert result.accounting["events"].conflicting_keys == ("a" * 80 + "… (4000000 characters)",)
    (rejected,) = result.accounting["events"].rejects["price_not_numeric"]
    # The record begins with its other long values, and its price fails.
    assert len(rejected["record"]) == 301
    assert rejected["record"].startswith("…")
    assert '"Price": "xxx' in rejected["record"]
    assert len(reported(result)) < 3_000
    assert "\x1b" not in reported(result)
    assert len(date_receipt(DATE, (), {}, result, "").to_bytes()) < 10_000


def test_an_invisible_character_in_a_name_is_visible_in_the_failure(bench: Bench) -> None:
    day = [event("e1"), event("e2")]
    for record in day:
        record["\ufeffEvent ID"] = record.pop("Event ID")
    with pytest.raises(DataFailed) as failed:
        bench.build([day]).require_passed()
    assert r"undeclared field '\ufeffEvent ID' in 2 of 2 records" in failed.value.cause
    assert "field='Event ID', records_without_it=2" in failed.value.cause


def test_a_folder_with_a_quote_in_its_name_is_read_and_written(bench: Bench) -> None:
    bench = replace(bench, root=bench.root / "it's")
    bench.build().require_passed()
    assert bench.file("events").exists()
