"""What a source's YAML may declare of its columns, and how a wrong declaration is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.errors import UsageError
from orchestration.source.columns import Column, InvalidColumns, in_shape, read_columns, rendered, snake_case
from orchestration.source.config import read_tables
from tests.helpers.projects import EVENTS, write_sources


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("Event ID", "event_id"),
        ("eventId", "event_id"),
        ("HTTPStatus", "http_status"),
        (" Customer  ID ", "customer_id"),
        ("already_so", "already_so"),
        ("Price (£)", "price"),
        ("A/B test#2", "a_b_test_2"),
        ("%", ""),
        ("Größe 2", "gr_e_2"),
        ("line2Item", "line2_item"),
        ("__Page--No.", "page_no"),
        ("İ", ""),
        ("", ""),
    ],
)
def test_a_field_becomes_snake_case(name: str, column: str) -> None:
    assert snake_case(name) == column


@pytest.mark.parametrize(
    ("fields", "columns"),
    [
        (
            ["Event ID", "eventType", "Price (£)"],
            {"event_id": "Event ID", "event_type": "eventType", "price": "Price (£)"},
        ),
        (["b", "a"], {"b": "b", "a": "a"}),
        ([], {}),
    ],
)
def test_columns_keep_their_fields_and_order(fields: list[str], columns: dict[str, str]) -> None:
    read = read_columns([{"name": field} for field in fields])

    assert [(column.name, column.field) for column in read] == list(columns.items())


def test_everything_declared_of_a_column_is_read() -> None:
    described: list[dict[str, Any]] = [
        {
            "name": "_id",
            "data_type": "varchar",
            "description": "Names it.\n",
            "config": {"meta": {"as": "document_id"}},
        },
        {"name": "Rating", "data_type": "double", "config": {"meta": {"nullable": True}}},
        {"name": "Left", "data_type": "bigint", "config": {"meta": {"optional": True}}},
        {"name": "At", "data_type": "timestamptz"},
        {"name": "{{ 'two {{ braces' }}"},
    ]

    assert read_columns(described) == (
        Column("_id", "document_id", "varchar", "Names it."),
        Column("Rating", "rating", "double", nullable=True),
        # An optional field may be null.
        Column("Left", "left", "bigint", nullable=True, optional=True),
        Column("At", "at", "timestamptz"),
        Column("two {{ braces", "two_braces"),
    )


def test_columns_of_arrays_are_in_order_or_have_positions() -> None:
    ordered = in_shape(read_columns([{"name": "a"}, {"name": "b", "data_type": "bigint"}]), "arrays")
    placed = in_shape(read_columns([at("a", "[2]"), at("b", "[0].x")]), "arrays")

    assert [(column.place, column.label) for column in ordered] == [((0,), "a"), ((1,), "b")]
    assert [(column.place, column.label) for column in placed] == [((2,), "[2]"), ((0, "x"), "[0].x")]
    with pytest.raises(InvalidColumns, match="either each column has a field, or none has"):
        in_shape(read_columns([{"name": "a"}, at("b", "[1]")]), "arrays")
    with pytest.raises(InvalidColumns, match=r"with fetch\.shape: arrays a field begins with a position"):
        in_shape(read_columns([at("b", "x.y")]), "arrays")


def typed(data_type: str, **meta: Any) -> dict[str, Any]:
    return {"name": "x", "data_type": data_type, "config": {"meta": meta}}


def test_the_form_of_a_text_is_read() -> None:
    local = typed("timestamptz", format="%d.%m.%Y", zone="Europe/Berlin", clock_change="later")

    (column,) = read_columns([local])
    assert (column.format, column.zone, column.clock_change) == ("%d.%m.%Y", "Europe/Berlin", "later")
    assert read_columns([typed("double", decimal="comma")])[0].decimal == "comma"
    assert read_columns([typed("timestamptz", format="epoch_us")])[0].format == "epoch_us"


@pytest.mark.parametrize(
    ("column", "problem"),
    [
        (typed("varchar", format="%Y"), "format: applies to timestamptz only, and the column is varchar"),
        (typed("double", zone="UTC"), "zone: applies to timestamptz only, and the column is double"),
        (typed("timestamptz", decimal="comma"), "decimal: applies to bigint and double only, and the column is timest"),
        (typed("timestamptz", format="%d.%m.%Y %Q"), "format: %Q may not be used: allowed are %Y %y %m"),
        (typed("timestamptz", format="%d.%m.%Y %"), "format: % may not be used: allowed are"),
        (typed("timestamptz", format="%H:%M"), "format: '%H:%M' does not give a date once: expected one of %Y %y"),
        (typed("timestamptz", format="%d.%m.%Y %y"), "format: '%d.%m.%Y %y' does not give a date once"),
        (typed("timestamptz", format="iso"), "format: 'iso' does not give a date once"),
        (typed("timestamptz", format="%d.%m.%Y %I:%M"), "format: '%d.%m.%Y %I:%M': %I and %p need each other"),
        (typed("timestamptz", format="%d.%m.%Y %M:%M"), "format: '%d.%m.%Y %M:%M' has %M twice"),
        (typed("timestamptz", format="%d.%m.%Y\n"), "has a character that cannot be printed"),
        (typed("timestamptz", zone="Berlin"), "zone: 'Berlin' is not a time zone of the IANA database"),
        (
            typed("timestamptz", format="%d.%m.%Y %z", zone="UTC"),
            "zone: has no effect, since format '%d.%m.%Y %z' says",
        ),
        (typed("timestamptz", format="epoch", zone="UTC"), "zone: has no effect, since format 'epoch' says"),
        (typed("timestamptz", clock_change="later"), "clock_change: applies to local times, which need a zone"),
        (typed("timestamptz", zone="UTC", clock_change="both"), "Invalid enum value 'both'"),
        (typed("double", decimal=","), "Invalid enum value ','"),
    ],
)
def test_a_wrong_form_is_reported_with_what_is_allowed(column: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidColumns) as error:
        read_columns([column])

    assert "column 'x': config.meta" in str(error.value)
    assert problem in str(error.value)


def test_a_column_may_be_a_field_at_a_path() -> None:
    time, dotted, literal = read_columns([at("Time", "properties.time[0]"), at("x", '"a.b"'), {"name": "c.d[0]"}])

    assert (time.name, time.place, time.label) == ("time", ("properties", "time", 0), "properties.time[0]")
    assert (dotted.place, dotted.label) == (("a.b",), '"a.b"')
    assert (literal.name, literal.place, literal.label) == ("c_d_0", ("c.d[0]",), "c.d[0]")


@pytest.mark.parametrize(
    ("text", "name"),
    [("Event ID", "Event ID"), ("a }} b", None), ("{{ 'a' }}\n", "a\n"), ("{{ 'a' ~ 'b' }}", "ab"), ("{ a", "{ a")],
)
def test_names_are_read_as_dbt_reads_them(text: str, name: str | None) -> None:
    assert rendered(text) == (text if name is None else name)


def test_a_name_that_is_not_jinja_is_reported() -> None:
    with pytest.raises(InvalidColumns, match=r"'a {{ b' is not valid Jinja"):
        rendered("a {{ b")


def at(name: str, path: str) -> dict[str, Any]:
    return {"name": name, "config": {"meta": {"field": path}}}


def own(name: str | None, field: str) -> dict[str, Any]:
    return {"name": field, **({"config": {"meta": {"as": name}}} if name is not None else {})}


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ([{"name": "2024"}], "field '2024' gives no column name: found '2024', expected a lower-case letter"),
        ([{"name": "日本"}], "field '日本' gives no column name: found ''"),
        ([{"name": ""}], "field '' gives no column name"),
        ([own("_page", "_id")], "field '_id' gives no column name: found '_page'"),
        ([own("Id", "_id")], "field '_id' gives no column name: found 'Id'"),
        ([own("", "_id")], "field '_id' gives no column name: found ''"),
        ([{"name": "_id"}, {"name": "id"}], "fields '_id' and 'id' both become the column name id: set another name"),
        ([{"name": "Stock Code"}, {"name": "stock-code"}], "fields 'Stock Code' and 'stock-code' both become"),
        ([own("id", "_id"), {"name": "id"}], "fields '_id' and 'id' both become the column name id"),
        ([{"name": "a"}, {"name": "a"}], "field 'a' is declared twice"),
        ([own("b", "a"), own("c", "a")], "field 'a' is declared twice"),
        (
            [{"name": "Price", "data_type": "number"}],
            "column 'Price': data_type: 'number' is not one of varchar, bigint, double, timestamptz",
        ),
        ([{"name": "Price", "data_type": ["double"]}], "data_type: ['double'] is not one of varchar, bigint"),
        (
            [{"name": "Price", "config": {"meta": {"nulable": True}}}],
            "column 'Price': config.meta: 'nulable' is not one of as, field, nullable, optional, format",
        ),
        ([{"name": "Price", "config": {"meta": {"nullable": "yes"}}}], "column 'Price': config.meta: Expected `bool`"),
        ([{"name": "Price", "config": {"meta": {"as": 5}}}], "column 'Price': config.meta: Expected `str | null`"),
        ([at("x", "a..b")], "column 'x': config.meta.field: 'a..b' is not a path: expected a name at character 3"),
        ([at("x", "a.b"), at("y", "a['b']")], "columns 'x' and 'y' are both the field \"a['b']\""),
        ([at("x", "Event ID")], "columns 'Event ID' and 'x' are both the field 'Event ID'"),
        ([at("x", "[-1]")], "column 'x': config.meta.field: a record's own list is counted from its beginning"),
        (
            [{"name": "x", "config": {"meta": {"record_name": True}}}],
            "record_name: applies to fetch.shape: values only",
        ),
        (
            [at("x", "[0]")],
            "config.meta.field: '[0]': with fetch.shape: objects a field is a name, since a record is no list",
        ),
    ],
)
def test_a_wrong_column_is_reported_with_what_is_allowed(tmp_path: Path, columns: list[Any], problem: str) -> None:
    file = write_sources(tmp_path, {"events": {"key": ["Event ID"], "fetch": EVENTS}})
    add(file, columns)

    with pytest.raises(UsageError) as error:
        read_tables(tmp_path)

    assert error.value.cause.startswith(f"{file}: source shop.events: ")
    assert problem in error.value.cause


def add(file: Path, columns: list[Any]) -> None:
    content = yaml.safe_load(file.read_text())
    content["sources"][0]["tables"][0]["columns"] += columns
    file.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("meta", "problem"),
    [
        ({"key": ["Event ID", "Event ID"]}, "config.meta.key: 'Event ID' is named twice"),
        ({"key": ["Sent"]}, "config.meta.key: 'Sent' has nanoseconds, of which a timestamptz keeps none"),
        ({"key": ["Rating"]}, "config.meta.key: 'Rating' is nullable or optional, and a key is never null"),
        (
            {"earliest": "At"},
            "config.meta.earliest: 'At' is not among the fields under columns: ['Event ID', 'Rating', 'Sent', 'Seen']",
        ),
        ({"earliest": "Rating"}, "config.meta.earliest: 'Rating' is double, and only timestamptz can be the earliest"),
        (
            {"reject_limt": 0.5},
            "config.meta: 'reject_limt' is not one of key, identical, earliest, latest, keep_date, fetch, loss_limit",
        ),
        ({"may_be_empty": "no"}, "config.meta.may_be_empty: Expected `bool`, got `str`"),
        (
            {"latest": "Rating"},
            "config.meta.latest: 'Rating' is double, and only timestamptz or bigint can be the latest",
        ),
        ({"latest": "Sent", "earliest": "Sent"}, "config.meta.latest: conflicts with earliest; remove one of them"),
        (
            {"keep_date": "Event ID"},
            "config.meta.keep_date: 'Event ID' is varchar, and only timestamptz can be of a date",
        ),
        ({"keep_date": "Seen"}, "config.meta.keep_date: 'Seen' is nullable or optional, and a row without an instant"),
        ({"keep_date": "At"}, "config.meta.keep_date: 'At' is not among the fields under columns"),
        ({"key": []}, "config.meta.key: names no field"),
        ({"key": "none"}, "config.meta.identical: missing: key none needs keep or collapse"),
        ({"key": "None"}, "config.meta.key: Invalid enum value 'None'; allowed: none"),
        ({"identical": "keep"}, "config.meta.identical: applies to key: none only; of rows with one key, one is kept"),
        (
            {"key": "none", "identical": "all"},
            "config.meta.identical: Invalid enum value 'all'; allowed: collapse, keep",
        ),
        (
            {"key": "none", "identical": "keep", "latest": "Sent"},
            "config.meta.latest: has no effect with key none, since no two rows have the same key",
        ),
        ({"reject_limit": 2}, "config.meta.reject_limit: 2.0 is not a share from 0 to 1"),
        ({"other_dates_limit": True}, "config.meta.other_dates_limit: Expected `float`, got `bool`"),
    ],
)
def test_a_wrong_table_is_reported_with_what_is_allowed(tmp_path: Path, meta: Any, problem: str) -> None:
    file = write_sources(tmp_path, {"events": {"fetch": EVENTS, "key": ["Event ID"], **meta}})
    content = yaml.safe_load(file.read_text())
    content["sources"][0]["tables"][0]["columns"] = [
        {"name": "Event ID"},
        {"name": "Rating", "data_type": "double", "config": {"meta": {"optional": True}}},
        {"name": "Sent", "data_type": "timestamptz", "config": {"meta": {"format": "epoch_ns"}}},
        {"name": "Seen", "data_type": "timestamptz", "config": {"meta": {"nullable": True}}},
    ]
    file.write_text(yaml.safe_dump(content))

    with pytest.raises(UsageError) as error:
        read_tables(tmp_path)

    assert error.value.cause.startswith(f"{file}: source shop.events: {problem}")


def test_key_and_earliest_are_resolved_to_their_columns(tmp_path: Path) -> None:
    file = write_sources(tmp_path, {"events": {"fetch": EVENTS, "key": ["_id"], "earliest": "{{ 'At' }}"}})
    content = yaml.safe_load(file.read_text())
    content["sources"][0]["tables"][0]["columns"] = [
        own("document_id", "_id"),
        {"name": "At", "data_type": "timestamptz"},
    ]
    file.write_text(yaml.safe_dump(content))

    (table,) = read_tables(tmp_path)

    assert [column.name for column in table.key] == ["document_id"]
    assert table.rows.earliest == Column("At", "at", "timestamptz")
