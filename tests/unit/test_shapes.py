"""The shapes of an envelope's records: where a path may lead, and how many records a text of a shape has."""

from __future__ import annotations

import msgspec
import pytest

from orchestration.source.paths import value_at
from orchestration.source.shapes import Place, Shape, count_records, holds_records, places_of


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("data", [("data",)]),
        ('"a.b"', [("a.b",)]),
        ("a.b", [("a.b",), ("a", "b")]),
        ("items[0].rows", [("items", 0, "rows")]),
        ("[1]", [(1,)]),
        ("[-1].a", [(-1, "a")]),
        ('a."b.c"', [("a", "b.c")]),
        ("a.b.c", [("a.b.c",), ("a", "b.c"), ("a", "b", "c"), ("a.b", "c")]),
        ("", [()]),
    ],
)
def test_a_path_may_lead_to_these_places(path: str, places: list[Place]) -> None:
    assert list(places_of(path)) == places


def test_the_first_place_is_where_the_fetch_looks_first() -> None:
    assert value_at(b'{"a.b": [1], "a": {"b": [2]}}', "a.b") == b"[1]"
    assert value_at(b'{"a": {"b": [2]}}', "a.b") == b"[2]"


@pytest.mark.parametrize(
    ("shape", "text", "count"),
    [
        ("list", b"[1, null, [2, 3]]", 3),
        ("list", b"{}", None),
        ("list", b"[]", 0),
        ("values", b'{"a": {}, "b": 5}', 2),
        ("values", b"{}", 0),
        ("values", b"[ ]", 0),
        ("values", b"[1]", None),
        ("columns", b'{"unit": "C", "a": [1, 2, 3], "b": [1, 2, 3]}', 3),
        ("columns", b'{"unit": "C"}', 0),
        ("columns", b"[]", None),
        ("columns", b"null", None),
    ],
)
def test_records_of_a_shape_are_counted(shape: Shape, text: bytes, count: int | None) -> None:
    assert holds_records(shape, text) == (count is not None)
    if count is not None:
        assert count_records(shape, text) == count


def test_a_text_that_is_not_json_has_no_count() -> None:
    with pytest.raises(msgspec.DecodeError):
        count_records("values", b'{"a": ')
