"""Where a path in a body may lead, in the order in which the fetch looks."""

from __future__ import annotations

import pytest

from orchestration.source.paths import value_at
from orchestration.source.places import Place, places_of


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
        ("$", [()]),
    ],
)
def test_a_path_may_lead_to_these_places(path: str, places: list[Place]) -> None:
    assert list(places_of(path)) == places


def test_the_first_place_is_where_the_fetch_looks_first() -> None:
    assert value_at(b'{"a.b": [1], "a": {"b": [2]}}', "a.b") == b"[1]"
    assert value_at(b'{"a": {"b": [2]}}', "a.b") == b"[2]"
