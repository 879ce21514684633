"""The forms, pages and refusals of the sample API."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import get_args

import pytest

from examples.events_api import Options, create_app, records
from examples.events_api.options import Form, Paging
from tests.helpers.sample_api import DAY, Api, made, parsed


@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("paging", get_args(Paging))
@pytest.mark.parametrize(("rows", "size"), [(120, 50), (100, 50), (0, 50), (3, 50)])
def test_every_form_and_paging_sends_the_same_records_and_ends(
    api: Callable[..., Api], form: Form, paging: Paging, rows: int, size: int
) -> None:
    served = api(rows=rows, form=form, paging=paging, page_size=size)
    for path, expected in (
        ("/events", made(rows)),
        ("/products", [json.loads(text) for text in records.products(DAY, rows)]),
    ):
        pages = served.pages(paging, form, path)
        assert [record for page in pages for record in page] == expected
        assert paging == "none" or all(len(page) <= size for page in pages)


def test_a_page_after_the_last_is_empty(api: Callable[..., Api]) -> None:
    assert api(rows=10, paging="page").get(page=7).content == b"[]"
    after = api(rows=10, paging="page", form="envelope").get(page=7)
    assert after.json() == {"data": [], "next_page": None}


@pytest.mark.parametrize("form", get_args(Form))
def test_a_large_response_is_streamed_and_a_small_one_has_a_content_length(
    api: Callable[..., Api], form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = api(rows=4_001, form=form)
    small = served.get()
    assert int(small.headers["Content-Length"]) == len(small.content)
    monkeypatch.setattr("examples.events_api.app._HELD_ROWS", 4_000)
    large = served.get()
    assert "Content-Length" not in large.headers
    assert large.content == small.content
    assert len(parsed(large.content, form)) == 4_001


@pytest.mark.parametrize(
    ("form", "media_type"),
    [("array", "application/json"), ("ndjson", "application/x-ndjson"), ("envelope", "application/json")],
)
def test_the_media_type_is_that_of_the_form(api: Callable[..., Api], form: Form, media_type: str) -> None:
    assert api(form=form).get().headers["Content-Type"] == media_type


def test_only_requests_with_the_token_are_answered(api: Callable[..., Api]) -> None:
    served = api(token="open-sesame")
    for refused in (served.get(), served.get(token="wrong"), served.get("/products")):
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert refused.json() == {"error": "a bearer token is required"}
    assert served.get(token="open-sesame").status_code == 200


@pytest.mark.parametrize("day", ["", "today", "20250520", "2025-W21-2", "2025-02-30", "2025-05-20T00:00"])
def test_a_date_is_required(api: Callable[..., Api], day: str) -> None:
    refused = api().get(day=day)
    assert refused.status_code == 400
    assert "date=YYYY-MM-DD" in refused.json()["error"]


@pytest.mark.parametrize(
    ("paging", "parameters"),
    [("page", {"page": "0"}), ("page", {"page": ""}), ("next_link", {"page": "two"}), ("cursor", {"cursor": "5"})],
)
def test_an_unknown_page_is_refused(api: Callable[..., Api], paging: Paging, parameters: dict[str, str]) -> None:
    refused = api(paging=paging).get(**parameters)
    assert refused.status_code == 400
    assert " is not a " in refused.json()["error"]


def test_unknown_paths_and_methods_are_refused_in_json(api: Callable[..., Api]) -> None:
    served = api()
    assert served.get("/orders").status_code == 404
    assert "error" in served.get("/orders").json()
    posted = served.client.post(f"{served.prefix}/events")
    assert posted.status_code == 405
    assert "error" in posted.json()


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="no such fault: flood"):
        create_app(Options(fault="flood"))
    with pytest.raises(ValueError, match="rows=-1"):
        Options(rows=-1)
    with pytest.raises(ValueError, match="page_size=0"):
        Options(page_size=0)
