"""What the API is asked for, request by request, and what ends that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import SourceBodyInvalid
from tests.bad_answers.case import answer
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
