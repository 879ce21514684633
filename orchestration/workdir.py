"""The work directory: where one run keeps raw pages until they are on the lake, and dbt its files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import SpoolFailed
from orchestration.private import private_folder


@contextmanager
def work_directory(state_dir: Path, subject: str) -> Iterator[Path]:
    """An empty folder for one run, removed at its end; folders that dead runs left behind are removed first."""
    import psutil

    spools = state_dir / "spool"
    with writing(spools):
        private_folder(state_dir)
        spools.mkdir(parents=True, exist_ok=True)
        for left in spools.iterdir():
            owner = left.name.split("-")[0]
            if owner.isdigit() and not psutil.pid_exists(int(owner)):
                shutil.rmtree(left, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-{subject}-", dir=spools))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a local disk's errors into SpoolFailed, which names the path."""
    try:
        yield
    except OSError as error:
        raise disk_failed(path, error) from error


def disk_failed(path: Path, error: OSError) -> SpoolFailed:
    """The error for a local disk that did not take what was written to `path`."""
    return SpoolFailed(
        f"cannot write {path}: {error.strerror or error}",
        remedy="free space there, or set ELT_STATE_DIR to a folder on another disk",
    )
