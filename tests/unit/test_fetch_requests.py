"""What the requests of a date ask for: the day, the page, and what is sent beside them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.errors import SourceBodyInvalid, UsageError
from tests.helpers.fetching import CURSOR, DATE, ENVELOPE, Api, linked, records
from tests.malformed_responses.case import answer

TODAY = datetime.now(UTC).date()


def heads(api: Api, name: str) -> list[str]:
    found = []
    for head in api.server.asked:
        lines = [line.partition(": ") for line in head.decode().split("\r\n")]
        found += [value for key, _, value in lines if key.lower() == name.lower()]
    return found


def test_the_day_is_asked_for_in_path_query_header_and_body(api: Api) -> None:
    api.fetch(
        answer('{"data": []}'),
        method="POST",
        path="/events?until={end:rfc3339}&x",
        parameters={"created[gte]": "{start:epoch}", "all": True},
        headers={"X-Day": "{date:%d.%m.%Y}"},
        body={"filter": [{"from": "{start:epoch_ms}", "to": "{end}"}], "limit": 100},
        day={"zone": "Europe/Berlin", "end": "inclusive"},
        **ENVELOPE,
    )

    assert api.targets == ["/events?until=2025-05-20T23:59:59%2B02:00&x&all=true&created%5Bgte%5D=1747692000"]
    assert api.server.asked[0].startswith(b"POST ")
    assert heads(api, "X-Day") == ["20.05.2025"]
    assert heads(api, "Content-Type") == ["application/json"]
    assert json.loads(api.server.bodies[0]) == {
        "filter": [{"from": 1747692000000, "to": "2025-05-20T23:59:59+02:00"}],
        "limit": 100,
    }


def test_a_get_sends_no_body(api: Api) -> None:
    api.fetch(answer("[]"))

    assert heads(api, "Content-Length") == heads(api, "Content-Type") == []


@pytest.mark.parametrize("days", [1, 400])
def test_a_snapshot_of_a_past_date_is_refused_before_anything_is_requested(api: Api, days: int) -> None:
    with pytest.raises(UsageError, match=r"shop.events cannot be fetched for 2025-05-20: its requests") as error:
        api.fetch(answer("[]"), parameters={}, day={"snapshot_age": days})

    assert error.value.remedy == f"elt run {TODAY}"
    assert api.targets == []


@pytest.mark.parametrize(("age", "days"), [(0, 0), (1, 0), (1, 1)])
def test_a_snapshot_is_fetched_on_its_date_and_as_long_after_it_as_declared(api: Api, age: int, days: int) -> None:
    date = str(TODAY - timedelta(days=days))

    assert records(api.fetch(answer("[1]"), parameters={}, day={"snapshot_age": age}, date=date)) == [1]


def page(number: int, **more: Any) -> bytes:
    return answer(json.dumps({"data": [number], **more}))


OFFSET: dict[str, Any] = {"paging": {"style": "offset", "parameter": "$offset"}}


def test_an_offset_steps_by_the_records_received(api: Api) -> None:
    pages = api.fetch(answer("[1, 2, 3]"), answer("[4]"), answer("[]"), **OFFSET)

    assert records(pages) == [1, 2, 3, 4]
    assert [target.partition("offset=")[2] for target in api.targets] == ["0", "3", "4"]
    assert "the pages end at page 3, which is empty; the API announces neither" in api.logged[0]


def test_an_offset_steps_by_its_declared_size_and_a_short_page_is_not_the_last(api: Api) -> None:
    paging = {**OFFSET["paging"], "size": 10, "first": 1}

    pages = api.fetch(*map(answer, ("[1]", "[]", "[2]", "[]", "[]")), paging=paging)

    assert records(pages) == [1, 2]
    assert [target.partition("offset=")[2] for target in api.targets] == ["1", "11", "21", "31", "41"]


@pytest.mark.parametrize("size", [None, 2])
def test_a_declared_total_ends_offsets_without_another_request(api: Api, size: int | None) -> None:
    paging = {**OFFSET["paging"], **({"size": size} if size else {})}
    first, second = '{"data": [1, 2], "total": 3}', '{"data": [3], "total": 3}'

    assert records(api.fetch(answer(first), answer(second), **ENVELOPE, paging=paging, total="total")) == [1, 2, 3]
    assert len(api.targets) == 2
    assert not any("the pages end" in line for line in api.logged)


def test_offsets_beyond_the_total_are_not_requested_and_missing_records_are_an_error(api: Api) -> None:
    paging = {**OFFSET["paging"], "size": 2}
    short = '{"data": [%d], "total": 4}'

    with pytest.raises(SourceBodyInvalid, match="total announces 4 records, 2 were fetched"):
        api.fetch(answer(short % 1), answer(short % 2), **ENVELOPE, paging=paging, total="total")
    assert len(api.targets) == 2


def test_a_total_in_a_header_ends_numbered_pages(api: Api) -> None:
    sent = [answer(body, "200 OK", "X-Count: 3") for body in ("[1, 2]", "[3]")]

    pages = api.fetch(*sent, paging={"style": "page", "parameter": "p"}, total_header="X-Count")

    assert records(pages) == [1, 2, 3]
    assert len(api.targets) == 2
    with pytest.raises(SourceBodyInvalid, match="does not announce its total: it has no header 'X-Count'"):
        api.fetch(answer("[1]"), paging={"style": "page", "parameter": "p"}, total_header="X-Count")


@pytest.mark.parametrize("first", [0, 1])
def test_a_number_of_pages_ends_them_and_covers_an_empty_page(api: Api, first: int) -> None:
    paging = {"style": "page", "parameter": "p", "first": first, "pages": "meta.last"}
    bodies = [json.dumps({"data": data, "meta": {"last": 4}}) for data in ([1], [], [], [2])]

    pages = api.fetch(*map(answer, bodies), **ENVELOPE, paging=paging)

    assert records(pages) == [1, 2]
    assert len(pages) == len(api.targets) == 4


def test_a_number_of_pages_in_a_header_ends_them(api: Api) -> None:
    paging = {"style": "page", "parameter": "p", "pages_header": "X-Pages"}

    assert records(api.fetch(answer("[1]", "200 OK", "X-Pages: 1"), paging=paging)) == [1]
    assert len(api.targets) == 1


@pytest.mark.parametrize(("name", "more", "last"), [("more", True, False), ("done", False, True), ("more", "true", 0)])
def test_a_flag_ends_pages_whose_cursor_is_the_last_records_id(api: Api, name: str, more: Any, last: Any) -> None:
    first = answer(json.dumps({"data": [{"id": "a"}, {"id": "b"}], "flag": more}))
    second = answer(json.dumps({"data": [{"id": "c"}], "flag": last}))
    paging = {"style": "cursor", "parameter": "starting_after", "next": "data[-1].id", name: "flag"}

    pages = api.fetch(first, second, **ENVELOPE, paging=paging)

    assert [record["id"] for record in records(pages)] == ["a", "b", "c"]
    assert api.targets[1].endswith("&starting_after=b")
    assert len(api.targets) == 2


def test_the_last_record_of_an_array_is_a_cursor_until_a_page_is_empty(api: Api) -> None:
    paging = {"style": "cursor", "parameter": "since", "next": "[-1].id", "absent": "end"}

    pages = api.fetch(answer('[{"id": 1}, {"id": 7}]'), answer("[]"), paging=paging)

    assert records(pages) == [{"id": 1}, {"id": 7}]
    assert api.targets[1].endswith("&since=7")


def test_the_last_line_of_ndjson_is_a_cursor(api: Api) -> None:
    paging = {"style": "cursor", "parameter": "since", "next": "[-1].id", "absent": "end"}

    api.fetch(answer('{"id": 1}\n\n{"id": 7}\n'), answer(b""), form="ndjson", paging=paging)

    assert api.targets[1].endswith("&since=7")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('{"data": [1], "next": "x"}', "flag, which is paging.more, is absent, not true or false"),
        ('{"data": [1], "next": "x", "flag": "yes"}', "flag, which is paging.more, is b'\"yes\"', not true or false"),
        ('{"data": [1], "next": "x", "flag": null}', "flag, which is paging.more, is b'null', not true or false"),
        ('{"data": [1], "next": null, "flag": true}', "has flag for a further page, and names none"),
    ],
)
def test_a_flag_that_does_not_say_whether_there_is_more_is_an_error(api: Api, body: str, problem: str) -> None:
    with pytest.raises(SourceBodyInvalid) as error:
        api.fetch(answer(body), **ENVELOPE, paging={**CURSOR["paging"], "more": "flag"})

    assert problem in error.value.cause


def test_an_absent_flag_ends_the_pages_where_declared(api: Api) -> None:
    paging = {**CURSOR["paging"], "more": "flag", "absent": "end"}

    assert records(api.fetch(answer('{"data": [1], "next": "x"}'), **ENVELOPE, paging=paging, total=False)) == [1]


@pytest.mark.parametrize("last", ["0", '"0"', "false", "null", '""'])
def test_a_cursor_that_is_nothing_ends_the_pages(api: Api, last: str) -> None:
    pages = api.fetch(answer('{"data": [1], "next": "x"}'), answer(f'{{"data": [2], "next": {last}}}'), **CURSOR)

    assert records(pages) == [1, 2]
    assert len(api.targets) == 2


@pytest.mark.parametrize("cursor", ["1747735200.50", "12345678901234567890", '"007"', "-5"])
def test_a_number_as_the_cursor_keeps_its_digits(api: Api, cursor: str) -> None:
    api.fetch(answer(f'{{"data": [1], "next": {cursor}}}'), answer('{"data": [2], "next": null}'), **CURSOR)

    assert api.targets[1].endswith(f"&cursor={cursor.strip(chr(34))}")


@pytest.mark.parametrize("last", ["-1", '"-1"', '"END"'])
def test_a_declared_cursor_ends_the_pages(api: Api, last: str) -> None:
    paging = {**CURSOR["paging"], "end_values": [-1, "END"]}
    pages = api.fetch(answer(f'{{"data": [1], "next": {last}}}'), **ENVELOPE, paging=paging, total=False)

    assert records(pages) == [1]
    assert len(api.targets) == 1


@pytest.mark.parametrize(
    ("first_only", "second"),
    [
        (["date"], "/events?a=1&b=2&cursor=x"),
        ("all", "/events?a=1&cursor=x"),
        ([], "/events?a=1&b=2&date=2025-05-20&cursor=x"),
    ],
)
def test_parameters_that_only_the_first_request_sends(api: Api, first_only: Any, second: str) -> None:
    api.fetch(
        page(1, next="x"),
        page(2, next="y"),
        page(3, next=None),
        path="/events?a=1",
        parameters={"date": "{date}", "b": 2},
        **ENVELOPE,
        paging={**CURSOR["paging"], "first_only": first_only},
    )

    assert api.targets == ["/events?a=1&b=2&date=2025-05-20", second, second.replace("=x", "=y")]


def test_the_page_may_be_asked_for_in_the_body(api: Api) -> None:
    pages = api.fetch(
        answer('{"data": [1], "paging": {"next": {"after": "5"}}}'),
        answer('{"data": [2]}'),
        method="POST",
        body={"day": "{date}", "limit": 5},
        **ENVELOPE,
        paging={"style": "cursor", "parameter": "after", "in": "body", "next": "paging.next.after", "absent": "end"},
    )

    assert records(pages) == [1, 2]
    assert [json.loads(body) for body in api.server.bodies] == [
        {"day": DATE, "limit": 5},
        {"day": DATE, "limit": 5, "after": "5"},
    ]


def test_page_numbers_may_be_in_a_nested_field_of_the_body_and_are_numbers(api: Api) -> None:
    paging = {"style": "page", "parameter": "page.number", "in": "body", "done": "last"}
    body = {"page": {"size": 5}, "day": "{date}"}

    api.fetch(page(1, last=False), page(2, last=True), method="POST", body=body, **ENVELOPE, paging=paging)

    assert [json.loads(sent)["page"] for sent in api.server.bodies] == [
        {"size": 5, "number": 1},
        {"size": 5, "number": 2},
    ]


def test_the_cursor_may_be_sent_in_a_header(api: Api) -> None:
    paging = {"style": "cursor", "parameter": "X-Continue", "in": "header", "next_header": "X-Next"}

    api.fetch(answer("[1]", "200 OK", "X-Next: abc"), answer("[2]"), paging=paging)

    assert heads(api, "X-Continue") == ["abc"]
    assert api.targets[0] == api.targets[1]


def test_a_repeated_cursor_in_the_body_is_circular(api: Api) -> None:
    paging = {"style": "cursor", "parameter": "after", "in": "body", "next": "next"}
    with pytest.raises(
        SourceBodyInvalid, match=r"page 3 is page 2 again, so the paging is circular: .* was requested before"
    ):
        api.fetch(page(1, next="x"), page(2, next="x"), method="POST", body={"d": "{date}"}, **ENVELOPE, paging=paging)


def test_a_next_link_of_a_post_keeps_method_and_body(api: Api) -> None:
    api.fetch(
        linked("[1]", "<?page=2>; rel=next"), answer("[2]"), method="POST", body={"d": 1}, paging={"style": "next_link"}
    )

    assert api.server.asked[1].startswith(b"POST /events?page=2 ")
    assert api.server.bodies == [b'{"d":1}'] * 2


# the envelope


@pytest.mark.parametrize(
    ("records_path", "body"),
    [
        ("items[0].articles", '{"items": [{"articles": [1, 2]}]}'),
        ("[1]", '[{"page": 1, "pages": 1, "total": 2}, [1, 2]]'),
        ('result."a.b"', '{"result": {"a.b": [1, 2]}}'),
        ("result.a.b", '{"result": {"a.b": [1, 2]}}'),
    ],
)
def test_records_may_be_at_a_path(api: Api, records_path: str, body: str) -> None:
    (found,) = api.fetch(answer(body), form="envelope", records=records_path)

    assert found.path.read_text() == body


@pytest.mark.parametrize(
    ("shape", "records_path", "body", "total"),
    [
        ("values", "data", '{"data": {"a": {"x": 1}, "b": {"x": 2}}}', 2),
        ("values", "$", '{"a": {"x": 1}, "b": {"x": 2}}', 2),
        ("columns", "hourly", '{"hourly": {"time": [1, 2, 3], "rain": [0, 0, null]}}', 3),
        ("columns", "hourly", '{"hourly": {"time": [], "rain": []}}', 0),
        ("columns", "hourly", '{"hourly": {"time": [1, 2], "unit": "mm", "place": {"id": [1]}}}', 2),
        ("columns", "hourly", '{"hourly": {}}', 0),
        ("columns", "hourly", '{"hourly": []}', 0),
        ("values", "data", '{"data": {}}', 0),
        ("values", "data", '{"data": [ ]}', 0),
        ("values", "$", "[]", 0),
        ("table", "$", '[["id", "at"], [1, 2], [3, 4]]', 2),
        ("table", "rows", '{"rows": [["id"]]}', 0),
        ("table", "rows", '{"rows": []}', 0),
        ("arrays", "rows", '{"rows": [[1, "a"], [2, "b"]]}', 2),
        ("objects", "$", '[{"x": 1}]', 1),
    ],
)
def test_records_are_counted_in_each_shape(api: Api, shape: str, records_path: str, body: str, total: int) -> None:
    declared: dict[str, Any] = {"form": "envelope", "records": records_path, "shape": shape, "total_header": "X"}

    (found,) = api.fetch(answer(body, "200 OK", f"X: {total}"), **declared)
    assert found.path.read_text() == body
    with pytest.raises(SourceBodyInvalid, match=f"X announces {total + 1} records, {total} were fetched"):
        api.fetch(answer(body, "200 OK", f"X: {total + 1}"), **declared)


@pytest.mark.parametrize(
    ("shape", "body", "problem"),
    [
        ("values", '{"data": [1]}', "has no object 'data', it is b'[1]'"),
        ("columns", '{"data": [[1]]}', "has no object 'data', it is b'[[1]]'"),
        ("table", '{"data": {"a": 1}}', "has no list 'data', it is"),
        ("objects", '{"data": {"a": 1}}', "has no list 'data', it is"),
        ("columns", '{"data": {"a": [1], "b": [1, 2]}}', "has columns of different lengths: 'a' 1, 'b' 2"),
        ("columns", '{"data": {"a": 5, "b": "x"}}', "has no list among its columns: 'a', 'b'"),
    ],
)
def test_records_of_another_shape_are_refused(api: Api, shape: str, body: str, problem: str) -> None:
    with pytest.raises(SourceBodyInvalid) as error:
        api.fetch(answer(body), **ENVELOPE, shape=shape)

    assert problem in error.value.cause


def test_what_the_first_object_of_an_array_announces_is_checked(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="total announces 3 records, 2 were fetched"):
        api.fetch(answer('[{"page": 1, "pages": 1, "total": 3}, [1, 2]]'), form="envelope", records="[1]")
    with pytest.raises(SourceBodyInvalid, match="pages announces 2 pages, 1 were fetched"):
        api.fetch(answer('[{"page": 1, "pages": 2, "total": 2}, [1, 2]]'), form="envelope", records="[1]")


def test_a_page_may_be_held_to_its_fields(api: Api) -> None:
    expect = {"ok": True, "meta.partial": False, "code": 200, "error": None}
    good = {"ok": True, "meta": {"partial": False}, "code": 200, "error": None, "data": [1]}

    assert api.fetch(answer(json.dumps(good)), **ENVELOPE, expect=expect)
    for change, problem in (
        ({"ok": False, "message": "late"}, "ok is 'false', and expect declares true: message '\"late\"'"),
        ({"ok": 1}, "ok is '1', and expect declares true"),
        ({"meta": {}}, "meta.partial is absent, and expect declares false"),
        ({"code": 200.5}, "code is '200.5', and expect declares 200"),
    ):
        with pytest.raises(Exception, match=r"page-00001.json of shop.events: ") as error:
            api.fetch(answer(json.dumps({**good, **change})), **ENVELOPE, expect=expect)
        assert problem in str(error.value)


# no data


@pytest.mark.parametrize("status", ["204 No Content", "404 Not Found"])
@pytest.mark.parametrize("form", [{}, ENVELOPE, {"form": "ndjson"}])
def test_a_declared_status_is_a_day_without_records(api: Api, status: str, form: dict[str, Any]) -> None:
    (found,) = api.fetch(answer("gone", status, content_type=None), empty={"status": [204, 404]}, **form)

    assert (found.bytes, found.path.read_bytes()) == (0, b"")
    assert api.logged[0] == f"shop.events: page 1 has no data: status {status[:3]}"


@pytest.mark.parametrize(
    ("body", "declared"), [("{}", {}), ("null", None), (b"", ""), (' {"detail": "none"}\n', {"detail": "none"})]
)
def test_a_declared_body_is_a_day_without_records(api: Api, body: str | bytes, declared: Any) -> None:
    content_type = None if body == b"" else "application/json"
    (found,) = api.fetch(answer(body, content_type=content_type), empty={"body": [declared]})

    assert found.path.read_bytes() == b""
    with pytest.raises(SourceBodyInvalid):
        api.fetch(answer(body, content_type=content_type))


@pytest.mark.parametrize(("body", "declared"), [("{}", "absent"), ('{"data": null}', None), ('{"data": {}}', {})])
def test_a_declared_value_in_place_of_the_list_is_a_page_without_records(api: Api, body: str, declared: Any) -> None:
    (found,) = api.fetch(answer(body), **ENVELOPE, empty={"records": [declared]})

    assert found.path.read_bytes() == b""
    with pytest.raises(SourceBodyInvalid, match="has no list 'data'") as error:
        api.fetch(answer(body), **ENVELOPE)
    if declared != {}:
        assert f"set empty: {{records: [{declared or 'null'}]}}" in error.value.remedy


def test_a_page_without_a_list_may_name_the_next_one(api: Api) -> None:
    paging = {**CURSOR["paging"], "absent": "end"}
    pages = api.fetch(
        answer('{"next": "x"}'), answer('{"data": [1]}'), **ENVELOPE, paging=paging, empty={"records": ["absent"]}
    )

    assert [found.path.read_bytes() for found in pages] == [b"", b'{"data": [1]}']


def test_no_data_after_pages_with_records_ends_them(api: Api) -> None:
    pages = api.fetch(answer("[1]"), answer(b"", "204 No Content"), **OFFSET, empty={"status": [204]})

    assert records(pages) == [1]
    assert len(pages) == 1


def test_an_empty_day_that_announces_records_beside_a_null_list_is_an_error(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="total announces 5 records, 0 were fetched"):
        api.fetch(answer('{"data": null, "total": 5}'), **ENVELOPE, empty={"records": [None]})
