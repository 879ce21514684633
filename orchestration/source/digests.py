"""Digests of a page, computed while it arrives."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

_AHEAD = 8
"""Pieces of a page, of 1 MB at most, that may wait for the slower digest."""


class Digests:
    """SHA-256 and MD5 of the pieces given to `update`.

    MD5 takes half of the time of a fetch from a fast source, so a thread computes it.
    """

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="md5")
        self._waiting: deque[Future[None]] = deque()

    def update(self, piece: bytes) -> None:
        """Add a piece, which must not change afterwards."""
        self._waiting.append(self._thread.submit(self._md5.update, piece))
        self._sha256.update(piece)
        self._wait(_AHEAD)

    @property
    def sha256(self) -> str:
        """Return the SHA-256 in hex, which the receipt records."""
        return self._sha256.hexdigest()

    @property
    def md5(self) -> str:
        """Return the MD5 in hex, which lakeFS calls the checksum."""
        self._wait(0)
        return self._md5.hexdigest()

    def _wait(self, at_most: int) -> None:
        while len(self._waiting) > at_most:
            self._waiting.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._thread.shutdown(cancel_futures=True)
