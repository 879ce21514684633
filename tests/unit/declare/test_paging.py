"""How the pages of an answer go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from orchestration.declare.paging import Paging, find_paging
from orchestration.declare.shape import Records
from orchestration.source.rules import problems
from orchestration.source.schema import Fetch

DATA = [{"id": 1}, {"id": 2}]


def found(
    document: Any,
    parameters: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    path: str = "data",
) -> Paging:
    records = Records("envelope", path, "objects", ())
    return find_paging(document, records, headers or {}, parameters or {}, 2, ["id"])


CURSOR = {"style": "cursor", "parameter": "cursor"}


@pytest.mark.parametrize(
    ("beside", "parameters", "expected"),
    [
        ({"next": "https://api.example.com/things?page=2"}, {}, {"style": "next_link", "next": "next"}),
        ({"next": None}, {}, {"style": "next_link", "next": "next"}),
        ({"next_page_uri": "/things?page=2"}, {}, {"style": "next_link", "next": "next_page_uri"}),
        (
            {"links": {"next": {"href": "/things?page=2"}}},
            {},
            {"style": "next_link", "next": "links.next.href", "absent": "end"},
        ),
        (
            {"@odata.nextLink": "https://x/y"},
            {},
            {"style": "next_link", "next": '"@odata.nextLink"', "absent": "end"},
        ),
        ({"next_cursor": "abc"}, {}, {**CURSOR, "next": "next_cursor"}),
        ({"meta": {"next_cursor": None}}, {}, {**CURSOR, "next": "meta.next_cursor", "absent": "end"}),
        ({"cursor": "abc"}, {}, {**CURSOR, "next": "cursor"}),
        ({"nextPageToken": "abc"}, {}, {"style": "cursor", "parameter": "pageToken", "next": "nextPageToken"}),
        ({"next_cursor": "abc"}, {"after": "x"}, {"style": "cursor", "parameter": "after", "next": "next_cursor"}),
        (
            {"paging": {"next": {"after": "33"}}},
            {},
            {"style": "cursor", "parameter": "after", "next": "paging.next.after", "absent": "end"},
        ),
        (
            {"has_more": True},
            {},
            {"style": "cursor", "parameter": "starting_after", "next": "data[-1].id", "more": "has_more"},
        ),
        ({"page": 1, "total_pages": 3}, {}, {"style": "page", "parameter": "page", "pages": "total_pages"}),
        ({"next_page": 2}, {}, {"style": "page", "parameter": "page", "next": "next_page"}),
        ({}, {"page": "1"}, {"style": "page", "parameter": "page"}),
        ({}, {"page": "0"}, {"style": "page", "parameter": "page", "first": 0}),
        ({"has_more": True}, {"page": "1"}, {"style": "page", "parameter": "page", "more": "has_more"}),
        ({}, {"offset": "0", "limit": "2"}, {"style": "offset", "parameter": "offset"}),
        ({"startIndex": 0, "totalResults": 9}, {}, {"style": "offset", "parameter": "startIndex"}),
        # Nothing of the kind.
        ({}, {}, {}),
        ({"copyright": "x", "generated": 5}, {"date": "2025-05-20", "limit": "10"}, {}),
        ({"next": False}, {}, {}),
        ({}, {"start": "2025-05-20"}, {}),
    ],
)
def test_the_paging_is_found_and_may_be_declared(
    beside: dict[str, Any], parameters: dict[str, str], expected: dict[str, Any]
) -> None:
    paging = found({"data": DATA, **beside}, parameters)

    assert paging.declared == expected
    kept = {name: value for name, value in parameters.items() if name not in paging.without}
    given = {"path": "/x", "form": "envelope", "records": "data", "parameters": kept}
    fetch = msgspec.convert({**given, **({"paging": paging.declared} if paging.declared else {})}, Fetch)
    assert list(problems(fetch)) == []
    assert bool(paging.guesses) is bool(expected)


def test_a_link_header_names_the_next_page() -> None:
    following, other = ('<https://x/things?page=2>; rel="next"', '<https://x/things?page=1>; rel="first"')

    assert found({"data": DATA}, headers={"link": following}).declared == {"style": "next_link"}
    assert found({"data": DATA}, headers={"link": other}).declared == {}
    assert found({"data": DATA}, headers={"link": "nonsense"}).declared == {}


def test_values_beside_a_list_in_a_list_have_a_path() -> None:
    paging = found([{"page": 1, "pages": 3}, DATA], path="[1]")

    assert paging.declared == {"style": "page", "parameter": "page", "pages": "[0].pages"}


def test_a_total_ends_offsets_and_is_a_warning_without_paging() -> None:
    counted = found({"data": DATA, "offset": 0, "total": 9})
    alone = found({"data": DATA, "total": 9})
    whole = found({"data": DATA, "total": 2})

    assert counted.total == "total"
    assert (alone.declared, alone.total) == ({}, "")
    assert [guess.value for guess in alone.guesses] == ["unknown"]
    assert whole.guesses == ()


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ({"ok": True}, {"ok": True}),
        ({"status": "ok"}, {"status": "ok"}),
        ({"incomplete_results": False}, {"incomplete_results": False}),
        ({"ok": 1}, {}),
        ({"status": "open"}, {}),
        ({"status": 200}, {}),
    ],
)
def test_what_says_that_all_is_well_is_expected(beside: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found({"data": DATA, **beside}).expect == expected
