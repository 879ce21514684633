"""Tables of other forms than the shop's: keys of typed columns and of two columns, nullable columns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestration.dbt_runner.build import Engine
from orchestration.dbt_runner.inputs import RunFile
from tests.helpers.projects import copy_project
from tests.helpers.tables import Field, write_table

from .conftest import Bench, event, parsed, product

READINGS = (
    Field("Number", "number", "double"),
    Field("Sent At", "sent_at", "timestamptz"),
    Field("Size", "size", "double"),
)
RATINGS = (
    Field("id", "id"),
    Field("rating", "rating", "double", nullable=True),
    Field("size", "size", "bigint"),
    Field("left", "left", "bigint", nullable=True),
    Field("at", "at", "timestamptz", nullable=True),
)
COLOURS = (
    Field("country", "country"),
    Field("number", "number", "bigint"),
    Field("size", "size", "bigint", nullable=True),
    Field("colour", "colour"),
)


@pytest.fixture(scope="module")
def shaped(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Bench:
    project = copy_project(tmp_path_factory.mktemp("shaped"))
    write_table(project, "readings", READINGS, ["number", "sent_at"], reject_limit=1)
    write_table(project, "ratings", RATINGS, ["id"], reject_limit=1)
    write_table(project, "colours", COLOURS, ["country", "number"])
    return parsed(project, tmp_path_factory.mktemp("parsed"), engine)


def build(bench: Bench, **tables: list[dict[str, Any]]) -> Any:
    run = bench.run([[event()]], [[product()]])
    tables = {"readings": [], "ratings": [], "colours": [], **tables}
    raw = {f"shop.{table}": bench.write(table, [records]) for table, records in tables.items()}
    return bench.build_run(RunFile(run.execution_date, run.lake_root, run.raw_root, {**run.raw, **raw}))


def reasons(bench: Bench, table: str, field: str) -> dict[str, str]:
    """Returns the reject reasons of a table by the value of one field."""
    return {json.loads(record)[field]: reason for reason, record in bench.rows(f"{table}_rejected", "reason, record")}


def reading(number: str, sent_at: str, size: str = "1") -> dict[str, Any]:
    return {"Number": number, "Sent At": sent_at, "Size": size}


def test_a_key_keeps_its_digits(shaped: Bench) -> None:
    """Two different numbers or timestamps of a key must not become one value; other columns may lose digits."""
    records = [
        reading("123456789012345", "2025-05-20T10:00:00.123456Z", "9007199254740993"),
        reading("-1,234.50e-3", "2025-05-20T10:00:00.123456000Z"),
        reading("9007199254740993", "2025-05-20T10:00:00Z"),
        reading("1", "2025-05-20T10:00:00.1234561Z"),
        reading("2", "2025-05-20T10:00:00.123456001+02:00"),
        reading("3", "2025-05-20T10:00:00.1234560"),
        reading(" 0.1234567890123456 ", "2025-05-20T10:00:00Z"),
        reading(" ", "2025-05-20T10:00:00Z"),
        reading("4", ""),
        reading("n/a", "2025-05-20T10:00:00Z"),
    ]

    build(shaped, readings=records)

    assert reasons(shaped, "readings", "Number") == {
        "9007199254740993": "number_not_exact",
        "1": "sent_at_not_exact",
        "2": "sent_at_not_exact",
        " 0.1234567890123456 ": "number_not_exact",
        " ": "number_missing",
        "4": "sent_at_missing",
        "n/a": "number_not_numeric",
    }
    assert [number for (number,) in shaped.rows("readings", "number")] == [-1.2345, 3.0, 123456789012345.0]


def test_a_nullable_column_may_be_null_but_not_invalid(shaped: Bench) -> None:
    good = {"rating": "4.5", "size": "1", "left": "1", "at": "2025-05-20T10:00:00Z"}
    records: list[dict[str, Any]] = [
        {"id": "right", **good},
        {"id": "no rating", **good, "rating": None},
        {"id": "nothing", "rating": None, "size": "1", "left": None, "at": None},
        {"id": "empty rating", **good, "rating": ""},
        {"id": "wrong rating", **good, "rating": "good"},
        {"id": "infinite rating", **good, "rating": "1e999"},
        {"id": "wrong left", **good, "left": "1.5"},
        {"id": "wrong at", **good, "at": "yesterday"},
        {"id": "at no year", **good, "at": "9999-12-31T23:59:59-00:01"},
        {"id": "no size", **good, "size": None},
        {"id": "neither", **good, "rating": None, "size": None},
    ]

    build(shaped, ratings=records)

    assert reasons(shaped, "ratings", "id") == {
        "empty rating": "rating_not_numeric",
        "wrong rating": "rating_not_numeric",
        "infinite rating": "rating_not_numeric",
        "wrong left": "left_not_integer",
        "wrong at": "at_unparseable",
        "at no year": "at_unparseable",
        "no size": "size_not_integer",
        "neither": "size_not_integer",
    }
    assert [name for (name,) in shaped.rows("ratings", "id")] == ["no rating", "nothing", "right"]


def test_a_key_of_two_columns_keeps_one_row_for_each_pair(shaped: Bench) -> None:
    """Without a timestamp, the other columns decide in their order, nulls last."""
    rows = [
        ("DE", 1, 2, "amber"), ("DE", 1, 1, "red"), ("DE", 1, 1, "blue"), ("DE", 1, 1, None), ("DE", 2, None, "amber"),
        ("DE", 2, 9, None), ("FR", 1, 1, "red"), ("FR", 1, 1, "red"),
    ]  # fmt: skip
    records = [dict(zip(("country", "number", "size", "colour"), row, strict=True)) for row in rows]

    result = build(shaped, colours=records)

    assert shaped.rows("colours") == [("DE", 1, 1, "blue"), ("DE", 2, 9, None), ("FR", 1, 1, "red")]
    parts = result.accounting["colours"]
    assert (parts.raw, parts.curated, parts.identical, parts.conflicting, parts.closes) == (8, 3, 1, 4, True)
    assert sorted(parts.conflicting_keys) == ["DE / 1", "DE / 2"]
    assert "colours_unique_by_key" in {node.name for node in result.nodes}
