"""One step of the run protocol: a context manager that reports its duration and adds context to its errors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from orchestration.errors import Cancelled, Conflict, GateRefused, IngestCleanError, TimedOut
from orchestration.log import Log
from orchestration.time_limit import timed_out

UNTOUCHED = "untouched"
IN_DOUBT = "untouched, unless elt log shows this run's commit"


@dataclass
class Step:
    """The context of the current step, which is added to its errors.

    Attributes:
        main: The state of `main` if the step fails.
        branch: The branch that is kept then. A step that creates a branch sets it.
    """

    main: str
    branch: str


@contextmanager
def step(
    name: str,
    subject: str,
    command: str,
    log: Log,
    seconds: dict[str, float],
    *,
    main: str = UNTOUCHED,
    branch: str = "",
) -> Iterator[Step]:
    """Run a step and report its duration. Add its context to an error that it raises.

    The context is the subject, the step, the branch, the state of `main` and the next command.

    Args:
        name: `plan`, `extract`, `land`, `transform`, `audit` or `publish`.
        subject: The date, or `marts`.
        command: The command that repeats the run.
        log: Takes the line with the duration.
        seconds: Takes the duration under the step's name, also for a step that fails.
        main: The state of `main` if this step fails.
        branch: The branch that is kept then.
    """
    begun = time.monotonic()
    current = Step(main, branch)
    if late := timed_out():
        raise _marked(late, name, subject, command, UNTOUCHED, branch)
    try:
        yield current
    except BaseException as error:
        # The limit interrupted a library, which may have raised any error of its own.
        if not isinstance(error, TimedOut) and (late := timed_out()):
            raise _marked(late, name, subject, command, current.main, current.branch) from error
        if isinstance(error, KeyboardInterrupt):
            raise _marked(Cancelled("interrupted"), name, subject, command, current.main, current.branch) from None
        if isinstance(error, IngestCleanError):
            _marked(error, name, subject, command, current.main, current.branch)
        raise
    finally:
        spent = time.monotonic() - begun
        seconds[name] = seconds.get(name, 0.0) + spent
    log.info(f"{name}: {spent:.2f} s")


def _marked(error: IngestCleanError, name: str, subject: str, command: str, main: str, branch: str) -> IngestCleanError:
    error.subject = subject
    error.step = error.step or name
    # A refusal or a conflict is a clear answer, so `main` is untouched.
    error.main = error.main or (UNTOUCHED if isinstance(error, (GateRefused, Conflict)) else main)
    error.branch = error.branch or branch
    error.command = error.command or command
    return error
