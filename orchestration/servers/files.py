"""Files shared between processes: locks, JSON that only its owner can read, ends of logs."""

from __future__ import annotations

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
"""Characters shown of one log line."""


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file `path` exclusively among all processes. The kernel releases it if this process dies.

    Args:
        path: The lock file. It is created if missing and never removed, since another process may wait on it.
        waiting: Called once before waiting if another process holds the lock.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def write_private(path: Path, content: Mapping[str, object]) -> None:
    """Write `content` as JSON atomically, readable by its owner only (mode 0600)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 (a file descriptor)
            json.dump(content, file, indent=2)
            file.flush()
            # A power cut must not lose the keys: the data encrypted with them would be lost.
            os.fsync(file.fileno())
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise


def last_lines(log: Path, count: int = 15) -> str:
    """Return the last lines of a log for a message: indented, long ones cut; a note if the log is empty."""
    # lakeFS logs its whole configuration in one line. A message is cut at its end, which is where the log is.
    return "\n".join(f"  {one_line(line, _LINE)}" for line in tail(log, count)) or "  (nothing was logged)"


def tail(log: Path, count: int = 15) -> list[str]:
    """Return the last `count` lines of a log, uncut; an empty list if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        return []


@contextmanager
def translate_disk_errors(action: str) -> Iterator[None]:
    """Translate an OSError of the block to a ServerFailed that begins with `action`.

    Raises:
        ServerFailed: A file or folder could not be read, written or removed.
    """
    try:
        yield
    except OSError as error:
        raise ServerFailed(
            f"{action}: {error}", remedy="correct the permissions or free some space there, then try again"
        ) from error
