"""The form of progress lines."""

from __future__ import annotations

import logging

from orchestration.log import SILENT, log_to


def test_a_warning_begins_with_its_level_and_progress_does_not() -> None:
    lines: list[str] = []
    log = log_to(lines.append)

    log.debug("unseen")
    log.info("land: 3 pages, 100 % of them")
    log.warning("a field is new")
    log.log(logging.ERROR, "gone")

    assert lines == ["land: 3 pages, 100 % of them", "warning: a field is new", "error: gone"]


def test_two_loggers_do_not_share_their_lines() -> None:
    first: list[str] = []
    second: list[str] = []
    log, other = log_to(first.append), log_to(second.append)

    log.info("a")
    other.info("b")

    assert (first, second) == (["a"], ["b"])


def test_the_silent_log_drops_everything() -> None:
    assert not SILENT.isEnabledFor(logging.CRITICAL)
