"""How patiently the source is asked again: while it is out of reach, or as long as it asks to wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from orchestration.errors import SourceBusy, SourceUnreachable
from orchestration.progress import Report
from orchestration.settings import EltSettings

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")


def patiently(elt: EltSettings, report: Report, call: Callable[..., T], *args: Any) -> T:
    """Calls again after SourceUnreachable and SourceBusy, `elt.retries` times, `elt.retry_wait` seconds apart.

    A Retry-After is waited for instead, unless it is longer than `elt.retry_after_limit`.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt

    def is_passing(error: BaseException) -> bool:
        if isinstance(error, SourceBusy) and (error.retry_after or 0.0) > elt.retry_after_limit:
            error.cause += f" and asks to wait {error.retry_after:.0f} s"
            error.remedy = "run again by then, or raise ELT_RETRY_AFTER_LIMIT"
            return False
        return isinstance(error, SourceUnreachable | SourceBusy)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, SourceBusy) else None
        return elt.retry_wait if asked is None else asked

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        seconds = state.next_action.sleep if state.next_action else 0.0
        report(f"try {state.attempt_number} of {elt.retries + 1}: {error}; again in {seconds:.0f} s")

    tries = Retrying(
        retry=retry_if_exception(is_passing),
        stop=stop_after_attempt(elt.retries + 1),
        wait=wait,
        before_sleep=say,
        reraise=True,
    )
    try:
        return tries(call, *args)
    except (SourceUnreachable, SourceBusy) as error:
        error.cause += f" (tries: {tries.statistics['attempt_number']})"
        raise
