import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.errors import UsageError
from orchestration.settings import PROJECT_DIR
from orchestration.source.config import read_tables
from orchestration.source.schema import NoPaging, PageNumbers
from tests.helpers.projects import EVENTS, events_only, write_sources


def test_the_shop_has_two_tables() -> None:
    tables = read_tables(PROJECT_DIR)

    assert [table.label for table in tables] == ["shop.events", "shop.products"]
    assert tables[0].fetch.path == "/events"
    assert tables[0].fetch.form == "array"
    assert tables[0].fetch.paging == NoPaging()


def test_every_field_is_read(tmp_path: Path) -> None:
    events_only(
        tmp_path,
        form="envelope",
        records="data",
        parameters={"per_page": 500},
        content_types=["text/plain"],
        headers={"User-Agent": "me (me@example.org)", "X-Version": "2"},
        paging={"style": "page", "parameter": "page", "first": 0, "next": "meta.next"},
    )

    fetch = read_tables(tmp_path)[0].fetch

    assert fetch.records == "data"
    assert fetch.parameters == {"per_page": 500}
    assert fetch.content_types == ("text/plain",)
    assert fetch.headers == {"User-Agent": "me (me@example.org)", "X-Version": "2"}
    assert fetch.paging == PageNumbers(parameter="page", first=0, next="meta.next")


