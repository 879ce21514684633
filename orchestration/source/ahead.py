"""Download several pages at once whose requests are known in advance, and hand them out in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import Self

from orchestration.source.address import Request
from orchestration.source.page import Download

Fetch = Callable[[Request, int], Download]
"""Downloads the page with this number."""


class Ahead:
    """Pages that are being downloaded before it is their turn.

    Errors are raised when it is the turn of the page that failed, so the first in order is the one that counts. Leaving
    the context stops what still runs, and waits for it.
    """

    def __init__(self, width: int, fetch: Fetch, stop: Event) -> None:
        self._width, self._fetch, self._stop = width, fetch, stop
        self._planned: Iterator[tuple[Request, int]] = iter(())
        self._waiting: deque[tuple[object, Future[Download]]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._waiting:
            self._stop.set()
        for waiting in self._waiting:
            waiting[1].cancel()
        self._stack.close()

    def plan(self, planned: Iterator[tuple[Request, int]]) -> None:
        """Download these requests from now on, with their page numbers, at most twice `width` before their turn."""
        if self._width > 1 and self._pool is None:
            self._pool = self._stack.enter_context(ThreadPoolExecutor(self._width, "page"))
            self._planned = planned
            self._fill()

    def take(self, request: Request, number: int) -> Download:
        """Return the page of a request, which is downloaded now unless it was planned."""
        if self._waiting and self._waiting[0][0] == request.identity:
            found = self._waiting.popleft()[1]
            try:
                return found.result()
            finally:
                if not found.exception():
                    self._fill()
        return self._fetch(request, number)

    def _fill(self) -> None:
        while self._pool and len(self._waiting) < 2 * self._width:
            following = next(self._planned, None)
            if following is None:
                return
            request, number = following
            self._waiting.append((request.identity, self._pool.submit(self._fetch, request, number)))
