"""How a server's process is started, found again and stopped."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import psutil
import pytest

from orchestration.errors import ServerFailed
from orchestration.servers import files, process
from tests.helpers.local_servers import (
    children,
    listener,
    mode,
    start,
)


def test_dead_children_of_earlier_tests_are_ignored(tmp_path: Path) -> None:
    dead = start(["true"], tmp_path)
    deadline = time.monotonic() + 10
    while psutil.Process(dead.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
    assert ["true"] not in children()
    os.waitpid(dead.pid, 0)


def test_a_started_process_is_detached_logged_and_known_by_a_private_pid_file(tmp_path: Path) -> None:
    started = start(["sh", "-c", "echo hello; exec sleep 60"], tmp_path)
    try:
        assert process.running(tmp_path / "run" / "server.json") == started
        assert os.getsid(started.pid) == started.pid
        assert mode(tmp_path / "run" / "server.json") == 0o600
        assert mode(tmp_path / "server.log") == 0o600
    finally:
        process.stop(started, 5)
    assert process.running(tmp_path / "run" / "server.json") is None
    assert process.read(tmp_path / "run" / "server.json") == started


def test_a_reused_pid_is_neither_running_nor_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "run" / "server.json"
    started = start(["sleep", "60"], tmp_path)
    try:
        earlier = process.Process(started.pid, started.created - 10, started.port, started.url)
        files.write_private(pid_file, {**json.loads(pid_file.read_text()), "created": earlier.created})
        assert process.running(pid_file) is None
        process.stop(earlier, 1)
        assert psutil.Process(started.pid).status() != psutil.STATUS_ZOMBIE
    finally:
        process.stop(started, 5)


def test_a_zombie_process_is_not_running(tmp_path: Path) -> None:
    started = start(["true"], tmp_path)
    deadline = time.monotonic() + 10
    while psutil.Process(started.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
    assert process.running(tmp_path / "run" / "server.json") is None
    assert os.waitpid(started.pid, 0)[0] == started.pid


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '"x"'])
def test_a_damaged_pid_file_names_no_process(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.json").write_text(content)
    assert process.read(tmp_path / "server.json") is None


def test_a_pid_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=re.escape(f"cannot read {tmp_path}")):
        process.read(tmp_path)


def test_stopping_includes_children(tmp_path: Path) -> None:
    started = start(["sh", "-c", "sleep 60 & wait"], tmp_path)
    deadline = time.monotonic() + 10
    while not (children := psutil.Process(started.pid).children()):
        assert time.monotonic() < deadline
    process.stop(started, 0.2)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_a_process_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    started = start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], tmp_path)
    deadline = time.monotonic() + 10
    while "ready" not in (tmp_path / "server.log").read_text():
        assert time.monotonic() < deadline
    process.stop(started, 0.3)
    assert process.running(tmp_path / "run" / "server.json") is None


def test_stopping_a_stopped_process_succeeds(tmp_path: Path) -> None:
    started = start(["sleep", "60"], tmp_path)
    process.stop(started, 5)
    process.stop(started, 5)
    assert process.running(tmp_path / "run" / "server.json") is None


def test_the_log_of_the_previous_start_is_kept(tmp_path: Path) -> None:
    process.stop(start(["sh", "-c", "echo first; exec sleep 60"], tmp_path), 5)
    (tmp_path / "server.log").write_text("first\n")
    process.stop(start(["sleep", "60"], tmp_path), 5)
    assert (tmp_path / "server.log.old").read_text() == "first\n"
    assert "first" not in (tmp_path / "server.log").read_text()


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"cannot run /nowhere/lakefs"):
        start(["/nowhere/lakefs"], tmp_path)


def test_a_process_is_not_left_behind_without_a_pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(process, "write_private", full)
    with pytest.raises(OSError, match="no space"):
        start(["sleep", "61.25"], tmp_path)
    assert ["sleep", "61.25"] not in children()


def test_only_the_process_itself_or_a_child_listens_on_its_port(tmp_path: Path) -> None:
    with listener() as port:
        this = psutil.Process()
        own = process.Process(this.pid, process._created(this), port, "")
        assert process.listens(own)
        started = start(["sleep", "60"], tmp_path, port)
        try:
            assert not process.listens(started)
        finally:
            process.stop(started, 5)
    assert not process.listens(started)
