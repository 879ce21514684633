"""Digests that are computed while a page arrives."""

from __future__ import annotations

import hashlib
import threading

import pytest

from orchestration.source.digests import Digests


@pytest.mark.parametrize("pieces", [[], [b""], [b"a"], [bytes([number]) * 70_000 for number in range(50)]])
def test_they_are_those_of_all_pieces_in_order(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    with Digests() as digests:
        for piece in pieces:
            digests.update(piece)
        assert digests.sha256 == hashlib.sha256(body).hexdigest()
        assert digests.md5 == hashlib.md5(body, usedforsecurity=False).hexdigest()


def test_no_thread_is_left_after_a_failed_page() -> None:
    before = threading.active_count()

    def cut_off() -> None:
        with Digests() as digests:
            for _ in range(20):
                digests.update(b"a" * 100_000)
            raise OSError("cut off")

    with pytest.raises(OSError, match="cut off"):
        cut_off()
    assert threading.active_count() == before
