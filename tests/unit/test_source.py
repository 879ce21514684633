from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.errors import UsageError
from orchestration.settings import PROJECT_DIR
from orchestration.source.config import Paging, read_tables
from tests.helpers.projects import EVENTS, events_only, write_sources


def test_the_shop_has_two_tables() -> None:
    tables = read_tables(PROJECT_DIR)

    assert [table.label for table in tables] == ["shop.events", "shop.products"]
    assert tables[0].fetch.path == "/events"
    assert tables[0].fetch.form == "array"
    assert tables[0].fetch.paging == Paging()


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
    assert fetch.paging == Paging("page", "page", 0, "meta.next")


@pytest.mark.parametrize(
    ("meta", "problem"),
    [
        ({}, "missing required field `fetch`"),
        ({"fetch": EVENTS}, "missing required field `key`"),
        (
            {"key": ["Event ID"], "fetch": {"path": "/events", "form": "array"}},
            "missing required field `date_parameter`",
        ),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "form": "xml"}}, "Invalid enum value 'xml'"),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "paht": "/x"}}, "unknown field `paht`"),  # codespell:ignore paht
        ({"key": ["Event ID"], "fetch": {**EVENTS, "path": "events"}}, "path: 'events' does not begin with '/'"),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "form": "envelope"}}, "records: missing"),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "records": "data"}},
            "records: 'data' applies to form envelope only",
        ),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"style": "pages"}}}, "Invalid enum value 'pages'"),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"style": "page"}}}, "paging.parameter: missing"),
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
        ({"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"parameter": "page"}}}, "paging.style: missing"),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "path": "/events#all"}},
            "path: '/events#all' contains '#', which cannot be sent; write it as '%23'",
        ),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "path": "/e\n"}}, "cannot be sent; write it as '%0A'"),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "path": "/events?a=1&date=2025-01-01"}},
            "path: its query gives 'date', and so does date_parameter; remove one of them",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "path": "/events?b", "parameters": {"b": 1}}},
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
        ({"key": ["Event ID"], "fetch": {**EVENTS, "parameters": {"date": "today"}}}, "parameters: gives 'date'"),
        (
            {
                "key": ["Event ID"],
                "fetch": {**EVENTS, "parameters": {"p": 0}, "paging": {"style": "page", "parameter": "p"}},
            },
            "parameters: gives 'p', which is paging.parameter",
        ),
        ({"key": ["Event ID"], "fetch": {**EVENTS, "total": "meta.total"}}, "form array takes only false"),
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
            "paging.absent: applies to paging.next only",
        ),
        (
            {"key": ["Event ID"], "fetch": {**EVENTS, "paging": {"style": "next_link", "end_status": [404]}}},
            "paging.end_status: applies only to style page",
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
            "paging.parameter: 'date' is the date_parameter too",
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
