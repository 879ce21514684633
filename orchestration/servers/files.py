"""Files between processes: locks, JSON for the owner's eyes only, ends of logs."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import ServerFailed
from orchestration.text import one_line

_TAIL_BYTES = 16_384
_LINE = 200
"""Characters shown of one line of a log."""


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file `path`, alone among all processes; the kernel releases it if this one dies.

    Args:
        path: The lock file; made if missing and never removed, since another process may wait on it.
        waiting: Called once if another process holds the lock, before waiting for it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_private(path: Path, content: Mapping[str, object]) -> None:
    """Write `content` as JSON, whole or not at all, readable by its owner only (mode 0600)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 (a file descriptor)
            json.dump(content, file, indent=2)
            file.flush()
            # Data encrypted with keys that a power cut swallowed would be lost.
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def last_lines(log: Path, count: int = 15) -> str:
    """Return the last lines of a log for a message: indented, long ones cut. An empty log gives a note."""
    # lakeFS logs its whole configuration in one line, and the end of an error is what gets cut.
    return "\n".join(f"  {one_line(line, _LINE)}" for line in tail(log, count)) or "  (nothing was logged)"


def tail(log: Path, count: int = 15) -> list[str]:
    """Return the last `count` lines of a log, each whole. A missing log gives an empty list."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


@contextmanager
def disk_errors(doing: str) -> Iterator[None]:
    """Turn an OSError of the block into a ServerFailed that begins with what was being done.

    Raises:
        ServerFailed: A file or folder could not be read, written or removed.
    """
    try:
        yield
    except OSError as error:
        raise ServerFailed(
            f"{doing}: {error}", remedy="correct the rights or free some space there, then try again"
        ) from error
