"""The deadline of one table's fetch: it ends waits, and reads of a server that sends a byte now and then."""

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
    """When a fetch has to be complete.

    Attributes:
        label: What is fetched, as messages name it.
        seconds: How long it may take in total.
        at: When it ends, on the monotonic clock.
    """

    label: str
    seconds: float
    at: float

    @property
    def left(self) -> float:
        """Seconds until the deadline; negative after it."""
        return self.at - time.monotonic()

    def error(self, doing: str) -> SourceTimedOut:
        """The error for a fetch that is not complete in time; `doing` says what it was waiting for."""
        return SourceTimedOut(
            f"{self.label} was not fetched within {self.seconds:g} s: {doing}",
            remedy="check why the API is slow, or raise ELT_FETCH_TIMEOUT",
        )

    def limited(self, timeout: httpx.Timeout) -> httpx.Timeout:
        """Return a request's time-outs, of which none reaches beyond the deadline.

        Raises:
            SourceTimedOut: The deadline has passed.
        """
        import httpx

        left = self.left
        if left <= 0:
            raise self.error("another page was still to come")
        return httpx.Timeout(**{name: left if of is None else min(of, left) for name, of in timeout.as_dict().items()})

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """Limit every read of a new connection to what is left; for httpx's extension `trace`.

        A time-out of httpx is one read's, and a byte a second satisfies it for ever.
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
    """The deadline of a fetch that starts now."""
    return Deadline(label, seconds, time.monotonic() + seconds)
