"""The time limit of a whole run, `ELT_RUN_TIMEOUT`. It interrupts the main thread, whatever that waits for.

DuckDB does not always stop: closing a connection waits for its other threads, which may work on one query for days. A
process that has not ended `GRACE` seconds after the limit exits with the code of TimedOut. Prefect reports a crash.

A process can have only one limited run at a time, since a signal handler belongs to the process.
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
    """Raised in the main thread. Libraries end their work as for Ctrl-C, and do not treat it as an error."""


@dataclass(frozen=True)
class _Limit:
    seconds: float
    at: float


_limit: _Limit | None = None
_backstop: threading.Timer | None = None


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt the block after `seconds`.

    Outside the main thread nothing can be interrupted. There, the next step of the run detects that its time is over.

    Raises:
        TimedOut: The block did not end in time, whatever it raised then.
    """
    global _limit, _backstop
    main = threading.current_thread() is threading.main_thread()
    _limit = _Limit(seconds, time.monotonic() + seconds)
    if main:
        former = signal.signal(signal.SIGALRM, _interrupt)
        # Interrupt again after a while, in case a library caught the first one.
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
    """Return the error for a run whose time is over; None if it has time left or no limit."""
    if _limit is None or time.monotonic() < _limit.at:
        return None
    return TimedOut(
        f"the run did not end within {_limit.seconds:g} s",
        remedy="check what it was waiting for, or raise ELT_RUN_TIMEOUT",
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
    print(f"{error.outcome}: {error.describe()}; it did not react to the interrupt", file=sys.stderr, flush=True)
    os._exit(error.exit_code)
