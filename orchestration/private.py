"""Rights of what this project writes: the owner's alone, since it holds published rows, keys and logs."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def restrict_rights() -> None:
    """Let this process and its children make files and folders that only their owner can read."""
    os.umask(0o077)


def private_folder(path: Path) -> None:
    """Make the folder, or take the rights of all others from it if it is this user's.

    A folder with the sticky bit, such as /tmp, is meant for many users and is left as it is.

    Raises:
        OSError: It cannot be made.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not found.st_mode & stat.S_ISVTX:
        path.chmod(stat.S_IMODE(found.st_mode) & ~0o077)


def readable_by_others(path: Path) -> bool:
    """Whether the file exists and its group or all users may read it."""
    try:
        return bool(path.stat().st_mode & 0o044)
    except OSError:
        return False
