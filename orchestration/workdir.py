"""Files on the local disk: the work directory of one run, and files that processes share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import DiskFailed
from orchestration.private import private_folder

WORK_FOLDER = "work"
"""The folder of all work directories, below the state folder."""

_LOCK = ".lock"


@contextmanager
def work_directory(state_dir: Path, subject: str) -> Iterator[Path]:
    """Create a folder for one run, and delete it at the end. First delete folders that dead runs have left.

    A run holds a lock on its folder, which the kernel releases if the process dies. A process id would not do: workers
    in several containers may share a state folder, and each has process ids of its own.

    Raises:
        DiskFailed: The folder cannot be created.
    """
    from filelock import FileLock

    parent = state_dir / WORK_FOLDER
    with translate_disk_errors(parent):
        private_folder(state_dir)
        parent.mkdir(parents=True, exist_ok=True)
        # One process at a time: another one must not find the new folder before it is locked.
        with FileLock(_lock_of(state_dir)):
            for left in _left(parent):
                shutil.rmtree(left, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{subject}-", dir=parent))
            held = FileLock(folder / _LOCK, thread_local=False)
            held.acquire()
    try:
        yield folder
    finally:
        held.release()
        shutil.rmtree(folder, ignore_errors=True)


def left_directories(state_dir: Path) -> tuple[Path, ...]:
    """Return the work directories that dead runs have left. The next run deletes them."""
    from filelock import FileLock

    parent = state_dir / WORK_FOLDER
    if not parent.is_dir():
        return ()
    with translate_disk_errors(parent), FileLock(_lock_of(state_dir)):
        return tuple(_left(parent))


def _left(parent: Path) -> Iterator[Path]:
    return (folder for folder in sorted(parent.iterdir()) if not _is_in_use(folder))


def _lock_of(state_dir: Path) -> Path:
    return state_dir / f"{WORK_FOLDER}.lock"


def _is_in_use(folder: Path) -> bool:
    """Return whether a run holds the folder's lock, or has just deleted it."""
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / _LOCK, blocking=False):
            return False
    except (Timeout, FileNotFoundError):
        return True


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that other processes read, in one step: they find the former content or the new one.

    Raises:
        DiskFailed: It could not be written.
    """
    unfinished = path.with_suffix(f".{os.getpid()}")
    with translate_disk_errors(unfinished):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(path)


@contextmanager
def translate_disk_errors(path: Path) -> Iterator[None]:
    """Translate an OSError of the block to DiskFailed, which names the path."""
    try:
        yield
    except OSError as error:
        raise disk_failed(path, error) from error


def disk_failed(path: Path, error: OSError) -> DiskFailed:
    """Return the error for a failed write to `path` on the local disk."""
    return DiskFailed(
        f"cannot write {path}: {error.strerror or error}",
        remedy="free space there, or set ELT_STATE_DIR to a folder on another disk",
    )
