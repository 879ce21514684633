"""What a check is, and how checks are carried out: one that fails or hangs does not stop the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Literal

from orchestration.errors import IngestCleanError
from orchestration.text import LINE_LIMIT, one_line

State = Literal["ok", "warning", "failed", "not checked"]

LIMIT = 60.0
"""Seconds for one check. Requests end earlier; the first check of a product also imports its SDK."""


@dataclass(frozen=True)
class Result:
    """What a check found.

    Attributes:
        state: `ok`, `warning`, `failed` or `not checked`.
        seen: What was seen, or why nothing could be seen.
        remedy: What to do; empty if nothing is to be done.
    """

    state: State
    seen: str
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """One thing to check.

    Attributes:
        name: Its name, the same in every call.
        look: Returns what is found. An error that it raises is a failed check.
        needs: The checks that must not have failed, because this one depends on them. They precede it.
        limit: The seconds that it may take.
    """

    name: str
    look: Callable[[], Result]
    needs: tuple[str, ...] = ()
    limit: float = LIMIT


@dataclass(frozen=True)
class Finding:
    """The result of a check, under its name."""

    check: str
    state: State
    seen: str
    remedy: str


def ok(seen: str) -> Result:
    """Return a result that needs no action."""
    return Result("ok", seen)


def warning(seen: str, remedy: str) -> Result:
    """Return a result that does not stop a run yet."""
    return Result("warning", seen, remedy)


def failed(seen: str, remedy: str) -> Result:
    """Return a result that stops runs, or that hides their results."""
    return Result("failed", seen, remedy)


def carry_out(checks: Sequence[Check]) -> tuple[Finding, ...]:
    """Carry out checks in their order, and return their results.

    A check that needs a failed one is not carried out.
    """
    found: dict[str, Finding] = {}
    for check in checks:
        lacking = next((found[name] for name in check.needs if found[name].state in ("failed", "not checked")), None)
        if lacking is None:
            result = _within_limit(check)
        else:
            why = f"{lacking.check} failed" if lacking.state == "failed" else f"{lacking.check} was not checked"
            result = Result("not checked", why, lacking.remedy)
        found[check.name] = Finding(
            check.name, result.state, one_line(result.seen, _SHOWN), one_line(result.remedy, _SHOWN)
        )
    return tuple(found.values())


_SHOWN = 3 * LINE_LIMIT
"""Characters shown of what was seen, and of a remedy."""


def _within_limit(check: Check) -> Result:
    ended: SimpleQueue[Result] = SimpleQueue()
    # A thread that hangs in a system call cannot be stopped. As a daemon it does not keep the process from ending.
    Thread(target=lambda: ended.put(_result_of(check)), name=check.name, daemon=True).start()
    try:
        return ended.get(timeout=check.limit)
    except Empty:
        return failed(
            f"no result after {check.limit:g} s", "check the network and the server that it asks, then repeat"
        )


def _result_of(check: Check) -> Result:
    try:
        return check.look()
    except IngestCleanError as error:
        return failed(error.cause, error.remedy or "correct it, then run elt doctor again")
    except Exception as error:
        return failed(f"{type(error).__name__}: {error}", "correct it, then run elt doctor again")
