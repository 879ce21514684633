"""Columns of nested fields: values, keys, instants, exactness, drift and missing fields by their paths."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.dbt_runner.build import Engine
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import DataFailed
from tests.helpers.projects import copy_project
from tests.helpers.tables import Field, write_table

from .conftest import Bench, build_tables, parsed

QUAKES = (
    Field("id", "id", meta={"field": "properties.ids.code"}),
    Field("Time", "time", "timestamptz", meta={"field": "properties.time"}),
    Field("Magnitude", "magnitude", "double", nullable=True, meta={"field": "properties.mag"}),
    Field("Longitude", "longitude", "double", meta={"field": "geometry.coordinates[0]"}),
    Field("Depth", "depth", "double", meta={"field": "geometry.coordinates[-1]"}),
    Field("Place", "place", meta={"field": 'properties."place.name"'}),
    Field("Felt", "felt", "bigint", meta={"field": "properties.felt", "optional": True}),
    Field("type", "type"),
)
ODD = (
    Field("id", "id"),
    Field("all", "all", meta={"field": "a"}),
    Field("inner", "inner", meta={"field": "a.b"}),
    Field("INNER", "capital", own=True, meta={"field": "a.B"}),
    Field("none", "none", meta={"field": 'a.""'}),
    Field("last", "last", meta={"field": "a.list[-1].x"}),
    Field("slash", "slash", meta={"field": '"it\'s / ~"[\'say "x"\']'}),
    Field("literal.dots[0]", "literal_dots_0"),
)


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Bench:
    project = copy_project(tmp_path_factory.mktemp("nested"))
    write_table(project, "quakes", QUAKES, ["id"], "time", reject_limit=1)
    write_table(project, "odd", ODD, ["id", "inner"], reject_limit=1)
    return parsed(project, tmp_path_factory.mktemp("parsed"), engine)


def quake(code: Any = "us1", /, **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "properties": {
            "mag": 2.5, "place.name": "10 km N of Here", "time": 1747735200000, "felt": 3, "ids": {"code": code},
        } | properties,
        "geometry": {"type": "Point", "coordinates": [-116.5, 33.1, 12.25]},
    }  # fmt: skip


def odd(**values: Any) -> dict[str, Any]:
    inner = {"b": "x", "B": "y", "": "empty", "list": [{"x": 1}, {"x": 2}]}
    return {"id": "1", "a": inner, "it's / ~": {'say "x"': "so"}, "literal.dots[0]": "lit"} | values


WRONG = [
    quake("no number", mag="strong"),
    quake(17850.0),
    quake(" "),
    quake("no instant", time="yesterday"),
    quake({"deep": 1.5}),
    quake("wrong kind") | {"geometry": "a text", "New": 1},
    5,
]


@pytest.fixture(scope="module")
def good(nested: Bench) -> BuildResult:
    """The build of a good day. `odd` has rows that the paths do not fit."""
    later = quake("us1", time=1747735201000, mag=9)
    quakes = [later, quake(), quake("us2", mag=None, felt="1,200"), quake("us2", mag=None)]
    odds = [odd(), odd(id="2", a={"b": 1, "list": "none"}), odd(id="3", a="text")]
    return build_tables(nested, {"quakes": quakes, "odd": odds})


@pytest.fixture(scope="module")
def bad(nested: Bench, good: BuildResult) -> BuildResult:
    """The build of a day after it, whose records break rules. No record has `properties.felt` or `odd.a.b`."""
    good.require_passed()
    null_on_the_way = quake("x") | {"properties": None}
    records: list[Any] = [*WRONG, quake("good"), null_on_the_way]
    for record in records:
        if isinstance(record, dict) and record["properties"]:
            del record["properties"]["felt"]
    return build_tables(nested, {"quakes": records, "odd": [odd(a={"B": 1})]})


def test_nested_values_become_columns_keys_and_instants(nested: Bench, good: BuildResult) -> None:
    at = datetime(2025, 5, 20, 10, tzinfo=UTC)
    columns = "id, time, magnitude, longitude, depth, place, felt, type"
    assert nested.rows("quakes", columns) == [
        ("us1", at, 2.5, -116.5, 12.25, "10 km N of Here", 3, "Feature"),
        ("us2", at, None, -116.5, 12.25, "10 km N of Here", 3, "Feature"),
    ]
    parts = good.accounting["quakes"]
    assert (parts.raw, parts.curated, parts.conflicting, parts.closes) == (4, 2, 2, True)
    # A null value is not missing.
    assert (parts.drift, parts.missing) == ({}, {})


def test_paths_of_any_names_reach_their_values(nested: Bench, good: BuildResult) -> None:
    assert nested.rows("odd", 'id, "inner", capital, "none", last, slash, literal_dots_0') == [
        ("1", "x", "y", "empty", "2", "so", "lit"),
        ("2", "1", None, None, None, "so", "lit"),
    ]
    assert json.loads(nested.rows("odd", '"all"')[0][0]) == odd()["a"]
    assert [reason for (reason,) in nested.rows("odd_rejected", "reason")] == ["inner_missing"]
    assert good.accounting["odd"].missing == {"a.b": 1, "a.B": 2, 'a.""': 2, "a.list[-1].x": 2}


def test_nested_values_are_rejected_by_the_same_rules(nested: Bench, bad: BuildResult) -> None:
    rejected = {record: reason for reason, record in nested.rows("quakes_rejected", "reason, record")}
    assert [rejected.get(json.dumps(record)) for record in WRONG] == [
        "magnitude_not_numeric",
        "id_not_exact",
        "id_missing",
        "time_unparseable",
        "id_not_exact",
        "longitude_not_numeric",
        "record_not_object",
    ]


def test_a_nested_field_that_no_record_has_fails_the_day_by_its_path(bad: BuildResult) -> None:
    parts = bad.accounting["quakes"]
    assert parts.drift == {"New": 1}
    assert {path: count for path, count in parts.missing.items() if not path.startswith("properties")} == {
        "geometry.coordinates[0]": 1,
        "geometry.coordinates[-1]": 1,
    }
    assert (parts.missing["properties.mag"], parts.missing["properties.felt"]) == (1, 8)
    with pytest.raises(DataFailed, match=r"field='a\.b', records_without_it=1") as failed:
        bad.require_passed()
    # The optional one may be missing everywhere.
    assert "properties.felt" not in failed.value.cause
