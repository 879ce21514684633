"""Files of the servers: private, written whole, locked, and the end of a log."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestration.servers import files
from tests.helpers.local_servers import (
    mode,
)


def test_private_files_are_private_with_any_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.write_private(tmp_path / "deep" / "keys.json", {"a": 1})
    finally:
        os.umask(before)
    assert mode(tmp_path / "deep" / "keys.json") == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    files.write_private(tmp_path / "keys.json", {"a": 1})
    with pytest.raises(TypeError):
        files.write_private(tmp_path / "keys.json", {"a": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]
    assert json.loads((tmp_path / "keys.json").read_text()) == {"a": 1}


def test_a_second_lock_waits_and_reports_it(tmp_path: Path) -> None:
    events: list[str] = []
    held, waiting = threading.Event(), threading.Event()

    def first() -> None:
        with files.locked(tmp_path / "lock", lambda: events.append("first waits")):
            held.set()
            waiting.wait(10)
            events.append("first done")

    def second() -> None:
        held.wait(10)
        with files.locked(tmp_path / "lock", waiting.set):
            events.append("second in")

    with ThreadPoolExecutor(2) as pool:
        for task in [pool.submit(first), pool.submit(second)]:
            task.result(20)
    assert events == ["first done", "second in"]


def test_the_end_of_a_log_is_short_and_there_is_always_something_to_show(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    assert "nothing was logged" in files.last_lines(log)
    log.write_bytes(b"x" * 100_000 + b"\n\xff last but one\nlast\n")
    assert files.last_lines(log, 2) == "  \N{REPLACEMENT CHARACTER} last but one\n  last"
