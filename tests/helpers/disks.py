"""Small disks that are really full, each mounted in a namespace that needs no root and ends with its process."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory


def on_a_disk(folder: Path, size: str) -> tuple[str, ...]:
    """Return the command that runs another one with an empty disk of this size at `folder`."""
    mount = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'
    return ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh", size, str(folder))


@cache
def has_disks() -> bool:
    """Return whether this kernel allows such mounts."""
    with TemporaryDirectory() as folder:
        try:
            return subprocess.run([*on_a_disk(Path(folder), "64k"), "true"], capture_output=True).returncode == 0
        except OSError:
            return False
