"""Every error: one cause, printable, of bounded length."""

from __future__ import annotations

import pytest

from orchestration.errors import DataFailed, IngestCleanError, SourceBodyInvalid, SourceBusy, UsageError, error_class
from orchestration.text import TEXT_LIMIT


def test_the_cause_is_the_text_of_the_error() -> None:
    error = SourceBusy("answered 429", retry_after=5, remedy="wait")
    longer = error.extended(" (tries: 2)", remedy="wait longer")
    assert str(longer) == longer.cause == "answered 429 (tries: 2)"
    assert (longer.remedy, longer.retry_after, type(longer)) == ("wait longer", 5, SourceBusy)
    assert str(error) == error.cause == "answered 429"
    assert error.remedy == "wait"
    assert error.extended("!").remedy == "wait"


@pytest.mark.parametrize("kind", [UsageError, DataFailed, SourceBodyInvalid])
def test_an_error_of_any_length_leaves_the_process_short(kind: type[IngestCleanError]) -> None:
    error = kind("page-00001.json: only " + "'\x1b]0;x\x07', " * 1_500_000, remedy="y\x9b" * 1_000_000)
    for text in (str(error), error.cause, error.describe()):
        assert len(text) < 2 * TEXT_LIMIT + 300
        assert "\x1b" not in text
        assert "\x9b" not in text
        assert "(cut, 15,000,022 characters in all)" in text


def test_a_line_of_the_cause_does_not_become_a_line_of_the_error() -> None:
    error = DataFailed("events: a\nmain: published\nnext: rm -rf /", remedy="elt status")
    error.main = "untouched"
    assert error.describe().splitlines() == [
        "events: a",
        "  main: published",
        "  next: rm -rf /",
        "main: untouched",
        "next: elt status",
    ]


def test_every_outcome_has_a_class() -> None:
    assert [error_class(name).exit_code for name in ("DataFailed", "GateRefused", "Cancelled", "Crashed")] == [
        3,
        5,
        130,
        5,
    ]
