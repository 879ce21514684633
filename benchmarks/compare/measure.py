"""Run a command in a new process; measure its wall time and the peak memory of its process tree."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

_SAMPLE_EVERY = 0.05
_LIST_EVERY = 0.5
"""Seconds between lists of the tree. Each one reads all processes of the machine."""


@dataclass(frozen=True)
class Measured:
    """A command that ended.

    Attributes:
        seconds: Its wall time.
        peak: The largest resident memory of its process tree, in bytes; pages that processes share count for each.
        code: Its exit code; negative for a signal.
        output: What it wrote to stdout.
        log: What it wrote to stderr.
    """

    seconds: float
    peak: int
    code: int
    output: str
    log: str


class Peak:
    """The largest value of a number that changes, sampled in a thread until it is stopped."""

    def __init__(self, read: Callable[[], int], every: float = _SAMPLE_EVERY) -> None:
        self._read, self._every = read, every
        self._largest = read()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        """Stop sampling, and return the largest value."""
        self._stopped.set()
        self._thread.join()
        return self._largest

    def _watch(self) -> None:
        while not self._stopped.wait(self._every):
            self._largest = max(self._largest, self._read())


class TreeMemory:
    """Reads the resident memory of a process and its descendants, which it lists now and then."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._tree, self._listed = process_tree(pid), time.monotonic()

    def __call__(self) -> int:
        """Return the bytes."""
        if time.monotonic() - self._listed > _LIST_EVERY:
            self._tree, self._listed = process_tree(self._pid), time.monotonic()
        return resident(self._tree)


def process_tree(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants; empty if it has ended."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.Error:
        return []


def resident(processes: Sequence[psutil.Process]) -> int:
    """Return the resident memory of those of the processes that have not ended, in bytes."""
    total = 0
    for process in processes:
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def measure(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> Measured:
    """Run a command in a folder until it ends."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as log:
        begun = time.monotonic()
        with subprocess.Popen(
            arguments, env=dict(environment), cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=log
        ) as process:
            memory = Peak(TreeMemory(process.pid))
            try:
                code = process.wait()
                seconds = time.monotonic() - begun
            finally:
                peak = memory.stop()
        output.seek(0)
        log.seek(0)
        return Measured(seconds, peak, code, output.read(), log.read())
