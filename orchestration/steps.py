"""A step of the run protocol: where an error learns what it is about and how `main` stands, and where time is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.errors import Cancelled, Conflict, GateRefused, IngestCleanError, TimedOut
from orchestration.progress import Report
from orchestration.time_limit import timed_out

UNTOUCHED = "untouched"
IN_DOUBT = "untouched, unless elt log shows this run's commit"


@contextmanager
def step(
    name: str, subject: str, command: str, report: Report, *, main: str = UNTOUCHED, branch: str = ""
) -> Iterator[None]:
    """Tells the step's seconds; marks an error with subject, step, the state of `main`, kept branch, next command."""
    begun = time.monotonic()
    if late := timed_out():
        raise _marked(late, name, subject, command, UNTOUCHED, branch)
    try:
        yield
    except BaseException as error:
        # Whatever an interrupted library made of it.
        if not isinstance(error, TimedOut) and (late := timed_out()):
            raise _marked(late, name, subject, command, main, branch) from error
        if isinstance(error, KeyboardInterrupt):
            raise _marked(Cancelled("interrupted"), name, subject, command, main, branch) from None
        if isinstance(error, IngestCleanError):
            _marked(error, name, subject, command, main, branch)
        raise
    report(f"{name}: {time.monotonic() - begun:.2f} s")


def _marked(error: IngestCleanError, name: str, subject: str, command: str, main: str, branch: str) -> IngestCleanError:
    error.subject = subject
    error.step = error.step or name
    # Refused or in conflict is a clear answer.
    error.main = error.main or (UNTOUCHED if isinstance(error, (GateRefused, Conflict)) else main)
    error.branch = error.branch or branch
    error.command = error.command or command
    return error
