"""The work directory of one run: raw pages until they are on the lake, and dbt's files."""

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


@contextmanager
def work_directory(state_dir: Path, subject: str) -> Iterator[Path]:
    """Create an empty folder for one run, and delete it at the end. First delete folders that dead runs have left.

    Raises:
        DiskFailed: The folder cannot be created.
    """
    import psutil

    parent = state_dir / WORK_FOLDER
    with translate_disk_errors(parent):
        private_folder(state_dir)
        parent.mkdir(parents=True, exist_ok=True)
        for left in parent.iterdir():
            owner = left.name.split("-")[0]
            if owner.isdigit() and not psutil.pid_exists(int(owner)):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{subject}-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
