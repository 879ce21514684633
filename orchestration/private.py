"""Permissions of the files that `elt` writes.

Only their owner may read them, since they contain published rows, keys and logs. Files of the project itself, such as
generated models, are readable for all users: the user of a container image is another one.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


def restrict_rights() -> None:
    """Make this process and its children create files and folders that only their owner can read."""
    os.umask(0o077)


def private_folder(path: Path) -> None:
    """Create the folder, or remove all other users' permissions from it if it belongs to this user.

    A folder with the sticky bit, such as /tmp, is meant for many users and is left unchanged.

    Raises:
        OSError: It cannot be created.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.stat()
    if found.st_uid == os.geteuid() and found.st_mode & 0o077 and not found.st_mode & stat.S_ISVTX:
        path.chmod(stat.S_IMODE(found.st_mode) & ~0o077)


def make_project_folder(path: Path) -> None:
    """Make a folder of the project, and those above it, unless they exist. All users may read them."""
    for folder in reversed([one for one in (path, *path.parents) if not one.exists()]):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def write_project_file(path: Path, content: bytes) -> None:
    """Write a file of the project, which all users may read if it is new. Missing folders are made.

    Raises:
        OSError: It cannot be written.
    """
    make_project_folder(path.parent)
    is_new = not path.exists()
    path.write_bytes(content)
    if is_new:
        path.chmod(0o644)


def readable_by_others(path: Path) -> bool:
    """Return whether the file exists and its group or all users may read it."""
    try:
        return bool(path.stat().st_mode & 0o044)
    except OSError:
        return False