@pytest.mark.parametrize(
    ("meta", "problem"),
    [
        ({}, "missing required field `key`"),
        ({"key": ["Event ID"]}, "missing required field `fetch`"),
        ({"fetch": EVENTS}, "missing required field `key`"),
        (
            {"key": ["Event ID"], "fetch": {"path": "/events"}},
            "config.meta.fetch: Object missing required field `form`",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "form": "xml"}},
            "config.meta.fetch.form: Invalid enum value 'xml'; allowed: array, envelope, ndjson",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "paht": "/x"}},  # codespell:ignore paht
            "config.meta.fetch: Object contains unknown field `paht`; allowed: path, ",  # codespell:ignore paht
        ),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "path": "events"}}, "path: 'events' does not begin with '/'"),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "form": "envelope"}}, "records: missing"),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "records": "data"}},
            "records: 'data' applies to form envelope only",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"style": "pages"}}},
            "config.meta.fetch.paging.style: Invalid value 'pages'; allowed: none, page, offset, next_link, cursor",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"style": "page"}}},
            "config.meta.fetch.paging: Object missing required field `parameter`",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"style": "cursor", "parameter": "cursor"}}},
            "paging.next: missing",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"style": "next_link", "next": "next"}}},
            "form array needs next_header",
        ),
        (
            {
                "key": ["Event ID"],
                "fetch": {
                    **EVENTS,
                    "form": "envelope",
                    "records": "data",
                    "paging": {"style": "cursor", "parameter": "c", "next": "n", "next_header": "X-N"},
                },
            },
            "conflicts with next; remove one of them",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"parameter": "page"}}},
            "config.meta.fetch.paging: Object missing required field `style`; allowed: none, page, offset, next_link",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "path": "/events#all"}},
            "path: '/events#all' contains '#', which cannot be sent; write it as '%23'",
        ),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "path": "/e\n"}}, "cannot be sent; write it as '%0A'"),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "path": "/events?a=1&date=2025-01-01"}},
            "path: its query gives 'date', and so does parameters; remove one of them",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "path": "/events?b", "parameters": {"b": 1, "c": "{date}"}}},
            "path: its query gives 'b', and so does parameters",
        ),
        (
            {
                "key": ["Event ID"],
                "fetch": {
                    **EVENTS,
                    "path": "/events?%63=*",
                    "paging": {"style": "cursor", "parameter": "c", "next_header": "X-N"},
                },
            },
            "path: its query gives 'c', and so does paging.parameter",
        ),
        (
            {
                "key": ["Event ID"],
                "fetch": {**EVENTS, "parameters": {"p": 0}, "paging": {"style": "page", "parameter": "p"}},
            },
            "parameters: gives 'p', which is paging.parameter",
        ),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "total": "meta.total"}}, "form array takes false, or total_header"),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "total": True}}, "total: names the field with the number"),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "failure_signs": False}}, "failure_signs: applies to form envelope"),
        (
            {
                "key": ["Event ID"],
                "fetch": {
                    **EVENTS,
                    "paging": {"style": "cursor", "parameter": "c", "next_header": "N", "absent": "end"},
                },
            },
            "paging.absent: applies to paging.next, more and done only",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"style": "next_link", "end_status": [404]}}},
            "config.meta.fetch.paging: Object contains unknown field `end_status`; allowed: style, next, next_header",
        ),
        (
            {
                "key": ["Event ID"],
                "fetch": {**EVENTS, "paging": {"style": "page", "parameter": "p", "end_status": [404, 429]}},
            },
            "paging.end_status: 429 cannot mean the end",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "headers": {"a b": "x"}}},
            "headers: 'a b' is not a valid header name",
        ),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "headers": {"": "x"}}}, "headers: '' is not a valid header name"),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "headers": {"A": "x\ny: z"}}},
            "headers.A: 'x\\ny: z' is not a valid header value",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "headers": {"A": "é"}}},
            "headers.A: 'é' is not a valid header value",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "headers": {"A": " x"}}},
            "headers.A: ' x' is not a valid header value",
        ),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "headers": {"A": 5}}}, "Expected `str`, got `int`"),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "headers": {"A": "x", "a": "y"}}}, "headers: 'A' is given twice"),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "headers": {"authorization": "Basic x"}}},
            "headers: 'authorization' carries a secret, which belongs in <SOURCE>_API_TOKEN",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "headers": {"Accept-Encoding": "gzip"}}},
            "headers: 'Accept-Encoding' cannot be set",
        ),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "headers": {"If-None-Match": "x"}}}, "'If-None-Match' cannot be"),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"style": "page", "parameter": "date"}}},
            "parameters: gives 'date', which is paging.parameter",
        ),
        *(
            ({"key": ["Event ID"], "fetch": {**EVENTS, **fetch}}, problem)
            for fetch, problem in (
                ({"path": "/e/{dat}"}, "path: {dat} is not a placeholder: allowed are {date}, {start} and {end}"),
                ({"parameters": {"a": "{start:now}"}}, "parameters: {start:now}: 'now' is not a format: allowed are"),
                ({"headers": {"A": "{date:%H}"}}, "headers: {date:%H}: %H is not a directive that may be used here"),
                ({"method": "POST", "body": {"a": ["{x}"]}}, "body: {x} is not a placeholder"),
                ({"method": "PUT"}, "fetch.method: Invalid enum value 'PUT'; allowed: GET, POST"),
                ({"body": {"a": 1}}, "body: applies to method POST only"),
                ({"day": {"zone": "Mars"}}, "day.zone: 'Mars' is not a time zone"),
                ({"day": {"end": "open"}}, "fetch.day.end: Invalid enum value 'open'; allowed: exclusive, inclusive"),
                ({"parameters": {}, "day": {"end": "inclusive"}}, "day.end: applies to the placeholder {end} only"),
                ({"day": {"snapshot_age": 1}}, "day.snapshot_age: applies to a table without placeholders only"),
                ({"form": "envelope", "records": "a["}, "records: 'a[' is not a path: expected an index"),
                ({"form": "envelope", "records": "a", "expect": {"b.": 1}}, "expect.b.: 'b.' is not a path"),
                ({"expect": {"ok": True}}, "expect: applies to form envelope only"),
                ({"total_header": "X", "total": False}, "total_header: conflicts with total"),
                ({"empty": {"status": [500]}}, "empty.status: 500 cannot mean no data; allowed are 204 and a 4xx"),
                ({"empty": {"records": [None]}}, "empty.records: applies to form envelope only"),
                (
                    {"form": "envelope", "records": "a", "empty": {"records": ["none"]}},
                    "empty.records: 'none' is not absent, null, an empty text or object, a number or false",
                ),
                ({"empty": {"body": [[]]}}, "empty.body: [] needs no declaration"),
                (
                    {"empty": {"statuses": [204]}},
                    "fetch.empty: Object contains unknown field `statuses`; allowed: stat",
                ),
                (
                    {"paging": {"style": "offset", "parameter": "o", "in": "body"}},
                    "paging.in: body needs a body",
                ),
                ({"paging": {"style": "offset", "parameter": "o", "size": 0}}, "Expected `int` >= 1"),
                (
                    {"paging": {"style": "page", "parameter": "a b", "in": "header"}},
                    "paging.parameter: 'a b' is not a valid header name",
                ),
                (
                    {"paging": {"style": "page", "parameter": "Range", "in": "header"}},
                    "paging.parameter: header 'Range' cannot be set, since the fetch depends on it",
                ),
                (
                    {"headers": {"x-page": "1"}, "paging": {"style": "page", "parameter": "X-Page", "in": "header"}},
                    "headers: gives 'X-Page', which is paging.parameter",
                ),
                (
                    {"paging": {"style": "page", "parameter": "p", "more": "x"}},
                    "paging.more: 'x' is a field of an envelope; form array needs form envelope",
                ),
                (
                    {
                        "paging": {
                            "style": "cursor",
                            "parameter": "p",
                            "next": "[-1].id",
                            "more": "[0].a",
                            "done": "[0]",
                        }
                    },
                    "paging.done: conflicts with more",
                ),
                (
                    {"paging": {"style": "page", "parameter": "p", "pages": "[0]", "pages_header": "X"}},
                    "paging.pages_header: conflicts with pages",
                ),
                (
                    {"paging": {"style": "cursor", "parameter": "p", "next_header": "X", "first_only": ["b"]}},
                    "paging.first_only: 'b' is neither under parameters nor at the top of the body",
                ),
                (
                    {
                        "method": "POST",
                        "body": {"d": "{date}"},
                        "paging": {"style": "page", "parameter": "a[0]", "in": "body"},
                    },
                    "paging.parameter: 'a[0]' has an index, and only names are allowed",
                ),
            )
        ),
    ],
)
def test_an_incomplete_fetch_declaration_is_reported_with_file_and_field(
    tmp_path: Path, meta: Any, problem: str
) -> None:
    file = write_sources(tmp_path, {"events": meta})

    with pytest.raises(UsageError) as error:
        read_tables(tmp_path)

    assert str(file) in error.value.cause
    assert "shop.events" in error.value.cause
    assert problem in error.value.cause


