"""The time limit of a whole run, `ELT_RUN_TIMEOUT`: it interrupts the main thread, whatever that waits for.

DuckDB does not always let go: closing a connection waits for its other threads, which may work on one query for days.
A process that has not ended `GRACE` seconds after the limit exits with the code of TimedOut; Prefect reports a crash.

One run at a time has a limit in a process, as a signal's handler belongs to the process.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from orchestration.errors import TimedOut

GRACE = 120.0
"""Seconds that an interrupted run has to clean up."""

_AGAIN = 30.0


class TimeLimitReached(KeyboardInterrupt):
    """Raised in the main thread: libraries end their work as they do for Ctrl-C, and do not take it for an error."""


@dataclass(frozen=True)
class _Limit:
    seconds: float
    at: float


_limit: _Limit | None = None
_backstop: threading.Timer | None = None


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt the block once `seconds` have passed.

    Outside the main thread nothing can be interrupted; there the next step of the run finds that its time is over.

    Raises:
        TimedOut: The block did not end in time, whatever it raised then.
    """
    global _limit, _backstop
    main = threading.current_thread() is threading.main_thread()
    _limit = _Limit(seconds, time.monotonic() + seconds)
    if main:
        former = signal.signal(signal.SIGALRM, _interrupt)
        # Again after a while, should a library have kept the first one for itself.
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    except TimedOut:
        raise
    except BaseException as error:
        if late := timed_out():
            raise late from error
        raise
    finally:
        if main:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, former)
        if _backstop is not None:
            _backstop.cancel()
            _backstop = None
        _limit = None


def timed_out() -> TimedOut | None:
    """Return the error for a run whose time is over; None while it has time left or no limit."""
    if _limit is None or time.monotonic() < _limit.at:
        return None
    return TimedOut(
        f"the run did not end within {_limit.seconds:g} s",
        remedy="check what it waited for, or raise ELT_RUN_TIMEOUT",
    )


def _interrupt(signum: int, frame: object) -> NoReturn:
    global _backstop
    if _backstop is None:
        _backstop = threading.Timer(GRACE, _exit)
        _backstop.daemon = True
        _backstop.start()
    raise TimeLimitReached


def _exit() -> None:
    error = timed_out()
    if error is None:
        return
    print(f"{error.outcome}: {error.describe()}; it could not be interrupted either", file=sys.stderr, flush=True)
    os._exit(error.exit_code)
