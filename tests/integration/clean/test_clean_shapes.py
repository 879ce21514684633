"""Bodies of other shapes: records at a path, object values, lists of lists, a list for each field; and wrong bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestration.dbt_runner.build import Engine
from orchestration.dbt_runner.faults import body_fault
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import DataFailed, SourceBodyInvalid
from tests.helpers.projects import copy_project
from tests.helpers.tables import Field, write_table

from .conftest import DATE, Bench, build_tables, parsed

PAIR = (Field("id", "id"), Field("size", "size", "bigint"))
NAMED = (Field("Symbol", "symbol", meta={"record_name": True}), Field("price", "price", "double"))
CANDLES = (
    Field("At", "at", "timestamptz", meta={"field": "[0]"}),
    Field("Close", "close", "double", meta={"field": "[2]"}),
    Field("Pair", "pair", meta={"field": "[1].base"}),
)
CENSUS = (
    Field("state", "id"),
    Field("POP", "population", "bigint", nullable=True),
    Field('it\'s "new"', "is_new", meta={"optional": True}),
    Field("place", "place", meta={"field": "Place.name", "optional": True}),
)
WEATHER = (
    Field("time", "time", "timestamptz", meta={"zone": "Europe/Berlin"}),
    Field("temperature", "temperature", "double", nullable=True),
    Field("unit", "unit", meta={"optional": True}),
)
TABLES: dict[str, tuple[tuple[Field, ...], list[str], dict[str, Any]]] = {
    "at_path": (PAIR, ["id"], {"form": "envelope", "records": "items[0].articles"}),
    "second": (PAIR, ["id"], {"form": "envelope", "records": "[1]"}),
    "dotted": (PAIR, ["id"], {"form": "envelope", "records": "a.b"}),
    "named": (NAMED, ["symbol"], {"form": "envelope", "records": "quotes", "shape": "values"}),
    "all_named": (NAMED, ["symbol"], {"form": "envelope", "records": "$", "shape": "values"}),
    "candles": (CANDLES, ["at"], {"form": "array", "shape": "arrays"}),
    "in_order": (PAIR, ["id"], {"form": "envelope", "records": "rows", "shape": "arrays"}),
    "census": (CENSUS, ["id"], {"form": "envelope", "records": "$", "shape": "table"}),
    "results": (CENSUS, ["id"], {"form": "envelope", "records": "rows", "shape": "table"}),
    "weather": (WEATHER, ["time"], {"form": "envelope", "records": "hourly", "shape": "columns"}),
    "all_weather": (WEATHER, ["time"], {"form": "envelope", "records": "$", "shape": "columns"}),
}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Bench:
    project = copy_project(tmp_path_factory.mktemp("shapes"))
    for name, (fields, key, fetch) in TABLES.items():
        request = {"path": f"/{name}", "parameters": {"date": "{date}"}}
        write_table(project, name, fields, key, fetch=request | fetch, reject_limit=1, other_dates_limit=1)
    return parsed(project, tmp_path_factory.mktemp("parsed"), engine)


def pair(name: str, size: Any = 1) -> dict[str, Any]:
    return {"id": name, "size": size}


def weather(**lists: Any) -> dict[str, Any]:
    return {"time": ["2025-05-20T00:00", "2025-05-20T01:00"], "temperature": [1.5, None], "unit": "°C"} | lists


GOOD: dict[str, Any] = {
    "at_path": {"items": [{"articles": [pair("a"), pair("b", "1,000")]}, {"articles": [pair("not this")]}]},
    "second": [{"page": 1}, [pair("a")]],
    "dotted": {"a": {"b": [pair("a")]}},
    "named": {"quotes": {"AAPL": {"price": 1.5}, 'it\'s "X"': {"price": "2,000"}, "AAPL ": {"price": 3}}},
    "all_named": {"a": {"price": 1}, "b": {"price": 2}},
    "candles": [[1747735200, {"base": "BTC"}, 1.5], [1747735260000, {"base": "ETH"}, "2"]],
    "in_order": {"rows": [["a", 1], ["b", "2"]]},
    "census": [["POP", "state", 'it\'s "new"'], ["5,024,279", "01", False], [None, "02", {"a": [1]}]],
    "results": {"rows": [["state", "POP", "Place"], ["01", 5, {"name": "Mobile"}]]},
    "all_weather": weather(),
    "weather": {"hourly": weather(), "hourly_units": {"temperature": "°C"}},
}
UNUSUAL: dict[str, Any] = {
    "at_path": {"items": [{"articles": [None, 5, pair("c", "x")]}]},
    "second": [None, []],
    "dotted": {"a.b": [pair("first")], "a": {"b": [pair("second")]}},
    "named": {"quotes": []},
    "all_named": {"a": 5, "b": None, " ": {"price": 2}, "c": {"price": 2, "New": 1}},
    "candles": [[1747735200, {"base": "BTC"}, 1.5, "new"], [1747735201, {"base": "X"}], {"at": 1}, 5],
    "in_order": {"rows": [["a", 1, "new"], ["b"], [None, 3]]},
    "census": [["state", "POP", "New"], ["01"], ["02", 2, 3, 4], None, ["04", 4, 5]],
    "results": {"rows": []},
    "all_weather": weather(),
    "weather": {"hourly": weather(time=["2025-05-20T00:00", "yesterday"], New=[1, 2])},
}
MAY_BE_EMPTY = ("second", "named", "results")


@pytest.fixture(scope="module")
def good(shapes: Bench) -> BuildResult:
    return build_tables(shapes, {name: json.dumps(body) for name, body in GOOD.items()})


@pytest.fixture(scope="module")
def unusual(shapes: Bench, good: BuildResult) -> BuildResult:
    good.require_passed()
    return build_tables(shapes, {name: json.dumps(body) for name, body in UNUSUAL.items()})


def test_records_of_each_shape_are_published(shapes: Bench, good: BuildResult) -> None:
    assert shapes.rows("at_path") == [("a", 1), ("b", 1000)]
    assert shapes.rows("second") == shapes.rows("dotted") == [("a", 1)]
    assert shapes.rows("named") == [("AAPL", 1.5), ("AAPL ", 3.0), ('it\'s "X"', 2000.0)]
    assert shapes.rows("all_named") == [("a", 1.0), ("b", 2.0)]
    assert shapes.rows("candles", '"at"::varchar, close, pair') == [
        ("2025-05-20 10:00:00+00", 1.5, "BTC"),
        ("2025-05-20 10:01:00+00", 2.0, "ETH"),
    ]
    assert shapes.rows("in_order") == [("a", 1), ("b", 2)]
    assert shapes.rows("census") == [("01", 5_024_279, "false", None), ("02", None, '{"a":[1]}', None)]
    assert shapes.rows("results") == [("01", 5, None, "Mobile")]
    # Midnight in Berlin; the unit belongs to each hour.
    assert shapes.rows("weather", '"time"::varchar, temperature, unit') == [
        ("2025-05-19 22:00:00+00", 1.5, "°C"),
        ("2025-05-19 23:00:00+00", None, "°C"),
    ]
    assert {name: good.accounting[name].drift for name in TABLES} == {name: {} for name in TABLES}
    missing = {"census": {"Place.name": 2}, "results": {'it\'s "new"': 1}}
    assert {name: good.accounting[name].missing for name in TABLES} == {name: missing.get(name, {}) for name in TABLES}


def test_records_that_do_not_fit_are_rejected_and_counted(shapes: Bench, unusual: BuildResult) -> None:
    rejected = {name: sorted(shapes.rows(f"{name}_rejected", "reason, record")) for name in TABLES}
    assert [reason for reason, _ in rejected["at_path"]] == [
        "record_not_object",
        "record_not_object",
        "size_not_integer",
    ]
    assert rejected["second"] == rejected["named"] == []
    # A name with dots is looked for before a path.
    assert shapes.rows("dotted") == [("first", 1)]
    assert [reason for reason, _ in rejected["all_named"]] == [
        "record_not_object",
        "record_not_object",
        "symbol_missing",
    ]
    assert [reason for reason, _ in rejected["candles"]] == [
        "close_not_numeric",
        "record_not_list",
        "record_not_list",
    ]
    assert [reason for reason, _ in rejected["in_order"]] == ["id_missing", "size_not_integer"]
    assert [record for reason, record in rejected["census"] if reason == "record_not_object"] == [
        '["01"]',
        '["02",2,3,4]',
        "null",
    ]
    assert rejected["weather"] == [("time_unparseable", '{"time":"yesterday","temperature":null,"unit":"°C","New":2}')]
    accounting = unusual.accounting
    assert all(accounting[name].closes for name in TABLES)
    assert (accounting["candles"].drift, accounting["candles"].missing) == ({"[3]": 1}, {"[2]": 1})
    assert (accounting["in_order"].drift, accounting["in_order"].missing) == ({"[2]": 1}, {"size": 1})
    assert (accounting["census"].raw, accounting["census"].drift) == (4, {"New": 1})
    assert (accounting["all_named"].drift, accounting["weather"].drift) == ({"New": 1}, {"New": 2})
    failed = {test.name for test in unusual.failed_tests if test.status == "fail"}
    assert failed == {f"{name}_has_rows" for name in MAY_BE_EMPTY}


WRONG: tuple[dict[str, tuple[Any, str]], ...] = (
    {
        "at_path": ({"items": []}, 'No list "items[0].articles"'),
        "second": ([1], 'No list "[1]"'),
        "named": ({"quotes": [1]}, 'No object "quotes"'),
        "census": ({"rows": []}, 'No list "$"'),
        "results": ({"rows": [["state", None], ["01", 1]]}, 'No list "rows" whose first row has names'),
        "weather": (
            {"hourly": weather(temperature=[1])},
            'Lists of unequal lengths in "hourly": time 2, temperature 1',
        ),
    },
    {
        "census": ([{"state": "01", "POP": 1}], 'No list "$" whose first row has names'),
        "results": ({"rows": [[], []]}, 'No list "rows" whose first row has names'),
        "weather": ({"hourly": {"unit": "mm"}}, 'No object "hourly" with lists'),
    },
)


@pytest.mark.parametrize("wrong", WRONG, ids=["first", "second"])
def test_bodies_of_another_shape_are_source_failed(
    shapes: Bench, unusual: BuildResult, wrong: dict[str, tuple[Any, str]]
) -> None:
    bodies = GOOD | {name: body for name, (body, _) in wrong.items()}
    result = build_tables(shapes, {name: json.dumps(body) for name, body in bodies.items()})
    with pytest.raises(SourceBodyInvalid):
        result.require_passed()
    faults = [body_fault(node.message, result.raw_root) for node in result.nodes]
    assert {fault.cause for fault in faults if fault} == {
        f"raw/shop/{name}/date={DATE}/page-00001.json: {cause}" for name, (_, cause) in wrong.items()
    }


EMPTY = {
    "named": '{"quotes": [ ]}',
    "all_named": "{}",
    "results": '{"rows": [["state", "POP"]]}',
    "census": "[]",
    "weather": '{"hourly": {}}',
    "all_weather": "[ ]",
}


@pytest.mark.parametrize("bodies", [{}, EMPTY], ids=["no byte", "empty"])
def test_pages_without_a_record_are_read(shapes: Bench, unusual: BuildResult, bodies: dict[str, str]) -> None:
    result = build_tables(shapes, {**dict.fromkeys(TABLES, ""), **bodies})
    assert [result.accounting[name].raw for name in TABLES] == [0] * len(TABLES)
    with pytest.raises(DataFailed, match="weather_has_rows"):
        result.require_passed()
