"""Paths to values inside a JSON document."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.source.paths import Name, is_json, parse_path, value_at, with_value


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("data", (Name("data", bare=True),)),
        ("items[0].articles", (Name("items", bare=True), 0, Name("articles", bare=True))),
        ("[1]", (1,)),
        ("[-1][2].a", (-1, 2, Name("a", bare=True))),
        ("@odata.nextLink", (Name("@odata", bare=True), Name("nextLink", bare=True))),
        ('"a.b"', (Name("a.b", bare=False),)),
        ("""'a"b'.c""", (Name('a"b', bare=False), Name("c", bare=True))),
        (r'["a\"]"][0]', (Name('a"]', bare=False), 0)),
        ("Event ID", (Name("Event ID", bare=True),)),
        ("$", ()),
    ],
)
def test_a_path_is_names_and_indexes(text: str, steps: tuple[object, ...]) -> None:
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected a name at character 1, found the end"),
        (".a", "expected a name at character 1, found '.a'"),
        ("a.", "expected a name at character 3, found the end"),
        ("a[", "expected an index or a quoted name at character 3, found the end"),
        ("a[b]", "expected an index or a quoted name at character 3, found 'b]'"),
        ("a[0", "expected ']' at character 4, found the end"),
        ("[0]a", "expected '.' at character 4, found 'a'"),
        ('"a', "expected a name at character 1, found '\"a'"),
    ],
)
def test_a_text_that_is_not_a_path_is_refused_with_the_position(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"is not a path") as error:
        parse_path(text)

    assert problem in str(error.value)


@pytest.mark.parametrize(
    ("document", "path", "value"),
    [
        (b' {"a": {"b": [ 1, {"c": 2} ]}} ', "a.b[1].c", b"2"),
        (b'{"a": {"b": [1, 2]}}', "a.b[-1]", b"2"),
        (b'[{"total": 5}, [1]]', "[1]", b"[1]"),
        (b'[{"total": 5}, [1]]', "[0].total", b"5"),
        (b'{"a.b": 1, "a": {"b": 2}}', "a.b", b"1"),
        (b'{"a.b": 1, "a": {"b": 2}}', 'a."b"', b"2"),
        (b'{"a.b": 1, "a": {"b": 2}}', '["a.b"]', b"1"),
        (b'{"a": {"b.c": {"d": 3}}}', "a.b.c.d", b"3"),
        (b'{"a": null}', "a", b"null"),
        (b'{"a": null}', "a.b", None),
        (b'{"a": []}', "a.b", None),
        (b'{"a": []}', "a[0]", None),
        (b'{"a": [1]}', "a[1]", None),
        (b'{"a": [1]}', "a[-2]", None),
        (b'{"a": {}}', "a[0]", None),
        (b"{}", "a", None),
        (b' {"a": 1} ', "$", b'{"a": 1}'),
        (b'{"a": 1.50}', "a", b"1.50"),
    ],
)
def test_a_path_leads_to_the_text_of_a_value(document: bytes, path: str, value: bytes | None) -> None:
    assert value_at(document, path) == value


@pytest.mark.parametrize(
    ("document", "path", "problem"),
    [
        (b'{"a": 5}', "a.b", "a is b'5', not an object"),
        (b'{"a": {"b": 1}}', "a[0]", "a is b'{\"b\": 1}', not a list"),
        (b"[1]", "a", "the body is b'[1]', not an object"),
        (b'{"a": [[1], 2]}', "a[1].b", "a[1] is b'2', not an object"),
    ],
)
def test_a_value_of_another_kind_on_the_way_is_named(document: bytes, path: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"not a") as error:
        value_at(document, path)

    assert str(error.value) == problem


@pytest.mark.parametrize(
    ("body", "path", "result"),
    [
        ({}, "after", {"after": 7}),
        ({"a": 1}, "page.number", {"a": 1, "page": {"number": 7}}),
        ({"page": {"size": 5, "number": 1}}, "page.number", {"page": {"size": 5, "number": 7}}),
        (None, "after", {"after": 7}),
    ],
)
def test_a_value_is_put_into_a_copy_of_a_body(body: Any, path: str, result: Any) -> None:
    before = repr(body)

    assert with_value(body, path, 7) == result
    assert repr(body) == before


@pytest.mark.parametrize(("path", "says"), [("a[0]", "only names are allowed"), ("a.b", "is not an object")])
def test_a_value_cannot_be_put_into_a_list_or_a_text(path: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        with_value({"a": "x"}, path, 7)


@pytest.mark.parametrize(
    ("text", "value", "equal"),
    [
        *((b"true", True, True), (b"1", True, False), (b"1", 1, True), (b"1.0", 1, False), (b" null ", None, True)),
        *((b"{}", {}, True), (b"{}", None, False), (b"{", {}, False), (b'"x"', "x", True)),
    ],
)
def test_a_json_text_equals_a_value_of_its_own_type(text: bytes, value: object, equal: bool) -> None:
    assert is_json(text, value) is equal
