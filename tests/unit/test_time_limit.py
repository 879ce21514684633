"""The time limit ends a run, in whatever call it waits."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestration.errors import Cancelled, DataFailed, PlatformFailed, TimedOut
from orchestration.log import SILENT
from orchestration.steps import IN_DOUBT, UNTOUCHED, step
from orchestration.time_limit import TimeLimitReached, time_limit, timed_out


def sleep() -> None:
    time.sleep(60)


def read_a_silent_socket() -> None:
    local, remote = socket.socketpair()
    with local, remote:
        local.recv(1)


def wait_for_a_thread() -> None:
    threading.Event().wait(60)


def wrap_the_interrupt_in_an_error() -> None:
    try:
        sleep()
    except BaseException as error:
        raise PlatformFailed("a library's own words") from error


@pytest.mark.parametrize("work", [sleep, read_a_silent_socket, wait_for_a_thread, wrap_the_interrupt_in_an_error])
def test_endless_work_is_interrupted(work: Callable[[], None]) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with (
        pytest.raises(TimedOut) as late,
        time_limit(0.3),
        step("extract", "2025-05-20", "elt run 2025-05-20", SILENT, {}, branch="etl-1"),
    ):
        work()
    error = late.value
    assert (error.subject, error.step, error.main, error.branch) == ("2025-05-20", "extract", UNTOUCHED, "etl-1")
    assert "within 0.3 s" in error.cause
    assert "ELT_RUN_TIMEOUT" in error.remedy
    assert error.command == "elt run 2025-05-20"
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert timed_out() is None


def test_an_interrupt_that_was_swallowed_is_found_by_the_next_step() -> None:
    reached: list[str] = []

    def run() -> None:
        try:
            sleep()
        except TimeLimitReached:
            reached.append("swallowed")
        with step("publish", "2025-05-20", "", SILENT, {}, main=IN_DOUBT):
            reached.append("merged")

    with pytest.raises(TimedOut) as late, time_limit(0.2):
        run()
    assert reached == ["swallowed"]
    assert (late.value.step, late.value.main) == ("publish", UNTOUCHED)


UNINTERRUPTIBLE = """
import time
from orchestration import time_limit

time_limit.GRACE = 0.5
with time_limit.time_limit(0.1):
    while True:
        try:
            time.sleep(60)
        except time_limit.TimeLimitReached:
            pass
"""
"""This happens if a DuckDB connection is closed while its other threads run a query for days."""


def test_a_process_that_cannot_be_interrupted_exits() -> None:
    ended = subprocess.run([sys.executable, "-c", UNINTERRUPTIBLE], capture_output=True, text=True, timeout=60)
    assert ended.returncode == TimedOut.exit_code
    assert "TimedOut: the run did not end within 0.1 s" in ended.stderr


def test_a_time_limit_applies_between_steps() -> None:
    with pytest.raises(TimedOut), time_limit(0.2):
        sleep()


def test_work_that_ends_in_time_is_not_interrupted() -> None:
    with time_limit(60), step("transform", "2025-05-20", "", SILENT, {}):
        assert timed_out() is None
    with pytest.raises(DataFailed), time_limit(60), step("transform", "2025-05-20", "", SILENT, {}):
        raise DataFailed("a test failed")
    with pytest.raises(Cancelled), time_limit(60), step("transform", "2025-05-20", "", SILENT, {}):
        raise KeyboardInterrupt
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_outside_the_main_thread_the_next_step_reports_the_time_limit() -> None:
    def run() -> None:
        with time_limit(0.1):
            time.sleep(0.2)
            with step("transform", "2025-05-20", "", SILENT, {}):
                raise AssertionError("its time is over")

    with ThreadPoolExecutor(1) as pool, pytest.raises(TimedOut) as late:
        pool.submit(run).result(30)
    assert late.value.step == "transform"


def test_timed_out_has_its_own_outcome_and_exit_code() -> None:
    assert (TimedOut.outcome, TimedOut.exit_code) == ("TimedOut", 7)