@pytest.mark.parametrize(
    ("key", "problem"),
    [(["Event Id"], "'Event Id' is not among the fields under columns: ['Event ID', 'Price']"), ([], "names no field")],
)
def test_a_key_that_is_not_declared_is_named(tmp_path: Path, key: list[str], problem: str) -> None:
    file = events_only(tmp_path)
    described = yaml.safe_load(file.read_text())
    table = described["sources"][0]["tables"][0]
    table["config"]["meta"]["key"] = key
    table["columns"].append({"name": "Price"})
    file.write_text(yaml.safe_dump(described))

    with pytest.raises(UsageError) as error:
        read_tables(tmp_path)

    assert error.value.cause == f"{file}: source shop.events: config.meta.key: {problem}"


def test_a_name_that_cannot_be_a_lake_key_is_refused(tmp_path: Path) -> None:
    write_sources(tmp_path, {"Events": {"key": ["Event ID"], "fetch": EVENTS}})

    with pytest.raises(UsageError, match="'Events' is not lower-case letters"):
        read_tables(tmp_path)


def test_a_project_without_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no dbt source"):
        read_tables(tmp_path)


@pytest.mark.parametrize("content", [b"sources: [", b"sources: \xff", b"- a list"])
def test_a_file_that_is_not_yaml_is_named(tmp_path: Path, content: bytes) -> None:
    file = events_only(tmp_path)
    file.write_bytes(content)

    with pytest.raises(UsageError, match=r"not (a )?YAML") as error:
        read_tables(tmp_path)

    assert str(file) in error.value.cause


@pytest.mark.parametrize("limit", [-0.1, 1.5])
def test_a_loss_limit_that_is_not_a_share_is_refused(tmp_path: Path, limit: float) -> None:
    write_sources(tmp_path, {"events": {"key": ["Event ID"], "fetch": EVENTS, "loss_limit": limit}})

    with pytest.raises(UsageError, match=rf"loss_limit: {limit} is not a share from 0 to 1"):
        read_tables(tmp_path)


def test_a_lookback_is_declared_once_for_all_tables_of_a_source(tmp_path: Path) -> None:
    declare_for_the_source(write_sources(tmp_path, {name: {"key": ["id"], "fetch": EVENTS} for name in "ab"}), 3)

    assert [table.lookback for table in read_tables(tmp_path)] == [3, 3]
    assert {table.lookback for table in read_tables(PROJECT_DIR)} == {0}


@pytest.mark.parametrize(
    ("lookback", "problem"),
    [
        (-1, "source shop: config.meta.lookback: Expected `int` >= 0"),
        (400, "source shop: config.meta.lookback: Expected `int` <= 366"),
        ("3 days", "source shop: config.meta.lookback: Expected `int`, got `str`"),
    ],
)
def test_an_invalid_lookback_is_named(tmp_path: Path, lookback: object, problem: str) -> None:
    declare_for_the_source(events_only(tmp_path), lookback)

    with pytest.raises(UsageError, match=re.escape(problem)):
        read_tables(tmp_path)


def test_an_unknown_field_of_a_source_is_named(tmp_path: Path) -> None:
    declare_for_the_source(events_only(tmp_path), 1, name="look_back")

    with pytest.raises(UsageError, match=r"source shop: config\.meta: .*look_back"):
        read_tables(tmp_path)


def declare_for_the_source(file: Path, value: object, *, name: str = "lookback") -> None:
    described = yaml.safe_load(file.read_text())
    described["sources"][0]["config"] = {"meta": {name: value}}
    file.write_text(yaml.safe_dump(described))
