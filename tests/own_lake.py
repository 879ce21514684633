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
from tests.elt_runs import ELT, LIMIT, Ended
from tests.isolation import ENVIRONMENT

INTERRUPTIBLE = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {ELT}"
"""What a shell runs in the background does not hear SIGINT, nor do its children: this suite may be such a one."""


def own_server(spec: ServerSpec, state: Path) -> LocalServer:
    """A server with a state folder of its own, not started."""
    return LocalServer(spec, replace(read_settings(), elt=EltSettings(state_dir=state), lake=LakeSettings()))


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
        self.server.start(SILENT)
        self.server.wait(SILENT)

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
        self.server.stop(SILENT)


@contextmanager
def own_lake(state: Path, spec: ServerSpec = lakefs.SPEC) -> Iterator[OwnLake]:
    """A lakeFS of one's own."""
    lake = OwnLake(own_server(spec, state))
    try:
        yield lake
    finally:
        lake.stop()


@contextmanager
def repository_of(access: LakeAccess, name: str) -> Iterator[Lake]:
    """A new repository with gate and protection; nobody waits until hooks that name a branch are seen."""
    lake = Lake(LakeConnection(access, timeout=30), name)
    try:
        ensure_repository(lake, "lakefs", SILENT)
        ensure_gate(lake, PROJECT_DIR, SILENT)
        set_protection_rules(lake, [MAIN])
        yield lake
    finally:
        lake.connection.close()


@contextmanager
def elt(
    *arguments: str, folder: Path, environment: Mapping[str, str], within: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A process of `elt` in a folder that takes what it writes; `within` is the command that runs it."""
    (folder / "home").mkdir(exist_ok=True)
    ours = {"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "DO_NOT_TRACK": "1"}
    with subprocess.Popen(
        [*within, sys.executable, "-c", INTERRUPTIBLE, *arguments, "--json"],
        env={**ours, **ENVIRONMENT, **environment},
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
