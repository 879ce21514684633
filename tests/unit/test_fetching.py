"""What the API is asked for, request by request, and what ends that."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from orchestration.errors import SourceBodyInvalid, SourceRefused, SourceTimedOut, UsageError
from orchestration.progress import level_of
from orchestration.settings import SourceSettings
from tests.bad_answers.case import Wire, answer
from tests.fetching import Api, an_api, records

ENVELOPE: dict[str, Any] = {"form": "envelope", "records": "data"}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with an_api(tmp_path, monkeypatch) as running:
        yield running


def linked(body: str, *links: str) -> bytes:
    return answer(body, "200 OK", *(f"Link: {link}" for link in links))


def test_a_query_in_the_path_is_sent_with_every_page(api: Api) -> None:
    pages = api.fetch(
        answer('{"data": [1], "next": "b&c"}'),
        answer('{"data": [2], "next": null}'),
        path="/events?type=sale;old&q=%2F",
        parameters={"size": 5},
        **ENVELOPE,
        paging={"style": "cursor", "parameter": "cursor", "next": "next"},
    )

    assert records(pages) == [1, 2]
    first = "/events?type=sale;old&q=%2F&size=5&date=2025-05-20"
    assert api.targets == [first, f"{first}&cursor=b%26c"]


def test_a_next_link_is_asked_for_as_named(api: Api) -> None:
    pages = api.fetch(
        linked("[1]", '<?page=2&q=a%2Fb;c+d>; rel="next last"'),
        linked("[2]", "</events;v=1?a,b#top>; title=\"x, <y>\"; rel='next'"),
        linked("[3]", '</events?page=2>; rel="prev"'),
        paging={"style": "next_link"},
        path="/events?type=sale",
    )

    assert records(pages) == [1, 2, 3]
    assert api.targets == ["/events?type=sale&date=2025-05-20", "/events?page=2&q=a%2Fb;c+d", "/events;v=1?a,b"]


@pytest.mark.parametrize("anchor", ["", "/events", "?date=2025-05-20"])
def test_an_anchor_that_is_the_page_itself_is_no_other_resource(api: Api, anchor: str) -> None:
    pages = api.fetch(
        linked("[1]", f'<?page=2>; rel="next"; anchor="{anchor}"'), answer("[2]"), paging={"style": "next_link"}
    )

    assert records(pages) == [1, 2]


@pytest.mark.parametrize("anchor", ["#part", "/events/1", "http://elsewhere.example/events"])
def test_a_link_of_another_resource_is_not_followed(api: Api, anchor: str) -> None:
    api.fetch(linked("[1]", f'<?page=2>; rel="next"; anchor="{anchor}"'), paging={"style": "next_link"})

    assert len(api.targets) == 1


def test_a_circle_is_seen_before_a_request_is_made_again(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="page 4 is page 2 again, so the paging goes in circles") as error:
        api.fetch(
            answer('{"id": 1, "data": [1], "next": "b"}'),
            answer('{"id": 2, "data": [2], "next": "a"}'),
            answer('{"id": 3, "data": [3], "next": "b"}'),
            **ENVELOPE,
            paging={"style": "cursor", "parameter": "cursor", "next": "next"},
        )

    assert len(api.targets) == 3
    assert error.value.cause.endswith("&cursor=b' was asked for before")


def test_two_values_of_a_header_with_the_cursor_are_an_error(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="names 2 different values of X-Next: 'a', 'b'"):
        api.fetch(
            answer("[1]", "200 OK", "X-Next: a", "X-Next: b"),
            paging={"style": "cursor", "parameter": "cursor", "next_header": "X-Next"},
        )


def test_a_next_link_may_write_scheme_and_host_in_other_letters(api: Api) -> None:
    pages = api.fetch(
        linked("[1]", f"<HTTP://127.0.0.1:{api.server.server_address[1]}/events?p=2>; rel=next"),
        answer("[2]"),
        paging={"style": "next_link"},
    )

    assert records(pages) == [1, 2]


# the end of the pages

PAGED: dict[str, Any] = {"paging": {"style": "page", "parameter": "page"}}
CURSOR: dict[str, Any] = {**ENVELOPE, "paging": {"style": "cursor", "parameter": "cursor", "next": "next"}}


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


def test_the_most_pages_do_not_count_the_empty_one_behind_them(api: Api) -> None:
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
    with pytest.raises(SourceRefused, match="; 1 pages came before, and an API may end its pages so") as error:
        api.fetch(answer("[1]"), answer(b"", status), paging={**PAGED["paging"], "end_status": [other]})

    assert f"set paging.end_status: [{status[:3]}] of shop.events" in error.value.remedy


def test_a_refused_later_page_that_the_api_named_is_no_wrong_path(api: Api) -> None:
    with pytest.raises(SourceRefused, match="; 1 pages came before, and named this one") as error:
        api.fetch(answer('{"data": [1], "next": "x"}'), answer(b"", "404 Not Found"), **CURSOR)

    assert "path" not in error.value.remedy


def test_a_token_refused_on_a_later_page_keeps_its_remedy(api: Api) -> None:
    with pytest.raises(SourceRefused, match="; 1 pages came before") as error:
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
def test_what_is_no_object_on_the_way_is_an_error(api: Api, absent: str) -> None:
    with pytest.raises(SourceBodyInvalid, match=r"meta is b'\"x\"', not an object, on the way to 'meta.next'"):
        api.fetch(answer('{"data": [1], "meta": "x"}'), **with_cursor(next="meta.next", absent=absent))


@pytest.mark.parametrize("body", ['{"data": [1]}', '{"data": [1], "meta": null}', '{"data": [1], "meta": {}}'])
def test_an_absent_field_is_an_error_that_names_the_declaration_otherwise(api: Api, body: str) -> None:
    with pytest.raises(
        SourceBodyInvalid, match=r"has no field 'meta\.next', which says whether there is more"
    ) as error:
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


def test_the_same_records_in_another_envelope_are_a_circle(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="page 2 is page 1 again, so the paging goes in circles"):
        api.fetch(answer('{"id": 1, "data": [1]}'), answer('{"id": 2, "data": [1]}'), **ENVELOPE, **PAGED)


# what an envelope says beside its records


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
        ('"error": {"code": 7}, "data": []', "error: error '{\"code\": 7}'"),
        ('"error": 7, "data": []', "error: error '7'"),
        ('"error": true, "data": []', "error: error 'true'"),
        ('"errors": ["late"], "data": null', "errors: errors '[\"late\"]'"),
        ('"errors": ["late"], "data": [1]', "errors: errors"),
        ('"errors": ["late"]', "errors: errors"),
    ],
)
def test_an_envelope_that_reports_a_failure_is_refused_with_its_words(api: Api, more: str, sign: str) -> None:
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
    ],
)
@pytest.mark.parametrize("records", ["", "1"])
def test_an_envelope_that_reports_none_is_taken(api: Api, more: str, records: str) -> None:
    assert api.fetch(answer(f'{{{more}, "data": [{records}]}}'), **ENVELOPE)


@pytest.mark.parametrize("more", ['"errors": 3', '"status": "failed"'])
def test_a_count_of_errors_and_an_echo_beside_records_are_no_failure(api: Api, more: str) -> None:
    assert api.fetch(answer(f'{{{more}, "data": [1]}}'), **ENVELOPE)


def test_a_failure_may_be_declared_to_be_none(api: Api) -> None:
    assert api.fetch(answer('{"ok": false, "data": []}'), **ENVELOPE, failure_signs=False)


def test_the_words_of_a_failure_are_bounded_and_printable(api: Api) -> None:
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
    "count",
)


@pytest.mark.parametrize(
    ("name", "inside"),
    [*((name, "") for name in TOTAL), *(("total", inside) for inside in ("meta", "pagination", "page"))],
)
def test_a_total_larger_than_what_came_is_an_error(api: Api, name: str, inside: str) -> None:
    said = f'"{inside}": {{"{name}": 5}}' if inside else f'"{name}": "5"'
    with pytest.raises(SourceBodyInvalid, match=rf"shop.events: {name} announces 5 records, 4 came") as error:
        api.fetch(answer(f'{{{said}, "data": [1, 2, [3, 4], {{}}]}}'), **ENVELOPE)

    assert "set total: to the field with the number of records, or to false" in error.value.remedy


def test_a_total_counts_all_pages_and_the_last_with_records_announces_it(api: Api) -> None:
    first, second = '{"total": 9, "data": [1]}', '{"total": 3, "data": [2, 3]}'
    end = answer('{"total": 0, "data": []}')

    assert records(api.fetch(answer(first), answer(second), end, **ENVELOPE, **PAGED)) == [1, 2, 3]
    with pytest.raises(SourceBodyInvalid, match="total announces 9 records, 3 came"):
        api.fetch(answer(second), answer(first), end, **ENVELOPE, **PAGED)


def test_a_hole_is_passed_and_a_larger_one_is_seen_by_the_total(api: Api) -> None:
    first, second = (answer(f'{{"total": 2, "data": [{number}]}}') for number in (1, 2))
    empty = answer('{"total": 2, "data": []}')

    pages = api.fetch(first, empty, second, empty, **ENVELOPE, **PAGED)
    assert records(pages) == [1, 2]
    with pytest.raises(SourceBodyInvalid, match="total announces 2 records, 1 came"):
        api.fetch(first, empty, empty, second, **ENVELOPE, **PAGED)


def test_an_empty_day_that_announces_records_is_an_error(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="total announces 5 records, 0 came"):
        api.fetch(answer('{"total": 5, "data": []}'), **ENVELOPE, **PAGED)


def test_more_records_than_announced_are_a_warning(api: Api) -> None:
    api.fetch(answer('{"total": 1, "data": [1, 2]}'), **ENVELOPE)

    assert api.said[0] == "warning: shop.events: total announces 1 records, 2 came"


@pytest.mark.parametrize("said", ['"total": null', '"total": -1', '"total": true', '"total": {}', '"total": "many"'])
def test_what_is_no_number_is_no_total(api: Api, said: str) -> None:
    assert api.fetch(answer(f'{{{said}, "data": [1]}}'), **ENVELOPE)


def test_the_check_of_the_total_may_be_switched_off(api: Api) -> None:
    assert api.fetch(answer('{"total": 5, "has_more": true, "data": [1]}'), **ENVELOPE, total=False)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ('"meta": {"rows": 5}', "meta.rows announces 5 records, 1 came"),
        ('"total": 1', "does not announce its total: it has no field 'meta.rows'"),
        ('"meta": {"rows": null}', "meta.rows is b'null', not a whole number"),
        ('"meta": 5', "meta is b'5', not an object"),
    ],
)
def test_a_declared_total_counts_and_has_to_be_there(api: Api, said: str, problem: str) -> None:
    with pytest.raises(SourceBodyInvalid) as error:
        api.fetch(answer(f'{{{said}, "data": [1]}}'), **ENVELOPE, total="meta.rows")

    assert problem in error.value.cause


@pytest.mark.parametrize(
    ("said", "sign"),
    [
        ('"has_more": true', "has_more: true"),
        ('"pagination": {"hasNextPage": true}', "hasNextPage: true"),
        ('"isLast": false', "isLast: false"),
        ('"next": "/events?page=2"', "next: '\"/events?page=2\"'"),
        ('"meta": {"next_cursor": "x"}', "next_cursor: '\"x\"'"),
        ('"next_page": 2', "next_page: '2'"),
        ('"@odata.nextLink": "/x"', "@odata.nextLink: '\"/x\"'"),
    ],
)
def test_a_single_page_that_says_that_there_is_more_is_an_error(api: Api, said: str, sign: str) -> None:
    with pytest.raises(SourceBodyInvalid) as error:
        api.fetch(answer(f'{{{said}, "data": [1]}}'), **ENVELOPE)

    assert error.value.cause.endswith(f"after 1 pages, the last says that there is more by {sign}")


@pytest.mark.parametrize(
    "said", ['"has_more": false', '"isLast": true', '"next": null', '"next": ""', '"next_page": 0']
)
def test_a_single_page_that_says_that_it_is_the_last_is_taken(api: Api, said: str) -> None:
    assert api.fetch(answer(f'{{{said}, "data": [1]}}'), **ENVELOPE)


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


# headers


def header(head: bytes, name: str) -> list[str]:
    lines = head.decode().split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.lower().startswith(f"{name.lower()}: ")]


def test_the_client_names_itself(api: Api) -> None:
    api.fetch(answer("[]"))

    assert header(api.server.asked[0], "User-Agent") == [f"ingest-clean/{version('ingest-clean')}"]


def test_declared_headers_are_sent_with_every_page_instead_of_ours(api: Api) -> None:
    api.fetch(
        linked("[1]", "<?page=2>; rel=next"),
        answer("[2]"),
        headers={"User-Agent": "us (us@example.org)", "accept": "application/vnd.shop+json", "X-Version": "2"},
        paging={"style": "next_link"},
    )

    for head in api.server.asked:
        assert header(head, "User-Agent") == ["us (us@example.org)"]
        assert header(head, "Accept") == ["application/vnd.shop+json"]
        assert header(head, "X-Version") == ["2"]
        assert header(head, "Accept-Encoding") == ["identity"]


@pytest.mark.parametrize("token", ["hush\nX-Admin: yes", "h\xfcsh", "hush\x00"])
def test_a_token_that_no_header_takes_is_a_usage_error_without_it(api: Api, token: str) -> None:
    settings = SourceSettings(url="http://127.0.0.1:9", token=SecretStr(token))
    with pytest.raises(UsageError, match="SHOP_API_TOKEN has a character that no HTTP header takes") as error:
        api.fetch(answer("[]"), source=settings)

    assert "sh" not in error.value.describe().replace("SHOP", "")


def test_a_token_sent_over_plain_http_is_warned_of_once(api: Api) -> None:
    # Linux takes 0.0.0.0 for this machine; it is no loopback address.
    url = f"http://0.0.0.0:{api.server.server_address[1]}"
    paged = {"style": "page", "parameter": "page"}

    api.fetch(answer("[1]"), answer("[]"), environment={"SHOP_API_URL": url, "SHOP_API_TOKEN": "hush"}, paging=paged)

    warnings = [line for line in api.said if level_of(line) == logging.WARNING]
    assert warnings == ["warning: SHOP_API_TOKEN is sent to 0.0.0.0 over plain http, readable on the way; use https"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_token_that_stays_on_this_machine_is_not_warned_of(api: Api, host: str) -> None:
    url = f"http://{host}:{api.server.server_address[1]}"

    api.fetch(answer("[]"), environment={"SHOP_API_URL": url, "SHOP_API_TOKEN": "hush"})

    assert len(api.said) == 1


def test_no_token_needs_no_warning(api: Api) -> None:
    api.fetch(answer("[]"), environment={"SHOP_API_URL": f"http://0.0.0.0:{api.server.server_address[1]}"})

    assert len(api.said) == 1


# time and size


def dripping(head: bytes, drop: bytes = b"x") -> Callable[[], Iterable[bytes]]:
    """An answer that begins so and then goes on, drop by drop, until nobody listens."""

    def pieces() -> Iterator[bytes]:
        yield head
        while True:
            time.sleep(0.02)
            yield drop

    return pieces


SHORT: dict[str, object] = {"ELT_FETCH_TIMEOUT": "0.5"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        dripping(HEAD + b"\r\n[", b" "),
        dripping(HEAD + b"Content-Length: 1000000000\r\n\r\n["),
        dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n[\r\n"),
        dripping(HEAD + b"X-Long: "),
        dripping(b"HTTP/1.1 "),
        dripping(b"", b"HTTP/1.1 103 Early\r\n\r\n"),
    ],
    ids=["body", "body with a length", "chunks", "header", "status", "early hints"],
)
def test_a_dripping_api_ends_at_the_deadline_and_is_not_asked_again(api: Api, sent: Wire) -> None:
    with pytest.raises(SourceTimedOut, match=r"shop.events was not fetched within 0.5 s") as error:
        api.fetch(sent, environment=SHORT)

    assert "ELT_FETCH_TIMEOUT" in error.value.remedy
    assert error.value.exit_code == 4
    assert len(api.targets) <= 1


def test_a_silent_api_ends_at_the_deadline(api: Api) -> None:
    with pytest.raises(SourceTimedOut, match=r"/events\?date=2025-05-20: no answer in time"):
        api.fetch(_silence, environment=SHORT)


def _silence() -> Iterator[bytes]:
    time.sleep(5)
    yield b""


def test_a_dripping_page_after_others_ends_at_the_same_deadline(api: Api) -> None:
    with pytest.raises(SourceTimedOut):
        api.fetch(
            answer("[1]"),
            answer("[2]"),
            dripping(HEAD + b"\r\n["),
            environment=SHORT,
            paging={"style": "page", "parameter": "page"},
        )


def test_a_dripping_error_is_named_by_its_status(api: Api) -> None:
    with pytest.raises(SourceRefused, match="answered 404: its body cannot be read: "):
        api.fetch(dripping(b"HTTP/1.1 404 \r\n\r\n"), environment={"ELT_FETCH_TIMEOUT": "1"})


def test_a_page_over_the_limit_ends_while_it_comes(api: Api) -> None:
    endless = dripping(HEAD + b"\r\n[", b" " * 300_000)
    limit: dict[str, object] = {"ELT_MAX_PAGE_BYTES": 2_000_000}

    with pytest.raises(SourceBodyInvalid, match=r"a page over 2,000,000 bytes: 2,\d+,\d+ bytes came so far") as error:
        api.fetch(endless, environment=limit)

    assert "ELT_MAX_PAGE_BYTES" in error.value.remedy


def test_pages_over_the_limit_of_a_date_end_it(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="after 6 bytes of other pages, a date over 8 bytes: 3 bytes") as error:
        api.fetch(
            answer("[1]"),
            answer("[2]"),
            answer("[3]"),
            environment={"ELT_MAX_DATE_BYTES": 8},
            paging={"style": "page", "parameter": "page"},
        )

    assert "ELT_MAX_DATE_BYTES" in error.value.remedy


def test_pages_as_large_as_the_limits_are_taken(api: Api) -> None:
    pages = api.fetch(
        answer("[1]"),
        answer("[2]"),
        answer("[]"),
        environment={"ELT_MAX_PAGE_BYTES": 3, "ELT_MAX_DATE_BYTES": 10},
        paging={"style": "page", "parameter": "page"},
    )

    assert records(pages) == [1, 2]
