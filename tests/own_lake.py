"""A lakeFS of a test module's own, which may crash, and `elt run` as a process that may be signalled."""

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

from orchestration.lake import MAIN, Lake
from orchestration.lake_connection import LakeConnection
from orchestration.lake_setup import _ensure_gate, _ensure_repository, _set_rules
from orchestration.progress import silent
from orchestration.servers import lakefs, process
from orchestration.servers.background import LocalServer
from orchestration.servers.local import LakeAccess, lake_access
from orchestration.servers.model import Kind
from orchestration.settings import PROJECT_DIR, EltSettings, LakeSettings, read_settings
from tests.elt_runs import ELT, LIMIT, Ended
from tests.matrix import Bench
from tests.pipeline import Ended as Told
from tests.pipeline import publications_of, require_whole


def own_server(kind: Kind, state: Path) -> LocalServer:
    """A server with a state folder of its own, not started."""
    return LocalServer(kind, replace(read_settings(), elt=EltSettings(state_dir=state), lake=LakeSettings()))


def kill(server: LocalServer) -> None:
    """SIGKILL; returns once it is dead."""
    running = process.running(server.pid_file)
    assert running
    os.kill(running.pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)


class OwnLake:
    """A lakeFS that is up; it comes back from a crash at the same address, with what it held."""

    def __init__(self, server: LocalServer) -> None:
        self.server = server
        self._pool = ThreadPoolExecutor(1)
        self._return: Future[None] | None = None
        self.start()

    @property
    def access(self) -> LakeAccess:
        """Its address and keys."""
        return lake_access(self.server.settings)

    def start(self) -> None:
        """Starts it; returns once it answers."""
        self.server.start(silent)
        self.server.wait(silent)

    def crash(self) -> None:
        """Kills it, and starts it again meanwhile."""
        kill(self.server)
        self._return = self._pool.submit(self.start)

    def returned(self) -> None:
        """Waits for the start after a crash."""
        assert self._return
        self._return.result()

    def stop(self) -> None:
        """Stops it for good."""
        self._pool.shutdown()
        self.server.stop(silent)


@contextmanager
def own_lake(state: Path, kind: Kind = lakefs.KIND) -> Iterator[OwnLake]:
    """A lakeFS of one's own."""
    lake = OwnLake(own_server(kind, state))
    try:
        yield lake
    finally:
        lake.stop()


@contextmanager
def repository_of(access: LakeAccess, name: str) -> Iterator[Lake]:
    """A new repository with gate and protection; nobody waits until hooks that name a branch are seen."""
    lake = Lake(LakeConnection(access, timeout=30), name)
    try:
        _ensure_repository(lake, "lakefs", silent)
        _ensure_gate(lake, PROJECT_DIR, silent)
        _set_rules(lake, [MAIN])
        yield lake
    finally:
        lake.connection.close()


def require_healed(bench: Bench, execution_date: str, first: Told) -> None:
    """Holds what a run left against the promises, and runs its date again.

    Raises:
        AssertionError: `main` has a part of the date or not what the run said, or running again did not mend it.
    """
    published = require_whole(bench.lake, execution_date)
    assert first.well or first.outcome in ("PlatformFailed", "killed"), first
    assert published or not first.well, first
    assert not published or first.main != "untouched", first
    require_published_once(bench, execution_date, "unchanged" if published else "published")


def require_published_once(bench: Bench, execution_date: str, outcome: str = "published") -> None:
    """Runs a date again.

    Raises:
        AssertionError: It does not end with this outcome, or the date was not published exactly once.
    """
    again = bench.pipeline.run(execution_date)
    assert again.outcome == outcome, again
    assert require_whole(bench.lake, execution_date)
    assert publications_of(bench.lake, execution_date) == 1


@contextmanager
def elt(
    *arguments: str, folder: Path, environment: Mapping[str, str], within: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A process of `elt` in a folder that takes what it writes; `within` is the command that runs it."""
    (folder / "home").mkdir(exist_ok=True)
    ours = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "DO_NOT_TRACK": "1"}
    with subprocess.Popen(
        [*within, sys.executable, "-c", ELT, *arguments, "--json"],
        env={**ours, **environment},
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
    """How a process of `elt run` ended."""
    out, err = running.communicate(timeout=LIMIT)
    return Ended(execution_date, "", running.returncode, out, err)
