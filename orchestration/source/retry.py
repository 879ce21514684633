"""Retry policy for source requests: repeat after transport errors and 5xx, honour Retry-After."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from orchestration.errors import SourceBusy, SourceUnreachable
from orchestration.log import Log
from orchestration.settings import EltSettings
from orchestration.source.deadline import Deadline

if TYPE_CHECKING:
    from tenacity import RetryCallState
    from tenacity.wait import wait_base

T = TypeVar("T")

RunType = Literal["daily", "backfill"]
"""A backfill tries more often and waits longer before each try."""


@dataclass(frozen=True)
class RetryPolicy:
    """How often a request is repeated, and after which wait.

    Attributes:
        retries: Further tries after the first.
        wait: Seconds before each try; with exponential backoff, seconds before the first.
        max_wait: The longest wait and the longest Retry-After that is honoured, in seconds.
        exponential: Double each wait, plus up to `wait` seconds of jitter, so that parallel backfill dates do not retry
            at the same moment.
    """

    retries: int
    wait: float
    max_wait: float
    exponential: bool = False

    def backoff(self) -> wait_base:
        """Return tenacity's strategy for the wait between two tries."""
        from tenacity import wait_exponential_jitter, wait_fixed

        if self.exponential:
            return wait_exponential_jitter(multiplier=self.wait, max=self.max_wait, jitter=self.wait)
        return wait_fixed(self.wait)


def retry_policy(elt: EltSettings, run_type: RunType) -> RetryPolicy:
    """Return the configured retry policy. A backfill gets twice the retries and exponential backoff."""
    backfill = run_type == "backfill"
    return RetryPolicy(elt.retries * (2 if backfill else 1), elt.retry_wait, elt.retry_after_limit, backfill)


def call_with_retry(
    policy: RetryPolicy, log: Log, call: Callable[..., T], *args: Any, deadline: Deadline | None = None
) -> T:
    """Return the result of `call`, which is repeated after SourceUnreachable and SourceBusy.

    A Retry-After replaces the policy's wait. One longer than `max_wait` ends the retries.

    Raises:
        SourceTimedOut: The next try would start after the deadline.
        SourceUnreachable: The last try failed so.
        SourceBusy: The last try failed so, or the API asks for a longer wait than `max_wait`.
    """
    from tenacity import Retrying, nap, retry_if_exception, stop_after_attempt

    def is_transient(error: BaseException) -> bool:
        if isinstance(error, SourceBusy) and (error.retry_after or 0.0) > policy.max_wait:
            return False
        return isinstance(error, SourceUnreachable | SourceBusy)

    backoff = policy.backoff()

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, SourceBusy) else None
        seconds = backoff(state) if asked is None else asked
        if deadline is not None and seconds >= deadline.left:
            raise deadline.error(f"{error}; the next retry would be in {seconds:.0f} s") from error
        return seconds

    def report_retry(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0.0
        line = f"try {state.attempt_number} of {policy.retries + 1}: {error}; retrying in {seconds:.0f} s"
        log.warning(line)

    tries = Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_attempt(policy.retries + 1),
        wait=wait,
        before_sleep=report_retry,
        reraise=True,
        sleep=deadline.sleep if deadline else nap.sleep,
    )
    try:
        return tries(call, *args)
    except (SourceUnreachable, SourceBusy) as error:
        made = f" (tries: {tries.statistics['attempt_number']})"
        if isinstance(error, SourceBusy) and (asked := error.retry_after or 0.0) > policy.max_wait:
            remedy = "run again after that, or raise ELT_RETRY_AFTER_LIMIT"
            if error.remedy:
                remedy = f"{remedy}; or {error.remedy}"
            raise error.extended(f" and asks to wait {asked:.0f} s{made}", remedy=remedy) from error
        raise error.extended(made) from error
