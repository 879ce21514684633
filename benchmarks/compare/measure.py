"""Run a command in a new process; measure its wall time and the peak memory of its process tree."""

from __future__ import annotations

import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
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


class TreeMemory:
    """Samples the resident memory of a process and its descendants in a thread, until it is stopped."""

    def __init__(self, pid: int) -> None:
        self._tree = process_tree(pid)
        self._pid = pid
        self.peak = resident(self._tree)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> int:
        """Stop sampling, and return the peak in bytes."""
        self._stopped.set()
        self._thread.join()
        return self.peak

    def _watch(self) -> None:
        listed = time.monotonic()
        while not self._stopped.wait(_SAMPLE_EVERY):
            if time.monotonic() - listed > _LIST_EVERY:
                self._tree, listed = process_tree(self._pid), time.monotonic()
            self.peak = max(self.peak, resident(self._tree))


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
            memory = TreeMemory(process.pid)
            try:
                code = process.wait()
                seconds = time.monotonic() - begun
            finally:
                peak = memory.stop()
        output.seek(0)
        log.seek(0)
        return Measured(seconds, peak, code, output.read(), log.read())
