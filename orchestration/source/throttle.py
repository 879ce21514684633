"""At most so many requests a second to one source."""

from __future__ import annotations

import time
from threading import Lock

from orchestration.source.deadline import Deadline


class Throttle:
    """Makes requests wait so that they start at least a fixed time apart, whichever thread sends them."""

    def __init__(self, rate: float) -> None:
        self._apart = 1 / rate
        self._next = 0.0
        self._lock = Lock()

    def wait(self, deadline: Deadline) -> None:
        """Wait until the next request may start.

        Raises:
            SourceTimedOut: That would be after the deadline.
        """
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next)
            if at - now >= deadline.left:
                raise deadline.error("its throttle allows no earlier request")
            self._next = at + self._apart
        if at > now:
            deadline.sleep(at - now)
