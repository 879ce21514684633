"""Processes forked from one that has imported dbt and Prefect: the imports take longer than most of what tests run."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

_IMPORTED = (
    *("orchestration.cli.app", "orchestration.dbt_runner.plugin", "orchestration.flows.ingest"),
    *("orchestration.flows.marts", "orchestration.flows.report"),
    *("dbt.adapters.duckdb.impl", "dbt.cli.main", "duckdb", "httpx", "lakefs_sdk", "prefect_dbt", "tenacity"),
)


@cache
def warm() -> ForkServerContext:
    """Return the context of this process's fork server. It has one list of modules, so it is set in one place."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_IMPORTED))
    return context


class Forked:
    """A process that calls a function, in a folder, with an environment of its own and its output in two files."""

    def __init__(
        self, call: Callable[[], object], *, folder: Path, environment: Mapping[str, str], out: Path, err: Path
    ) -> None:
        """Start it. `call` must be picklable; `out` and `err` may be the same file."""
        self._out, self._err = out, err
        self._process: ForkServerProcess = warm().Process(
            target=_called, args=(call, folder, dict(environment), out, err)
        )
        self._process.start()

    @property
    def out(self) -> str:
        """Return its standard output so far."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    @property
    def err(self) -> str:
        """Return its standard error so far."""
        return self._err.read_text(encoding="utf-8", errors="replace")

    def wait(self, limit: float) -> int:
        """Wait for its end, and return the exit code.

        Raises:
            TimeoutError: It did not end within `limit` seconds; it is killed.
        """
        self._process.join(limit)
        if self._process.exitcode is None:
            self.kill()
            raise TimeoutError(f"it took more than {limit:.0f} s: {self.err[-2000:]}")
        return self._process.exitcode

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        self._process.kill()
        self._process.join()


def _called(call: Callable[[], object], folder: Path, environment: Mapping[str, str], out: Path, err: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    _read_settings_again()
    try:
        call()
    finally:
        # multiprocessing ends a process without the functions that modules registered, such as Prefect's last logs.
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(ValueError, OSError):
                stream.flush()


def _read_settings_again() -> None:
    """Let Prefect read its settings from this process's environment: it has read the fork server's at its import."""
    from prefect.context import refresh_global_settings_context
    from prefect.logging.configuration import setup_logging

    refresh_global_settings_context()
    setup_logging()
