"""Where the pages of a date end, and where an end is an error."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.errors import SourceBodyInvalid, SourceRefused
from tests.helpers.fetching import CURSOR, ENVELOPE, PAGED, Api, records
from tests.malformed_responses.case import answer


def with_cursor(**paging: str) -> dict[str, Any]:
    return {**ENVELOPE, "paging": {**CURSOR["paging"], **paging}}


def test_an_empty_page_among_numbered_ones_is_kept_and_those_at_the_end_are_not(api: Api) -> None:
    pages = api.fetch(*map(answer, ("[1]", "[]", "[2]", "[]", "[]", "[3]")), **PAGED)

    assert [page.path.read_bytes() for page in pages] == [b"[1]", b"[]", b"[2]"]
    assert [page.key[-10:-5] for page in pages] == ["00001", "00002", "00003"]
    assert len(api.targets) == 5


@pytest.mark.parametrize("body", ["[]", '{"data": [], "total": 0}'])
def test_an_empty_day_keeps_one_page_after_two_requests(api: Api, body: str) -> None:
    envelope = ENVELOPE if body.startswith("{") else {}

    pages = api.fetch(answer(body), **PAGED, **envelope)

    assert [page.path.read_text() for page in pages] == [body]
    assert len(api.targets) == 2


def test_an_empty_first_page_may_be_a_hole_too(api: Api) -> None:
    pages = api.fetch(*map(answer, ("[]", "[1]", "[]")), **PAGED)

    assert [page.path.read_bytes() for page in pages] == [b"[]", b"[1]"]


@pytest.mark.parametrize("status", ["204 No Content", "400 Bad Request", "404 Not Found", "410 Gone", "422 Odd"])
def test_a_refusal_behind_an_empty_page_ends_the_pages(api: Api, status: str) -> None:
    assert records(api.fetch(answer("[1]"), answer("[]"), answer(b"", status), **PAGED)) == [1]


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_a_refusal_of_the_token_behind_an_empty_page_is_an_error(api: Api, status: str) -> None:
    with pytest.raises(SourceRefused, match=status):
        api.fetch(answer("[1]"), answer("[]"), answer(b"", status), **PAGED)


def test_the_page_limit_does_not_count_the_empty_page_at_the_end(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="more than 1 pages"):
        api.fetch(*map(answer, ("[1]", "[2]", "[]")), environment={"ELT_MAX_PAGES": 1}, **PAGED)
    assert api.fetch(answer("[]"), environment={"ELT_MAX_PAGES": 1}, **PAGED)


@pytest.mark.parametrize("status", [204, 404, 400])
def test_a_declared_status_ends_the_pages_from_the_second_on(api: Api, status: int) -> None:
    ending: dict[str, Any] = {"paging": {**PAGED["paging"], "end_status": [404, 400, 204]}}
    refusal = answer(b"", f"{status} So")

    assert records(api.fetch(answer("[1]"), answer("[2]"), refusal, **ending)) == [1, 2]
    with pytest.raises(SourceRefused, match=f"answered {status} So"):
        api.fetch(refusal, **ending)


@pytest.mark.parametrize(("status", "other"), [("404 Not Found", 400), ("400 Bad Request", 404)])
def test_another_status_than_the_declared_one_is_an_error_with_a_remedy(api: Api, status: str, other: int) -> None:
    with pytest.raises(
        SourceRefused, match="; 1 pages were fetched before it, and an API may end its pages this way"
    ) as error:
        api.fetch(answer("[1]"), answer(b"", status), paging={**PAGED["paging"], "end_status": [other]})

    assert f"set paging.end_status: [{status[:3]}] of shop.events" in error.value.remedy


def test_a_refused_later_page_that_the_api_named_is_not_reported_as_a_wrong_path(api: Api) -> None:
    with pytest.raises(
        SourceRefused, match="; 1 pages were fetched before it, and the last one named this page"
    ) as error:
        api.fetch(answer('{"data": [1], "next": "x"}'), answer(b"", "404 Not Found"), **CURSOR)

    assert "path" not in error.value.remedy


def test_a_token_refused_on_a_later_page_keeps_its_remedy(api: Api) -> None:
    with pytest.raises(SourceRefused, match="; 1 pages were fetched before it") as error:
        api.fetch(answer("[1]"), answer(b"", "401 Unauthorized"), **PAGED)

    assert error.value.remedy == "check SHOP_API_TOKEN"


@pytest.mark.parametrize("last", ['{"data": [2]}', '{"data": [2], "next": null}', '{"data": [2], "next": ""}'])
def test_an_absent_field_ends_the_paging_where_declared(api: Api, last: str) -> None:
    pages = api.fetch(answer('{"data": [1], "next": "x"}'), answer(last), **with_cursor(absent="end"))

    assert records(pages) == [1, 2]


@pytest.mark.parametrize("meta", ["", ', "meta": null', ', "meta": {}', ', "meta": []', ', "meta": {"page": {}}'])
def test_an_absent_object_on_the_way_ends_the_paging_where_declared(api: Api, meta: str) -> None:
    pages = api.fetch(
        answer('{"data": [1], "meta": {"page": {"next": "x"}}}'),
        answer(f'{{"data": [2]{meta}}}'),
        **with_cursor(next="meta.page.next", absent="end"),
    )

    assert records(pages) == [1, 2]


@pytest.mark.parametrize("absent", ["error", "end"])
def test_a_parent_field_that_is_not_an_object_is_an_error(api: Api, absent: str) -> None:
    with pytest.raises(SourceBodyInvalid, match=r"meta is b'\"x\"', not an object, on the way to 'meta.next'"):
        api.fetch(answer('{"data": [1], "meta": "x"}'), **with_cursor(next="meta.next", absent=absent))


@pytest.mark.parametrize("body", ['{"data": [1]}', '{"data": [1], "meta": null}', '{"data": [1], "meta": {}}'])
def test_an_absent_field_is_an_error_that_names_the_declaration_by_default(api: Api, body: str) -> None:
    with pytest.raises(SourceBodyInvalid, match=r"has no field 'meta\.next', which announces the next page") as error:
        api.fetch(answer(body), **with_cursor(next="meta.next"))

    assert error.value.remedy == (
        "correct the API, or paging.next of shop.events in the source's YAML; "
        "if the API leaves it out of the last page, set paging.absent: end"
    )


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("@odata.nextLink", '{"data": [1], "@odata.nextLink": "/events?skip=1"}'),
        ("a.b.c", '{"data": [1], "a": {"b.c": "/events?skip=1"}}'),
        ("a.b.c", '{"data": [1], "a.b": {"c": "/events?skip=1"}}'),
        ("a.b.c", '{"data": [1], "a": {"b": {"c": "/events?skip=1"}}, "a.b": {}}'),
        ("a.b", '{"data": [1], "a.b": "/events?skip=1", "a": {"b": "/elsewhere"}}'),
    ],
)
def test_a_dot_may_belong_to_a_name(api: Api, name: str, body: str) -> None:
    paging = {"style": "next_link", "next": name, "absent": "end"}

    pages = api.fetch(answer(body), answer('{"data": [2]}'), **ENVELOPE, paging=paging)

    assert records(pages) == [1, 2]
    assert api.targets[1] == "/events?skip=1"


def test_the_same_records_in_another_envelope_are_a_paging_loop(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="page 2 is page 1 again, so the paging is circular"):
        api.fetch(answer('{"id": 1, "data": [1]}'), answer('{"id": 2, "data": [1]}'), **ENVELOPE, **PAGED)
