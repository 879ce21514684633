"""Redirects, and the waits that an API asks for or that a source declares."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from orchestration.errors import SourceBodyInvalid, SourceBusy, SourceRefused, SourceUnreachable
from orchestration.source.deadline import deadline_after
from orchestration.source.rate_limit import retry_after, until_reset
from orchestration.source.throttle import Throttle
from tests.helpers.fetching import PAGED, Api, linked, records
from tests.malformed_responses.case import answer

NOW = datetime(2025, 5, 20, 12, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": "30"}, 30),
        ({"x-ratelimit-reset": "0.5"}, 0.5),
        ({"x-ratelimit-reset": str(EPOCH + 40)}, 40),
        ({"x-ratelimit-reset": str((EPOCH + 40) * 1000)}, 40),
        ({"x-ratelimit-reset": "Tue, 20 May 2025 12:00:07 GMT"}, 7),
        ({"x-rate-limit-reset": str(EPOCH + 5), "x-rate-limit-remaining": "0"}, 5),
        ({"ratelimit-reset": "12", "ratelimit-remaining": "0"}, 12),
        ({"ratelimit": "limit=100, remaining=0, reset=9"}, 9),
        ({"ratelimit": '"default";r=0;t=8'}, 8),
        ({"ratelimit": '"default";r=5;t=8'}, None),
        ({"x-ratelimit-reset": str(EPOCH + 40), "x-ratelimit-remaining": "12"}, None),
        ({"x-ratelimit-reset": str(EPOCH - 40), "x-ratelimit-remaining": "0"}, None),
        ({"x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_the_reset_of_a_rate_limit_is_read_as_seconds_or_as_a_time(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert until_reset(headers, NOW) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(("value", "seconds"), [("1.5", 1.5), ("0", 0), ("", None), ("²", None), ("-1", None)])
def test_a_retry_after_may_be_a_fraction(value: str, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("status", ["403 Forbidden", "418 Teapot", "429 Busy", "503 Busy"])
def test_a_rate_limit_without_retry_after_is_waited_for(api: Api, status: str) -> None:
    limited = answer("{}", status, "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 0.2")

    begun = time.monotonic()
    assert records(api.fetch(limited, answer("[1]"), environment={"ELT_RETRY_WAIT": 60})) == [1]
    assert 0.2 <= time.monotonic() - begun < 10


@pytest.mark.parametrize("headers", [["X-RateLimit-Remaining: 7", "X-RateLimit-Reset: 1"], []])
def test_a_refusal_that_is_no_rate_limit_is_not_repeated(api: Api, headers: list[str]) -> None:
    with pytest.raises(SourceRefused, match="answered 403"):
        api.fetch(answer("{}", "403 Forbidden", *headers))

    assert len(api.targets) == 1


def test_a_reset_beyond_the_limit_ends_the_fetch(api: Api) -> None:
    limited = answer("{}", "403 Forbidden", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 3600")

    with pytest.raises(SourceBusy, match="asks to wait 3600 s") as error:
        api.fetch(limited)

    assert "raise ELT_RETRY_AFTER_LIMIT" in error.value.remedy


@pytest.mark.parametrize("status", [520, 524, 529])
def test_a_status_of_a_proxy_is_repeated(api: Api, status: int) -> None:
    assert records(api.fetch(answer("", f"{status} Proxy"), answer("[1]"))) == [1]


@pytest.mark.parametrize("status", [519, 530])
def test_the_statuses_around_them_are_not(api: Api, status: int) -> None:
    with pytest.raises(SourceRefused, match=f"answered {status}"):
        api.fetch(answer("", f"{status} Odd"))


# the throttle


def test_requests_start_no_faster_than_declared(api: Api) -> None:
    begun = time.monotonic()

    api.fetch(*map(answer, ("[1]", "[2]", "[]", "[]")), throttle=20, **PAGED)

    assert len(api.targets) == 4
    assert time.monotonic() - begun >= 3 / 20


def test_a_throttle_that_allows_no_request_before_the_deadline_ends_the_fetch() -> None:
    throttle, deadline = Throttle(0.01), deadline_after("shop.events", 5)
    throttle.wait(deadline)

    with pytest.raises(Exception, match=r"not fetched within 5 s: its throttle allows no earlier request"):
        throttle.wait(deadline)


def test_a_throttle_of_nothing_is_refused(api: Api) -> None:
    with pytest.raises(Exception, match=r"fetch.throttle: Expected `float` > 0"):
        api.fetch(answer("[]"), throttle=0)


# redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_on_the_same_origin_is_followed(api: Api, status: int, method: str) -> None:
    body: dict[str, Any] = {"method": "POST", "body": {"d": "{date}"}} if method == "POST" else {}
    moved = answer(b"", f"{status} Moved", "Location: /events/?v=2")
    api.also["/events/"] = iter([answer("[1]")])

    pages = api.fetch(moved, environment={"SHOP_API_TOKEN": "hush"}, **body)

    assert records(pages) == [1]
    head = api.server.asked[1].decode()
    assert head.startswith(f"{'GET' if status == 303 else method} /events/?v=2 ")
    assert "Authorization: Bearer hush" in head
    assert api.server.bodies[1] == (b'{"d":"2025-05-20"}' if method == "POST" and status != 303 else b"")


@pytest.mark.parametrize(
    "target",
    ["http://elsewhere.example/e", "https://127.0.0.1/events", "//me@127.0.0.1/", "http://127.0.0.1:1/", "http://["],
)
def test_a_redirect_to_another_origin_is_refused_and_not_requested(api: Api, target: str) -> None:
    with pytest.raises(SourceRefused, match="only redirects on the same origin are followed"):
        api.fetch(answer(b"", "307 Moved", f"Location: {target}"))

    assert len(api.targets) == 1


def test_redirects_without_an_end_are_refused(api: Api) -> None:
    with pytest.raises(SourceRefused, match=r"answered 302 to 'http://127.0.0.1:.*, after 5 other redirects"):
        api.fetch(answer(b"", "302 Found", "Location: /events"))

    assert len(api.targets) == 6


def test_a_relative_link_is_resolved_against_the_address_that_answered(api: Api) -> None:
    api.also["/new/events"] = iter([linked("[1]", "<events?page=2>; rel=next"), answer("[2]")])

    pages = api.fetch(answer(b"", "301 Moved", "Location: /new/events"), paging={"style": "next_link"})

    assert records(pages) == [1, 2]
    assert api.targets[-1] == "/new/events?page=2"


# the deadline of a page


def test_a_page_that_drips_is_given_up_and_requested_again(api: Api) -> None:
    def dripping() -> Any:
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n["
        while True:
            time.sleep(0.02)
            yield b" "

    environment: dict[str, object] = {"ELT_PAGE_TIMEOUT": 0.4}

    assert records(api.fetch(dripping, answer("[1]"), environment=environment)) == [1]
    assert "a page of shop.events was not fetched within 0.4 s: " in api.logged[0]
    with pytest.raises(SourceUnreachable, match=r"a page of shop.events was not fetched within 0.4 s") as error:
        api.fetch(dripping, environment=environment)
    assert "ELT_PAGE_TIMEOUT" in error.value.remedy


def test_a_page_after_a_refused_body_is_not_taken_for_it(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid):
        api.fetch(answer("nonsense"))
    assert records(api.fetch(answer("[1]"))) == [1]
