"""Local files below the state folder that dead runs left: work directories, manifests, journals, the worker's files."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from orchestration.workdir import left_directories


@dataclass(frozen=True)
class LeftFile:
    """A file or folder that nothing uses.

    Attributes:
        path: Its path.
        bytes: The bytes of all files in it.
        reason: Why nothing uses it.
    """

    path: Path
    bytes: int
    reason: str


def left_files(state_dir: Path, now: datetime, older_than: timedelta) -> tuple[LeftFile, ...]:
    """Return what dead runs left below the state folder.

    Args:
        state_dir: The state folder.
        now: The time that ages count to.
        older_than: The age from which a file that no lock protects is left over.
    """
    oldest = (now - older_than).timestamp()
    found = [(path, "its run is dead") for path in left_directories(state_dir)]
    found += [(path, "the project was parsed again since") for path in _manifests(state_dir / "dbt", oldest)]
    found += [(path, "journal of an unfinished backfill") for path in _older(state_dir / "backfill", "*.txt", oldest)]
    found += [(path, "old file of the worker") for path in _older(state_dir / "worker" / "tmp", "*", oldest)]
    return tuple(LeftFile(path, sum(file.st_size for file in _files(path)), reason) for path, reason in found)


def remove(left: LeftFile) -> bool:
    """Remove a file or folder, and return whether it is gone."""
    if left.path.is_dir() and not left.path.is_symlink():
        shutil.rmtree(left.path, ignore_errors=True)
    else:
        with suppress(OSError):
            left.path.unlink()
    return not left.path.exists()


def newest_change(path: Path) -> float | None:
    """Return the time of the latest change of a file, or of anything in a folder; None if there is nothing."""
    return max((found.st_mtime for found in _stats(path)), default=None)


def _manifests(folder: Path, oldest: float) -> Iterator[Path]:
    """Yield parsed projects that are not the latest of their target, and those that were never finished."""
    latest: dict[str, Path] = {}
    for path in sorted(folder.glob("manifest-*.msgpack"), key=lambda path: path.lstat().st_mtime):
        latest[path.name.rpartition("-")[0]] = path
    kept = {*latest.values(), *(path.with_suffix(".json") for path in latest.values())}
    yield from (path for path in _older(folder, "manifest-*", oldest) if path not in kept)


def _older(folder: Path, pattern: str, oldest: float) -> Iterator[Path]:
    return (path for path in sorted(folder.glob(pattern)) if (newest_change(path) or oldest) < oldest)


def _files(path: Path) -> Iterator[os.stat_result]:
    return (found for found in _stats(path) if stat.S_ISREG(found.st_mode))


def _stats(path: Path) -> Iterator[os.stat_result]:
    """Yield the stats of a file, or of a folder and all in it. What vanishes in the meantime is left out."""
    for one in (path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())):
        try:
            yield one.lstat()
        except OSError:
            continue
