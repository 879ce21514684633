"""What an API announces beside its records: a failure, or further pages."""

from __future__ import annotations

import pytest

from orchestration.errors import SourceBodyInvalid, SourceRefused
from tests.helpers.fetching import ENVELOPE, PAGED, Api, linked, records
from tests.malformed_responses.case import answer


@pytest.mark.parametrize(
    ("more", "sign"),
    [
        ('"ok": false, "error": "ratelimited", "data": []', "ok: false and error: error '\"ratelimited\"'"),
        ('"ok": false, "data": [1]', "ok: false"),
        ('"success": false, "message": "no", "data": []', "success: false: message '\"no\"'"),
        ('"incomplete_results": true, "data": [1]', "incomplete_results: true"),
        ('"timed_out": true, "data": [1]', "timed_out: true"),
        ('"status": "ERROR", "data": []', "status: error"),
        ('"stat": "fail", "data": null', "stat: fail"),
        ('"isSuccess": false, "message": "late", "data": []', "isSuccess: false: message '\"late\"'"),
        ('"Success": "False", "data": [1]', "Success: false"),
        ('"timedOut": true, "data": []', "timedOut: true"),
        ('"has_errors": true, "data": [1]', "has_errors: true"),
        ('"isError": true, "data": []', "isError: true"),
        ('"result": "failure", "data": []', "result: failure"),
        ('"code": 500, "msg": "busy", "data": []', "code: 500: msg '\"busy\"', code '500'"),
        ('"status": "429", "data": null', "status: 429"),
        ('"statusCode": 503, "data": []', "statusCode: 503"),
        ('"Response": "False", "Error": "Too many", "data": []', "Error: Error '\"Too many\"'"),
        ('"meta": {"status": "error", "errorMessage": "no"}, "data": []', "status: error: errorMessage '\"no\"'"),
        ('"status": {"error_code": 429}, "data": []', "error_code: 429"),
        ('"error": {"code": 7}, "data": []', "error: error '{\"code\": 7}'"),
        ('"error": 7, "data": []', "error: error '7'"),
        ('"error": true, "data": []', "error: error 'true'"),
        ('"errors": ["late"], "data": null', "errors: errors '[\"late\"]'"),
        ('"errors": ["late"], "data": [1]', "errors: errors"),
        ('"errors": ["late"]', "errors: errors"),
    ],
)
def test_an_envelope_that_reports_a_failure_is_refused_with_its_message(api: Api, more: str, sign: str) -> None:
    with pytest.raises(SourceRefused) as error:
        api.fetch(answer(f"{{{more}}}"), **ENVELOPE, **PAGED)

    assert f"page-00001.json of shop.events reports a failure by {sign}" in error.value.cause
    assert "failure_signs: false of shop.events" in error.value.remedy


@pytest.mark.parametrize(
    "more",
    [
        '"ok": true, "error": null, "errors": []',
        '"error": "", "errors": {}, "success": true',
        '"error": false, "incomplete_results": false',
        '"error": 0, "status": "success"',
        '"error": "none"',
        '"ok": "yes", "code": 200, "message": "OK"',
        '"status": {"error_code": 0, "error_message": null}, "meta": {"code": 200}',
        '"hasErrors": false, "failed": 0, "result": "ok"',
    ],
)
@pytest.mark.parametrize("records", ["", "1"])
def test_an_envelope_that_reports_no_failure_is_accepted(api: Api, more: str, records: str) -> None:
    assert api.fetch(answer(f'{{{more}, "data": [{records}]}}'), **ENVELOPE)


@pytest.mark.parametrize("more", ['"errors": 3', '"status": "failed"', '"code": 404', '"status": 500', '"failed": 2'])
def test_a_count_of_errors_or_an_echo_beside_records_is_not_a_failure(api: Api, more: str) -> None:
    assert api.fetch(answer(f'{{{more}, "data": [1]}}'), **ENVELOPE)


def test_failure_signs_can_be_switched_off(api: Api) -> None:
    assert api.fetch(answer('{"ok": false, "data": []}'), **ENVELOPE, failure_signs=False)


def test_the_message_of_a_failure_is_bounded_and_printable(api: Api) -> None:
    body = '{"error": "%s", "data": []}' % ("\u202e" + "x" * 100_000)
    with pytest.raises(SourceRefused) as error:
        api.fetch(answer(body), **ENVELOPE)

    assert len(error.value.cause) < 600
    assert error.value.cause.isprintable()


TOTAL = (
    "total",
    "total_count",
    "totalCount",
    "totalResults",
    "total_results",
    "totalElements",
    "@odata.count",
)


