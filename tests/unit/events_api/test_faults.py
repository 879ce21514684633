"""The faults that the sample API injects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import get_args

import httpx
import pytest

from examples.events_api import accounting
from examples.events_api.options import Form, Paging
from tests.helpers.sample_api import DAY, Api, made


def test_429_sends_retry_after_and_then_succeeds(api: Callable[..., Api]) -> None:
    served = api(fault="429", fault_times=2, retry_after=7)
    for _ in range(2):
        busy = served.get()
        assert busy.status_code == 429
        assert busy.headers["Retry-After"] == "7"
    assert served.get().json() == made(1_000)


def test_500_fails_a_number_of_times_or_always(api: Callable[..., Api]) -> None:
    passing = api(fault="500", fault_times=1)
    assert [passing.get().status_code for _ in range(3)] == [500, 200, 200]
    lasting = api(fault="500")
    assert {lasting.get().status_code for _ in range(3)} == {500}


def test_slow_pauses_before_and_between_chunks(api: Callable[..., Api]) -> None:
    served = api(fault="slow", delay=0.1)
    answer = served.get()
    assert answer.json() == made(1_000)
    assert answer.elapsed > timedelta(seconds=0.19)
    with pytest.raises(httpx.ReadTimeout):
        served.client.get(f"{served.prefix}/events", params={"date": "2025-05-20"}, timeout=0.03)


@pytest.mark.parametrize("form", get_args(Form))
def test_truncated_sends_less_than_it_says(api: Callable[..., Api], form: Form) -> None:
    served = api(fault="truncated", form=form)
    received: list[bytes] = []
    with served.client.stream("GET", f"{served.prefix}/events", params={"date": "2025-05-20"}) as answer:
        length = int(answer.headers["Content-Length"])
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            received.extend(answer.iter_raw())
    assert 10_000 < len(b"".join(received)) < length


def test_wrong_content_type_has_the_right_body(api: Callable[..., Api]) -> None:
    answer = api(fault="wrong-content-type").get()
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.json() == made(1_000)


def test_not_json_sends_a_body_that_is_not_json(api: Callable[..., Api]) -> None:
    answer = api(fault="not-json").get()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.content == b"nonsense"


def test_html_sends_an_html_page(api: Callable[..., Api]) -> None:
    answer = api(fault="html").get()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!doctype html>")


def test_empty_day_has_no_records_on_one_date_only(api: Callable[..., Api]) -> None:
    served = api(fault="empty-day", fault_date=DAY)
    assert served.get().content == served.get("/products").content == b"[]"
    assert len(served.get(day="2025-05-21").json()) == 1_000


def test_renamed_field_renames_the_price(api: Callable[..., Api]) -> None:
    renamed = [{"Unit Price" if name == "Price" else name: value for name, value in row.items()} for row in made(1_000)]
    assert api(fault="renamed-field").get().json() == renamed


def test_new_field_adds_a_field_to_events_only(api: Callable[..., Api]) -> None:
    served = api(fault="new-field")
    assert served.get().json() == [row | {"Channel": "web"} for row in made(1_000)]
    assert "Channel" not in served.get("/products").text


@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("paging", ["page", "next_link", "cursor"])
def test_loop_repeats_the_first_page(api: Callable[..., Api], form: Form, paging: Paging) -> None:
    served = api(fault="loop", rows=30, form=form, paging=paging, page_size=10)
    assert served.pages(paging, form, limit=6) == [made(10)] * 6


def test_loop_repeats_a_single_page(api: Callable[..., Api]) -> None:
    served = api(fault="loop", rows=3, form="envelope", paging="next_link")
    assert served.pages("next_link", "envelope", limit=4) == [made(3)] * 4


def test_bad_day_has_bad_prices_on_one_date_only(api: Callable[..., Api]) -> None:
    served = api(fault="bad-day", fault_date=date(2025, 5, 21))
    assert served.get().json() == made(1_000)
    bad = served.get(day="2025-05-21").json()
    assert bad == made(1_000, day=date(2025, 5, 21), bad_prices=True)
    assert sum(row["Price"] == "n/a" for row in bad) == accounting(1_000, bad_prices=True).reasons["price_not_numeric"]


def test_a_fault_is_injected_and_counted_only_on_its_path_and_page(api: Callable[..., Api]) -> None:
    served = api(fault="500", fault_path="/events", fault_page=2, fault_times=1, paging="page")
    assert served.get("/products", page=2).status_code == 200
    assert [served.get(page=page).status_code for page in (1, 2, 2, 3)] == [200, 500, 200, 200]


def test_refused_requests_do_not_use_up_a_fault(api: Callable[..., Api]) -> None:
    served = api(fault="500", fault_times=1, token="t")
    assert [served.get(token=token).status_code for token in ("", "t", "t")] == [401, 500, 200]
