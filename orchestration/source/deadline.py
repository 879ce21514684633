"""Deadline for fetching one table. It limits waits and reads, also from a server that sends a byte at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.errors import SourceTimedOut

if TYPE_CHECKING:
    import httpx


@dataclass(frozen=True)
class Deadline:
    """The time by which a fetch must be complete.

    Attributes:
        label: What is fetched, as named in messages.
        seconds: The time limit for the whole fetch.
        at: The deadline on the monotonic clock, in seconds.
    """

    label: str
    seconds: float
    at: float

    @property
    def left(self) -> float:
        """Return the seconds until the deadline; negative after it."""
        return self.at - time.monotonic()

    def error(self, doing: str) -> SourceTimedOut:
        """Return the error for a fetch that missed the deadline; `doing` describes what it was waiting for."""
        return SourceTimedOut(
            f"{self.label} was not fetched within {self.seconds:g} s: {doing}",
            remedy="check why the API is slow, or raise ELT_FETCH_TIMEOUT",
        )

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

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Limit every read of a new connection to the time that is left. Used as httpx's `trace` extension.

        An httpx read timeout applies to a single read, so a server that sends one byte per second would never time out.
        """
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            stream = info["return_value"]
            read = stream.read

            def limited(max_bytes: int, timeout: float | None = None) -> bytes:
                left = self.left
                if left <= 0:
                    raise self.error("the API was still sending")
                found: bytes = read(max_bytes, left if timeout is None else min(timeout, left))
                return found

            stream.read = limited


def deadline_after(label: str, seconds: float) -> Deadline:
    """Return the deadline of a fetch that starts now."""
    return Deadline(label, seconds, time.monotonic() + seconds)
