"""How checks are carried out: in order, each with a time limit, and not if one that they need has failed."""

from __future__ import annotations

from threading import Event

import pytest

from orchestration.doctor.checks import Check, Result, carry_out, ok, warning
from orchestration.errors import PlatformFailed


def refuse() -> Result:
    raise PlatformFailed("it is down", remedy="start it")


def test_a_check_that_needs_a_failed_one_is_not_carried_out_and_has_its_remedy() -> None:
    found = carry_out(
        [
            Check("server", refuse),
            Check("keys", lambda: ok("accepted"), ("server",)),
            Check("gate", lambda: ok("there"), ("keys",)),
            Check("disk", lambda: ok("free")),
        ]
    )

    assert [(one.check, one.state, one.seen, one.remedy) for one in found] == [
        ("server", "failed", "it is down", "start it"),
        ("keys", "not checked", "server failed", "start it"),
        ("gate", "not checked", "keys was not checked", "start it"),
        ("disk", "ok", "free", ""),
    ]


def test_a_check_that_needs_one_with_a_warning_is_carried_out() -> None:
    found = carry_out([Check("login", lambda: warning("open", "close it")), Check("pool", lambda: ok("x"), ("login",))])

    assert [one.state for one in found] == ["warning", "ok"]


def test_an_unexpected_error_fails_its_check_only() -> None:
    def broken() -> Result:
        raise ValueError("no\nsuch key")

    first, second = carry_out([Check("a", broken), Check("b", lambda: ok("fine"))])

    assert (first.state, first.seen) == ("failed", r"ValueError: no\nsuch key")
    assert first.remedy
    assert second.state == "ok"


def test_a_check_that_hangs_ends_at_its_limit_and_the_next_one_follows() -> None:
    released = Event()

    def hang() -> Result:
        released.wait()
        return ok("too late")

    try:
        first, second = carry_out([Check("a", hang, limit=0.05), Check("b", lambda: ok("fine"))])
    finally:
        released.set()

    assert (first.state, first.seen) == ("failed", "no result after 0.05 s")
    assert second.state == "ok"


@pytest.mark.parametrize("length", [10, 5_000])
def test_what_was_seen_is_one_line_of_limited_length(length: int) -> None:
    (found,) = carry_out([Check("a", lambda: ok("\x1b" + "x" * length))])

    assert found.seen.startswith("\\x1b")
    assert len(found.seen) < 1_000
