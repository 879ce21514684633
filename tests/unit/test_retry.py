"""Which requests to the source are retried, how often and after which waits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from orchestration.errors import (
    DataFailed,
    IngestCleanError,
    SourceBodyInvalid,
    SourceBusy,
    SourceFailed,
    SourceRefused,
    SourceTimedOut,
    SourceUnreachable,
)
from orchestration.log import SILENT, log_to
from orchestration.settings import EltSettings
from orchestration.source.deadline import deadline_after
from orchestration.source.retry import RetryPolicy, call_with_retry, retry_policy

QUICK = RetryPolicy(retries=3, wait=0.0, max_wait=600.0)


class Source:
    """Raises these errors one by one, then succeeds; `calls` counts them."""

    def __init__(self, *errors: IngestCleanError) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self, page: str) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return page


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that were requested; the tests do not sleep."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def failing(make: Callable[[], IngestCleanError], times: int = 20) -> Source:
    return Source(*(make() for _ in range(times)))


def unreachable() -> SourceUnreachable:
    return SourceUnreachable("no connection")


# the policy


def test_a_backfill_retries_twice_as_often_with_exponential_backoff() -> None:
    elt = EltSettings(retries=4, retry_wait=7.0, retry_after_limit=50.0)

    assert retry_policy(elt, "daily") == RetryPolicy(4, 7.0, 50.0, exponential=False)
    assert retry_policy(elt, "backfill") == RetryPolicy(8, 7.0, 50.0, exponential=True)


def test_the_waits_of_a_daily_run_are_all_the_same(slept: list[float]) -> None:
    with pytest.raises(SourceUnreachable):
        call_with_retry(RetryPolicy(5, 30.0, 600.0), SILENT, failing(unreachable), "page 1")

    assert slept == [30.0] * 5


def test_exponential_waits_double_with_jitter_up_to_the_longest(slept: list[float]) -> None:
    for _ in range(50):
        with pytest.raises(SourceUnreachable):
            call_with_retry(RetryPolicy(6, 10.0, 100.0, exponential=True), SILENT, failing(unreachable), "page 1")

    for number, least in enumerate((10.0, 20.0, 40.0, 80.0)):
        waits = slept[number::6]
        assert all(least <= wait <= min(least + 10.0, 100.0) for wait in waits)
        # Parallel dates do not repeat their requests at the same moment.
        assert max(waits) - min(waits) > 5.0
    assert set(slept[4::6]) == set(slept[5::6]) == {100.0}


# retries


@pytest.mark.parametrize("passing", [unreachable, lambda: SourceBusy("429"), lambda: SourceBusy("503", retry_after=1)])
def test_a_transient_error_is_retried_until_it_succeeds(
    passing: Callable[[], IngestCleanError], slept: list[float]
) -> None:
    source = Source(passing(), passing())

    assert call_with_retry(QUICK, SILENT, source, "page 1") == "page 1"
    assert source.calls == 3
    assert len(slept) == 2


@pytest.mark.parametrize("error", [SourceRefused, SourceBodyInvalid, SourceTimedOut, SourceFailed, DataFailed])
def test_a_permanent_error_is_not_retried(error: type[IngestCleanError], slept: list[float]) -> None:
    source = failing(lambda: error("404"))

    with pytest.raises(error) as raised:
        call_with_retry(QUICK, SILENT, source, "page 1")

    assert (source.calls, slept) == (1, [])
    assert raised.value.cause == "404"


def test_an_error_from_outside_the_project_is_not_retried(slept: list[float]) -> None:
    calls: list[str] = []

    def broken(page: str) -> None:
        calls.append(page)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call_with_retry(QUICK, SILENT, broken, "page 1")

    assert (calls, slept) == (["page 1"], [])


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_the_error_of_the_last_try_has_the_number_of_tries(retries: int, slept: list[float]) -> None:
    source = failing(unreachable)

    with pytest.raises(SourceUnreachable) as raised:
        call_with_retry(RetryPolicy(retries, 5.0, 600.0), SILENT, source, "page 1")

    assert source.calls == retries + 1
    assert slept == [5.0] * retries
    assert raised.value.cause == str(raised.value) == f"no connection (tries: {retries + 1})"


@pytest.mark.parametrize("exponential", [False, True])
def test_a_retry_after_replaces_the_wait_of_the_policy(exponential: bool, slept: list[float]) -> None:
    call_with_retry(
        RetryPolicy(3, 30.0, 600.0, exponential),
        SILENT,
        Source(SourceBusy("429", retry_after=2.5), SourceBusy("429", retry_after=600.0), SourceBusy("429")),
        "page 1",
    )

    assert slept[:2] == [2.5, 600.0]
    assert slept[2] == 30.0 or (exponential and 120.0 <= slept[2] <= 150.0)


def test_a_retry_after_of_zero_is_obeyed(slept: list[float]) -> None:
    call_with_retry(RetryPolicy(3, 30.0, 600.0), SILENT, Source(SourceBusy("429", retry_after=0.0)), "page 1")

    assert slept == [0.0]


def test_a_retry_after_that_is_too_long_ends_the_retries_and_is_reported(slept: list[float]) -> None:
    source = Source(unreachable(), SourceBusy("answered 429", retry_after=601.0))

    with pytest.raises(SourceBusy) as raised:
        call_with_retry(QUICK, SILENT, source, "page 1")

    assert (source.calls, slept) == (2, [0.0])
    assert raised.value.cause == "answered 429 and asks to wait 601 s (tries: 2)"
    assert "ELT_RETRY_AFTER_LIMIT" in raised.value.remedy


def test_a_remedy_of_the_error_is_kept_beside_that_of_a_long_wait() -> None:
    source = Source(SourceBusy("answered 403", retry_after=601.0, remedy="check SHOP_API_TOKEN"))

    with pytest.raises(SourceBusy) as raised:
        call_with_retry(QUICK, SILENT, source, "page 1")

    assert raised.value.remedy == ("run again after that, or raise ELT_RETRY_AFTER_LIMIT; or check SHOP_API_TOKEN")


@pytest.mark.parametrize(
    "error", [SourceUnreachable("answered 500"), SourceBusy("answered 429", retry_after=30.0)], ids=["own", "asked"]
)
def test_a_wait_beyond_the_deadline_is_not_started(error: IngestCleanError, slept: list[float]) -> None:
    source = Source(error)

    with pytest.raises(SourceTimedOut) as raised:
        call_with_retry(
            RetryPolicy(3, 30.0, 600.0), SILENT, source, "page 1", deadline=deadline_after("shop.events", 20)
        )

    assert (source.calls, slept) == (1, [])
    assert raised.value.cause == (f"shop.events was not fetched within 20 s: {error}; the next retry would be in 30 s")
    assert "ELT_FETCH_TIMEOUT" in raised.value.remedy


def test_each_failed_try_is_logged_as_a_warning_with_its_cause_and_wait(slept: list[float]) -> None:
    logged: list[str] = []

    with pytest.raises(SourceUnreachable):
        call_with_retry(RetryPolicy(2, 7.0, 600.0), log_to(logged.append), failing(unreachable), "page 1")

    assert logged == [
        "warning: try 1 of 3: no connection; retrying in 7 s",
        "warning: try 2 of 3: no connection; retrying in 7 s",
    ]
