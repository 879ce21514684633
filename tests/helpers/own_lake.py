"""A separate lakeFS that a test may crash, and `elt run` as a process that a test may signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.connection import LakeConnection
from orchestration.lake.setup import ensure_gate, ensure_repository, set_protection_rules
from orchestration.log import SILENT
from orchestration.servers import lakefs, process
from orchestration.servers.background import LocalServer
from orchestration.servers.local import lake_access
from orchestration.servers.model import ServerSpec
from orchestration.settings import PROJECT_DIR, EltSettings, LakeSettings, read_settings
from tests.helpers.elt_runs import ELT, LIMIT, Ended
from tests.helpers.isolation import ENVIRONMENT

INTERRUPTIBLE = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {ELT}"
"""Enables SIGINT: a shell ignores it for background processes and their children, which this suite may be."""


def own_server(kind: ServerSpec, state: Path) -> LocalServer:
    """Returns a server with its own state folder, not started."""
    elt = EltSettings(state_dir=state)
    return LocalServer(kind, replace(read_settings(), project_dir=PROJECT_DIR, elt=elt, lake=LakeSettings()))


def kill(server: LocalServer) -> None:
    """Sends SIGKILL, and waits for the end of the process."""
    running = process.running(server.pid_file)
    assert running
    os.kill(running.pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)


class OwnLake:
    """A running lakeFS; after a crash it restarts at the same address with the same data."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self._pool = ThreadPoolExecutor(1)
        self._restart: Future[None] | None = None
        self.start()

    @property
    def access(self) -> LakeAccess:
        """Returns its address and keys."""
        return lake_access(self.server.settings)

    def start(self) -> None:
        """Starts it, and waits until it responds."""
        self.server.start(SILENT)
        self.server.wait(SILENT)

    def crash(self) -> None:
        """Kills it, and restarts it in the background."""
        kill(self.server)
        self._restart = self._pool.submit(self.start)

    def wait_for_restart(self) -> None:
        """Waits for the restart after a crash."""
        assert self._restart
        self._restart.result()

    def stop(self) -> None:
        """Stops it, without a restart."""
        self._pool.shutdown()
        self.server.stop(SILENT)


@contextmanager
def own_lake(state: Path, kind: ServerSpec = lakefs.SPEC) -> Iterator[OwnLake]:
    """Runs a separate lakeFS."""
    lake = OwnLake(own_server(kind, state))
    try:
        yield lake
    finally:
        lake.stop()


def variables_of(access: LakeAccess) -> dict[str, str]:
    """Return the variables that lead a process to a lakeFS."""
    return {
        "LAKEFS_ENDPOINT": access.endpoint,
        "LAKEFS_ACCESS_KEY": access.access_key.get_secret_value(),
        "LAKEFS_SECRET_KEY": access.secret_key.get_secret_value(),
    }


def note_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that names, from now on, each key that is read from a lake."""
    read: list[str] = []
    really = Lake.read

    def noted(lake: Lake, ref: str, key: str) -> bytes | None:
        read.append(key)
        return really(lake, ref, key)

    monkeypatch.setattr(Lake, "read", noted)
    return read


@contextmanager
def repository_of(access: LakeAccess, name: str) -> Iterator[Lake]:
    """Creates a repository with gate and protection, without waiting until lakeFS has loaded the hooks."""
    lake = Lake(LakeConnection(access, timeout=30), name)
    try:
        ensure_repository(lake, "lakefs", SILENT)
        ensure_gate(lake, SILENT)
        set_protection_rules(lake, [MAIN])
        yield lake
    finally:
        lake.connection.close()


@contextmanager
def elt(
    *arguments: str, folder: Path, environment: Mapping[str, str], within: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """Runs `elt` as a process in a folder; `within` is a command that wraps it."""
    (folder / "home").mkdir(exist_ok=True)
    base = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "DO_NOT_TRACK": "1"}
    with subprocess.Popen(
        [*within, sys.executable, "-c", INTERRUPTIBLE, *arguments, "--json"],
        env={**base, **ENVIRONMENT, **environment},
        cwd=folder,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def end_of(running: subprocess.Popen[str], execution_date: str) -> Ended:
    """Waits for a process of `elt run`, and returns how it ended."""
    out, err = running.communicate(timeout=LIMIT)
    return Ended(execution_date, "", running.returncode, out, err)
