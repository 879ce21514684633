"""How patiently the source is asked again: while it is out of reach, or as long as it asks to wait."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from orchestration.errors import SourceBusy, SourceUnreachable
from orchestration.progress import Line, Report
from orchestration.settings import EltSettings
from orchestration.source.deadline import Deadline

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")

RunType = Literal["daily", "backfill"]
"""A backfill has no hurry: it tries more often, and waits longer each time."""


@dataclass(frozen=True)
class Patience:
    """How often and how long.

    Attributes:
        retries: Further tries.
        wait: Seconds before the first of them, and before each where it does not grow.
        longest: The longest Retry-After that is obeyed, and the longest wait, in seconds.
        grows: Each wait is twice the one before, give or take a half, so that many dates do not knock at once.
    """

    retries: int
    wait: float
    longest: float
    grows: bool = False

    def seconds(self, attempt: int) -> float:
        """How long to wait after an attempt, the first being 1."""
        if not self.grows:
            return self.wait
        doubled: float = self.wait * 2 ** (attempt - 1)
        return min(doubled * random.uniform(0.5, 1.5), self.longest)  # noqa: S311


def patience(elt: EltSettings, run_type: RunType) -> Patience:
    """What the settings say for a daily run; a backfill has no hurry, and asks twice as often, ever later."""
    backfill = run_type == "backfill"
    return Patience(elt.retries * (2 if backfill else 1), elt.retry_wait, elt.retry_after_limit, grows=backfill)


def patiently(
    patience: Patience, report: Report, call: Callable[..., T], *args: Any, deadline: Deadline | None = None
) -> T:
    """Call again after SourceUnreachable and SourceBusy.

    A Retry-After is waited for instead, unless it is longer than the longest wait.

    Raises:
        SourceTimedOut: The next try would begin after the deadline.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    def is_passing(error: BaseException) -> bool:
        if isinstance(error, SourceBusy) and (error.retry_after or 0.0) > patience.longest:
            return False
        return isinstance(error, SourceUnreachable | SourceBusy)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, SourceBusy) else None
        seconds = patience.seconds(state.attempt_number) if asked is None else asked
        if deadline is not None and seconds >= deadline.left:
            raise deadline.error(f"{error}; the next try would be in {seconds:.0f} s") from error
        return seconds

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0.0
        told = f"try {state.attempt_number} of {patience.retries + 1}: {error}; again in {seconds:.0f} s"
        report(Line(told, logging.WARNING))

    tries = Retrying(
        retry=retry_if_exception(is_passing),
        stop=stop_after_attempt(patience.retries + 1),
        wait=wait,
        before_sleep=say,
        reraise=True,
    )
    try:
        return tries(call, *args)
    except (SourceUnreachable, SourceBusy) as error:
        made = f" (tries: {tries.statistics['attempt_number']})"
        if isinstance(error, SourceBusy) and (asked := error.retry_after or 0.0) > patience.longest:
            remedy = "run again by then, or raise ELT_RETRY_AFTER_LIMIT"
            if error.remedy:
                remedy = f"{remedy}; otherwise {error.remedy}"
            raise error.extended(f" and asks to wait {asked:.0f} s{made}", remedy=remedy) from error
        raise error.extended(made) from error