@pytest.mark.parametrize(
    ("name", "inside"),
    [*((name, "") for name in TOTAL), *(("total", inside) for inside in ("meta", "pagination", "page"))],
)
def test_a_total_larger_than_what_came_is_an_error(api: Api, name: str, inside: str) -> None:
    announced = f'"{inside}": {{"{name}": 5}}' if inside else f'"{name}": "5"'
    with pytest.raises(SourceBodyInvalid, match=rf"shop.events: {name} announces 5 records, 4 were fetched") as error:
        api.fetch(answer(f'{{{announced}, "data": [1, 2, [3, 4], {{}}]}}'), **ENVELOPE)

    assert "set total: to the field with the number of records, or to false" in error.value.remedy


@pytest.mark.parametrize("announced", ['"total": {"value": 5}', '"hits": {"total": {"value": 5, "relation": "gte"}}'])
def test_a_total_may_be_an_object(api: Api, announced: str) -> None:
    with pytest.raises(SourceBodyInvalid, match="total announces 5 records, 1 were fetched"):
        api.fetch(answer(f'{{{announced}, "data": [1]}}'), **ENVELOPE)


@pytest.mark.parametrize("end", ['"END"', "-1", '"-1"'])
def test_a_declared_end_value_announces_no_more(api: Api, end: str) -> None:
    paging = {"style": "cursor", "parameter": "cursor", "next": "next", "end_values": ["END", -1]}

    assert records(api.fetch(answer(f'{{"data": [1], "next": {end}}}'), **ENVELOPE, paging=paging)) == [1]
    assert len(api.targets) == 1


def test_a_total_counts_all_pages_and_the_last_with_records_announces_it(api: Api) -> None:
    first, second = '{"total": 9, "data": [1]}', '{"total": 3, "data": [2, 3]}'
    end = answer('{"total": 0, "data": []}')

    assert records(api.fetch(answer(first), answer(second), end, **ENVELOPE, **PAGED)) == [1, 2, 3]
    with pytest.raises(SourceBodyInvalid, match="total announces 9 records, 3 were fetched"):
        api.fetch(answer(second), answer(first), end, **ENVELOPE, **PAGED)


def test_one_empty_page_is_skipped_and_a_larger_hole_is_detected_by_the_total(api: Api) -> None:
    first, second = (answer(f'{{"total": 2, "data": [{number}]}}') for number in (1, 2))
    empty = answer('{"total": 2, "data": []}')

    pages = api.fetch(first, empty, second, empty, **ENVELOPE, **PAGED)
    assert records(pages) == [1, 2]
    with pytest.raises(SourceBodyInvalid, match="total announces 2 records, 1 were fetched"):
        api.fetch(first, empty, empty, second, **ENVELOPE, **PAGED)


def test_an_empty_day_that_announces_records_is_an_error(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="total announces 5 records, 0 were fetched"):
        api.fetch(answer('{"total": 5, "data": []}'), **ENVELOPE, **PAGED)


def test_more_records_than_announced_are_a_warning(api: Api) -> None:
    api.fetch(answer('{"total": 1, "data": [1, 2]}'), **ENVELOPE)

    assert api.logged[0] == "warning: shop.events: total announces 1 records, 2 were fetched"


@pytest.mark.parametrize(
    "announced", ['"total": null', '"total": -1', '"total": true', '"total": {}', '"total": "many"']
)
def test_a_total_that_is_not_a_number_is_ignored(api: Api, announced: str) -> None:
    assert api.fetch(answer(f'{{{announced}, "data": [1]}}'), **ENVELOPE)


def test_the_check_of_the_total_may_be_switched_off(api: Api) -> None:
    assert api.fetch(answer('{"total": 5, "has_more": true, "data": [1]}'), **ENVELOPE, total=False)


@pytest.mark.parametrize(
    ("announced", "problem"),
    [
        ('"meta": {"rows": 5}', "meta.rows announces 5 records, 1 were fetched"),
        ('"total": 1', "does not announce its total: it has no field 'meta.rows'"),
        ('"meta": {"rows": null}', "meta.rows is b'null', not a whole number"),
        ('"meta": 5', "meta is b'5', not an object"),
    ],
)
def test_a_declared_total_counts_and_has_to_be_there(api: Api, announced: str, problem: str) -> None:
    with pytest.raises(SourceBodyInvalid) as error:
        api.fetch(answer(f'{{{announced}, "data": [1]}}'), **ENVELOPE, total="meta.rows")

    assert problem in error.value.cause


