"""Deadlines for fetching one table and each of its pages.

They limit waits and reads, also from a server that sends a byte at a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from threading import Event
from typing import TYPE_CHECKING, Any

from orchestration.errors import IngestCleanError, SourceTimedOut, SourceUnreachable

if TYPE_CHECKING:
    import httpx

_SLICE = 0.5
"""Seconds that a read waits at most before it looks whether the fetch was stopped."""


@dataclass(frozen=True)
class Deadline:
    """The time by which a fetch must be complete.

    Attributes:
        label: What is fetched, as named in messages.
        seconds: The time limit for the whole fetch.
        at: The deadline on the monotonic clock, in seconds.
        page_seconds: The time limit for the current page; None outside of one.
        page_at: The deadline of the current page.
        stop: Set when another page failed, so that this one is not needed.
    """

    label: str
    seconds: float
    at: float
    page_seconds: float | None = None
    page_at: float = float("inf")
    stop: Event = field(default_factory=Event)

    @property
    def left(self) -> float:
        """Return the seconds until the deadline; negative after it."""
        return -1.0 if self.stop.is_set() else min(self.at, self.page_at) - time.monotonic()

    def error(self, doing: str) -> IngestCleanError:
        """Return the error for a fetch that missed the deadline; `doing` describes what it was waiting for."""
        if self.page_seconds is not None and self.page_at < self.at and not self.stop.is_set():
            return SourceUnreachable(
                f"a page of {self.label} was not fetched within {self.page_seconds:g} s: {doing}",
                remedy="check why the API is slow, request smaller pages, or raise ELT_PAGE_TIMEOUT",
            )
        return SourceTimedOut(
            f"{self.label} was not fetched within {self.seconds:g} s: {doing}",
            remedy="check why the API is slow, or raise ELT_FETCH_TIMEOUT",
        )

    def for_page(self, seconds: float) -> Deadline:
        """Return the deadline of a page whose download starts now. It never exceeds that of the table."""
        return replace(self, page_seconds=seconds, page_at=time.monotonic() + seconds)

    def limited(self, timeout: httpx.Timeout) -> httpx.Timeout:
        """Return a request's timeouts, each cut to the time that is left.

        Raises:
            SourceTimedOut: The deadline has passed.
        """
        import httpx

        left = self.left
        if left <= 0:
            raise self.error("another page was expected")
        return httpx.Timeout(**{name: left if of is None else min(of, left) for name, of in timeout.as_dict().items()})

    def sleep(self, seconds: float) -> None:
        """Wait. A fetch that is stopped waits no longer."""
        if self.stop.is_set():
            return
        if seconds <= _SLICE:
            time.sleep(seconds)
        else:
            self.stop.wait(seconds)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Limit all reads of this thread in the block, on connections that `watch` has seen."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)


_CURRENT: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


def watch(event: str, info: Mapping[str, Any]) -> None:
    """Limit every read of a new connection to the time that is left. Used as httpx's `trace` extension.

    An httpx read timeout applies to a single read, so a server that sends one byte per second would never time out.
    """
    import httpcore

    if not event.endswith((".connect_tcp.complete", ".start_tls.complete")):
        return
    stream = info["return_value"]
    read = stream.read

    def limited(max_bytes: int, timeout: float | None = None) -> bytes:
        deadline, until = _CURRENT.get(), float("inf") if timeout is None else time.monotonic() + timeout
        while deadline is not None:
            left = deadline.left
            if left <= 0:
                raise deadline.error("the API was still sending")
            wait = min(left, until - time.monotonic())
            try:
                found: bytes = read(max_bytes, max(0.001, min(wait, _SLICE)))
            except httpcore.ReadTimeout:
                if wait <= _SLICE:
                    raise
            else:
                return found
        whole: bytes = read(max_bytes, timeout)
        return whole

    stream.read = limited


def deadline_after(label: str, seconds: float) -> Deadline:
    """Return the deadline of a fetch that starts now."""
    return Deadline(label, seconds, time.monotonic() + seconds)
