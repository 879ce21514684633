"""Several pages at once: their order, errors and limits are those of a sequence."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.events_api import serving
from orchestration.errors import SourceBodyInvalid, SourceFailed, SourceRefused, SourceTimedOut, UsageError
from tests.helpers.fetching import ENVELOPE, Api, records

PAGES: dict[str, Any] = {**ENVELOPE, "paging": {"style": "page", "parameter": "page", "pages": "pages"}}
OFFSETS: dict[str, Any] = {
    **ENVELOPE,
    "total": "total",
    "parameters": {"date": "{date}", "limit": 5},
    "paging": {"style": "offset", "parameter": "offset", "size": 5},
}


class Shop:
    """An API with 5 records on each of its pages, which answers early pages late."""

    def __init__(self, pages: int, instead: dict[int, Callable[[], Response]] | None = None) -> None:
        self.pages, self.instead = pages, instead or {}
        self.running, self.most, self.asked = 0, 0, []  # type: ignore[var-annotated]
        self.lock = threading.Lock()

    def events(self, request: Request) -> Response:
        query = request.query_params
        number = int(query["page"]) if "page" in query else int(query["offset"]) // 5 + 1
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            self.asked.append(number)
        try:
            time.sleep(0.05 if number % 4 == 2 else 0.005)
            if number in self.instead:
                return self.instead[number]()
            data = list(range(number * 5 - 5, number * 5)) if number <= self.pages else []
            return JSONResponse({"data": data, "pages": self.pages, "total": self.pages * 5})
        finally:
            with self.lock:
                self.running -= 1


@contextmanager
def open_shop(api: Api, shop: Shop) -> Iterator[Callable[..., Any]]:
    with serving(Starlette(routes=[Route("/events", shop.events)])) as url:
        yield lambda **fetch: api.fetch(b"", environment={"SHOP_API_URL": url, **fetch.pop("environment", {})}, **fetch)


@pytest.mark.parametrize("declared", [PAGES, OFFSETS], ids=["pages", "offsets"])
@pytest.mark.parametrize("pages", [1, 2, 23])
def test_pages_digests_and_keys_are_those_of_a_sequence(api: Api, declared: dict[str, Any], pages: int) -> None:
    shop = Shop(pages)
    with open_shop(api, shop) as fetch:
        sequence, at_once = fetch(**declared), fetch(**declared, concurrency=4)

    assert at_once == sequence
    assert records(at_once) == list(range(pages * 5))
    assert sorted(shop.asked) == sorted([*range(1, pages + 1)] * 2)
    assert shop.most <= 4
    assert pages < 20 or shop.most > 1


def refused() -> Response:
    return Response("no", 404, media_type="application/json")


def invalid() -> Response:
    return Response("<html>", media_type="application/json")


@pytest.mark.parametrize("declared", [PAGES, OFFSETS], ids=["pages", "offsets"])
def test_the_error_is_that_of_the_first_page_that_fails(api: Api, declared: dict[str, Any]) -> None:
    shop = Shop(40, {6: invalid, 7: refused, 8: refused})
    with open_shop(api, shop) as fetch:
        with pytest.raises(SourceFailed) as sequence:
            fetch(**declared)
        with pytest.raises(SourceFailed) as at_once:
            fetch(**declared, concurrency=4)

    assert type(at_once.value) is type(sequence.value) is SourceBodyInvalid
    assert at_once.value.describe() == sequence.value.describe()
    assert max(shop.asked) <= 6 + 8


def test_a_transient_error_is_repeated_in_its_place(api: Api) -> None:
    left = iter([Response("", 500), Response("", 500)])
    shop = Shop(12)
    shop.instead[5] = lambda: next(left, None) or JSONResponse({"data": list(range(20, 25)), "pages": 12})
    with open_shop(api, shop) as fetch:
        pages = fetch(**PAGES, concurrency=4, environment={"ELT_RETRIES": 3})

    assert records(pages) == list(range(60))


def test_nothing_is_left_running_after_an_error(api: Api) -> None:
    def slow() -> Response:
        time.sleep(3)
        return JSONResponse({})

    shop = Shop(40, {2: refused, 3: slow, 4: slow, 5: slow})
    with open_shop(api, shop) as fetch:
        begun = time.monotonic()
        with pytest.raises(SourceRefused):
            fetch(**PAGES, concurrency=4)
        took = time.monotonic() - begun

    assert took < 2.8
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("page")]


def test_the_deadline_of_the_table_ends_all_pages(api: Api) -> None:
    def slow() -> Response:
        time.sleep(3)
        return JSONResponse({})

    shop = Shop(40, dict.fromkeys(range(4, 9), slow))
    with open_shop(api, shop) as fetch, pytest.raises(SourceTimedOut, match=r"was not fetched within 1 s"):
        fetch(**PAGES, concurrency=4, environment={"ELT_FETCH_TIMEOUT": 1})


def test_the_limit_of_a_date_is_that_of_a_sequence(api: Api) -> None:
    size = len(json.dumps({"data": [0, 1, 2, 3, 4], "pages": 40, "total": 200}, separators=(",", ":")))
    shop, limit = Shop(40), {"ELT_MAX_DATE_BYTES": size * 5}
    with open_shop(api, shop) as fetch:
        for concurrency in (1, 4):
            with pytest.raises(SourceBodyInvalid, match=rf"a date over {size * 5} bytes: "):
                fetch(**PAGES, concurrency=concurrency, environment=limit)


def test_pages_that_are_announced_later_are_fetched_too(api: Api) -> None:
    shop = Shop(3)
    shop.instead = {1: lambda: JSONResponse({"data": [0, 1, 2, 3, 4], "pages": 2})}
    with open_shop(api, shop) as fetch:
        assert records(fetch(**PAGES, concurrency=4)) == list(range(15))


def test_more_pages_than_the_limit_are_an_error(api: Api) -> None:
    shop = Shop(40)
    with open_shop(api, shop) as fetch, pytest.raises(SourceBodyInvalid, match="more than 5 pages"):
        fetch(**PAGES, concurrency=4, environment={"ELT_MAX_PAGES": 5})
    assert len(shop.asked) <= 5 + 8


@pytest.mark.parametrize(
    ("fetch", "problem"),
    [
        ({"paging": {"style": "next_link"}}, "needs paging by page number or offset"),
        (
            {"paging": {"style": "page", "parameter": "p"}},
            "needs paging.pages or pages_header, or total and paging.size",
        ),
        ({"paging": {"style": "offset", "parameter": "p", "size": 5}}, "needs total or total_header, and paging.size"),
        ({"paging": {"style": "offset", "parameter": "p"}, "total_header": "X"}, "needs total or total_header, and"),
    ],
)
def test_pages_at_once_need_their_number(api: Api, fetch: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError, match=f"concurrency: {problem}"):
        api.fetch(b"", concurrency=2, **fetch)


@pytest.mark.parametrize("concurrency", [0, 21])
def test_no_fewer_than_one_and_no_more_than_twenty_pages_are_fetched_at_once(api: Api, concurrency: int) -> None:
    with pytest.raises(UsageError, match=r"fetch.concurrency: Expected `int` "):
        api.fetch(b"", concurrency=concurrency)
