"""Where the records of an answer are: each form and shape, and answers that have none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestration.declare.shape import find_records, joined
from orchestration.errors import UsageError
from orchestration.source.paths import parse_path, value_at

ROWS = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
FEATURE = {"type": "Feature", "properties": {"mag": 1.5}, "geometry": {"coordinates": [1, 2]}}
HOURLY = {"time": ["00:00", "01:00"], "rain": [0.0, 1.5]}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (ROWS, ("array", "", "objects")),
        ([[1, "a"], [2, "b"]], ("array", "", "arrays")),
        ({"data": ROWS, "meta": {"total": 2}}, ("envelope", "data", "objects")),
        (
            {"type": "FeatureCollection", "features": [FEATURE, FEATURE], "bbox": [1, 2]},
            ("envelope", "features", "objects"),
        ),
        (
            {"status": {"code": 0}, "response": {"body": {"items": ROWS}}},
            ("envelope", "response.body.items", "objects"),
        ),
        ([{"page": 1, "pages": 3}, ROWS], ("envelope", "[1]", "objects")),
        ({"items": [{"project": "en", "articles": ROWS}]}, ("envelope", "items[0].articles", "objects")),
        ({"columns": ["id", "name"], "dataset": [[1, "a"], [2, "b"]]}, ("envelope", "dataset", "arrays")),
        ({"latitude": 52.5, "hourly": HOURLY}, ("envelope", "hourly", "columns")),
        ({"a1": ROWS[0], "a2": ROWS[1]}, ("envelope", "$", "values")),
        ({"result": {"a1": ROWS[0], "a2": ROWS[1]}, "count": 2}, ("envelope", "result", "values")),
        ({"a.b": {"list": ROWS}}, ("envelope", '"a.b".list', "objects")),
        # A record of another kind is rejected later.
        ({"data": [*ROWS, None]}, ("envelope", "data", "objects")),
        # A usual name wins over a longer list, and any list of objects over other shapes.
        ({"facets": [*ROWS, *ROWS], "results": ROWS}, ("envelope", "results", "objects")),
        ({"hourly": HOURLY, "stations": ROWS}, ("envelope", "stations", "objects")),
        # So does the table's own name.
        ({"links": [*ROWS, *ROWS], "things": ROWS}, ("envelope", "things", "objects")),
    ],
)
def test_records_are_found(document: Any, expected: tuple[str, str, str]) -> None:
    found = find_records(json.dumps(document).encode(), "things")

    assert (found.form, found.path, found.shape) == expected
    assert all(guess.why for guess in found.guesses)


def test_lines_of_objects_are_ndjson() -> None:
    assert find_records(b'{"id": 1}\n{"id": 2}\n', "things").form == "ndjson"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"<html>", "neither JSON nor NDJSON"),
        (b'{"id": 1}\nno', "neither JSON nor NDJSON"),
        (b'{"error": "no such day"}', "an object without a list of records"),
        (b"[]", "a list without a list of records"),
        (b"5", "a value without a list of records"),
        # Objects that have little in common are no records.
        (b'{"meta": {"a": 1, "b": 2}, "links": {"c": 3}}', "an object without a list of records"),
        # Neither are lists of different lengths.
        (b'{"a": [1, 2], "b": [1]}', "an object without a list of records"),
    ],
)
def test_an_answer_without_records_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says) as refused:
        find_records(body, "things")
    assert refused.value.remedy


def test_a_path_that_is_given_counts() -> None:
    body = json.dumps({"facets": ROWS, "results": ROWS}).encode()

    assert find_records(body, "things", "facets").path == "facets"
    assert find_records(json.dumps(ROWS).encode(), "things", "$").form == "array"
    for path, says in (("nothing", "no such value; at the top it has facets, results"), ("facets[0].id", "no records")):
        with pytest.raises(UsageError, match=says):
            find_records(body, "things", path)
    with pytest.raises(UsageError, match="not a path"):
        find_records(body, "things", "a[")


@pytest.mark.parametrize("name", ["plain", "a.b", "a[0]", 'say "x"', "back\\slash", "it's", "@odata.nextLink", ""])
def test_a_path_leads_to_any_name(name: str) -> None:
    path = joined(joined("", "in"), name)

    assert len(parse_path(path)) == 2
    assert value_at(json.dumps({"in": {name: 7}}).encode(), path) == b"7"
