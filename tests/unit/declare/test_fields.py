"""Which fields of records become columns, and what they are called."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.declare.fields import Field, find_fields
from orchestration.source.columns import Column, read_columns
from orchestration.source.places import places_of


def columns(*records: Any, **further: bool) -> dict[str, str]:
    return {field.label: field.column for field in find_fields(records, **further)}


def texts(*records: Any) -> dict[str, str]:
    return {field.label: field.text_because for field in find_fields(records) if field.text_because}


def test_nested_objects_are_taken_apart() -> None:
    event = {"id": "1", "actor": {"id": 7, "login": "ada"}, "repo": {"owner": {"name": "x"}}}

    assert columns(event) == {
        "id": "id",
        "actor.id": "actor_id",
        "actor.login": "actor_login",
        "repo.owner.name": "repo_owner_name",
    }


def test_the_name_of_an_object_with_most_fields_is_left_out_where_no_other_column_has_the_name() -> None:
    feature = {"type": "Feature", "properties": {"mag": 1, "place": "x", "type": "earthquake", "time": 5}, "id": "a"}

    assert columns(feature) == {
        "type": "type",
        "properties.mag": "mag",
        "properties.place": "place",
        "properties.type": "properties_type",
        "properties.time": "time",
        "id": "id",
    }


@pytest.mark.parametrize(
    ("name", "column"),
    [("eventId", "event_id"), ("2024", "field_2024"), ("日本", "field"), ("_id", "id"), ("", "field")],
)
def test_each_name_gives_a_column_name(name: str, column: str) -> None:
    assert list(columns({name: 1}).values()) == [column]


def test_column_names_are_unique() -> None:
    found = columns({"id": 1, "_id": 2, "ID": 3, "a": {"b": 4}, "a_b": 5})

    assert len(set(found.values())) == len(found) == 5
    assert found["id"] == "id"
    assert found["a_b"] == "a_b"


def test_what_has_no_columns_stays_text_with_the_reason() -> None:
    rows = [{"tags": ["a"], "lines": [{"sku": 1}], "extra": {}, "mixed": {"a": 1}}, {"mixed": "x", "plain": None}]

    found = texts(*rows)

    assert found == {
        "tags": "a list",
        "lines": "a list of objects, which have no columns here",
        "extra": "an object without fields",
        "mixed": "sometimes object and sometimes text",
    }


def test_rare_objects_and_mappings_stay_text() -> None:
    rare = [{"id": at, **({"fork": {"name": "x"}} if at == 0 else {})} for at in range(10)]
    mapping = [{"id": at, "by_day": {f"d{day}": 1 for day in range(50)}} for at in range(2)]

    assert "1 of 10 records only" in texts(*rare)["fork"]
    assert "50 names" in texts(*mapping)["by_day"]
    # An object in many records is taken apart, although some have null in its place.
    assert columns({"fork": {"name": "x"}}, {"fork": None}) == {"fork.name": "fork_name"}


def test_very_many_columns_are_not_taken_apart() -> None:
    wide = {f"group_{group}": {f"f{at}": {"x": 1, "y": 2} for at in range(12)} for group in range(5)}

    found = find_fields([wide])

    assert len(found) == 60
    assert all("more than 100 columns" in field.text_because for field in found)


def test_absent_fields_are_counted() -> None:
    found = {field.label: field.absent for field in find_fields([{"a": 1, "n": {"x": 1}}, {"a": None}, {}])}

    assert found == {"a": 1, "n.x": 2}


def test_lists_have_columns_by_position_and_named_records_one_for_the_name() -> None:
    lists = find_fields([[1, "a"], [2, "b", True]], is_list=True)
    named = find_fields([{"price": 1}], named=True)

    assert [(field.path, field.absent) for field in lists] == [("[0]", 0), ("[1]", 0), ("[2]", 1)]
    assert [(field.column, field.record_name) for field in named] == [("record_name", True), ("price", False)]


def test_records_of_another_kind_are_ignored() -> None:
    assert columns({"a": 1}, None, 5, [1]) == {"a": "a"}
    assert find_fields([None, 5]) == ()


def test_a_path_leads_to_its_place() -> None:
    place = ("a.b", 'say "x"', "c")

    (read,) = read_columns([{"name": "c", "config": {"meta": {"field": Field(place, "c").path}}}])

    assert read.place == place
    assert isinstance(read, Column)
    assert places_of("a") == (("a",),)