@pytest.mark.parametrize(
    ("announced", "sign"),
    [
        ('"has_more": true', "has_more: true"),
        ('"pagination": {"hasNextPage": true}', "hasNextPage: true"),
        ('"isLast": false', "isLast: false"),
        ('"next": "/events?page=2"', "next: '\"/events?page=2\"'"),
        ('"meta": {"next_cursor": "x"}', "next_cursor: '\"x\"'"),
        ('"next_page": 2', "next_page: '2'"),
        ('"@odata.nextLink": "/x"', "@odata.nextLink: '\"/x\"'"),
        ('"links": {"next": "/x"}', "next: '\"/x\"'"),
        ('"_links": {"next": {"href": "/x"}}', "next: '\"/x\"'"),
        ('"response_metadata": {"next_cursor": "x"}', "next_cursor: '\"x\"'"),
        ('"info": {"more_records": true}', "more_records: true"),
    ],
)
def test_a_single_page_that_says_that_there_is_more_is_an_error(api: Api, announced: str, sign: str) -> None:
    with pytest.raises(SourceBodyInvalid) as error:
        api.fetch(answer(f'{{{announced}, "data": [1]}}'), **ENVELOPE)

    assert error.value.cause.endswith(f"after 1 pages, the last one announces more by {sign}")


@pytest.mark.parametrize(
    "announced",
    [
        *('"has_more": false', '"isLast": true', '"next": null', '"next": ""', '"next_page": 0'),
        *('"links": {"next": null}', '"_links": {"next": {"href": ""}}', '"_links": {"next": {}}'),
        *('"info": {"more_records": false}', '"response_metadata": {"next_cursor": ""}'),
    ],
)
def test_a_single_page_that_says_that_it_is_the_last_is_taken(api: Api, announced: str) -> None:
    assert api.fetch(answer(f'{{{announced}, "data": [1]}}'), **ENVELOPE)


@pytest.mark.parametrize("name", ["total_pages", "totalPages", "last_page", "pages"])
def test_more_pages_announced_than_fetched_are_an_error(api: Api, name: str) -> None:
    with pytest.raises(SourceBodyInvalid, match=f"{name} announces 2 pages, 1 were fetched"):
        api.fetch(answer(f'{{"meta": {{"{name}": 2}}, "data": [1]}}'), **ENVELOPE)


@pytest.mark.parametrize("link", ["</events?page=2>; rel=next", '</events?page=2>; rel="next last"'])
def test_a_next_link_where_no_paging_is_declared_is_an_error(api: Api, link: str) -> None:
    with pytest.raises(SourceBodyInvalid, match="a Link header with the next page '/events") as error:
        api.fetch(linked("[1]", link))

    assert "declare the paging of shop.events" in error.value.remedy
    assert api.fetch(linked("[1]", link), total=False)


@pytest.mark.parametrize("link", ["</events?page=0>; rel=prev", "</style.css>; rel=preload", "unreadable, next"])
def test_other_links_where_no_paging_is_declared_do_not_matter(api: Api, link: str) -> None:
    assert api.fetch(linked("[1]", link))


@pytest.mark.parametrize("absent", ["next_token", "nextTokn"])
def test_a_field_that_names_the_next_page_under_another_name_is_an_error(api: Api, absent: str) -> None:
    paging = {"style": "cursor", "parameter": "t", "next": absent, "absent": "end"}
    with pytest.raises(SourceBodyInvalid, match="announces more by nextToken: '\"x\"'"):
        api.fetch(answer('{"data": [1], "nextToken": "x"}'), **ENVELOPE, paging=paging)


def test_a_next_link_in_another_header_than_declared_is_an_error(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="a Link header with the next page '/events"):
        api.fetch(linked("[1]", "</events?page=2>; rel=next"), paging={"style": "next_link", "next_header": "X-Next"})


@pytest.mark.parametrize(
    ("form", "body", "header", "says"),
    [
        ("array", "[1, [2], {}]", "X-Total-Count: 4", "X-Total-Count announces 4 records, 3 were fetched"),
        ("ndjson", "{}\n\n{}", "x-total: 3", "X-Total announces 3 records, 2 were fetched"),
        ("array", "[1]", "X-Total-Pages: 2", "X-Total-Pages announces 2 pages, 1 were fetched"),
    ],
)
def test_a_header_may_announce_the_total(api: Api, form: str, body: str, header: str, says: str) -> None:
    with pytest.raises(SourceBodyInvalid, match=says):
        api.fetch(answer(body, "200 OK", header), form=form)
    assert api.fetch(answer(body, "200 OK", header), form=form, total=False)


@pytest.mark.parametrize(
    ("body", "header"), [("[1]", "X-Total-Count: 1"), ("[1]", "X-Total-Count: many"), ("[NaN, 1]", "X-Total-Count: 3")]
)
def test_a_header_that_announces_what_came_or_cannot_be_compared_is_accepted(api: Api, body: str, header: str) -> None:
    assert api.fetch(answer(body, "200 OK", header))
