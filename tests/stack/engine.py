"""Podman for the tests of the stack: where containers can run, and how they are started here."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from orchestration.settings import read_settings

TOOLS = ("podman", "buildah", "runc", "netavark", "aardvark-dns", "iptables", "catatonit", "debootstrap")
"""The Debian packages that the tests need."""

_FOLDERS = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/sbin", "/sbin", "/usr/local/sbin")
_CONFIGURATION = """\
# Written by tests/stack/engine.py.
[containers]
# Sandboxes forbid raising limits.
default_ulimits = []
[network]
# It has names of containers in its DNS; CNI, which podman may choose instead, has not.
network_backend = "netavark"
[engine]
cgroup_manager = "cgroupfs"
# crun refuses hosts with cgroups of both versions.
runtime = "runc"
"""


def cache_folder() -> Path:
    """Return the folder for what is kept between runs of these tests."""
    folder = read_settings().cache_dir / "stack"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def unusable() -> str:
    """Return why containers cannot run here; empty if they can."""
    if os.geteuid():
        return "containers of the stack's tests need root"
    path = os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS))
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=path)]
    if missing:
        return f"not installed: {', '.join(missing)} (apt-get install --no-install-recommends {' '.join(TOOLS)})"
    probe = run("podman", "network", "ls", check=False)
    return f"podman does not work here: {probe.stderr.strip()}" if probe.returncode else ""


@cache
def environment() -> Mapping[str, str]:
    """Return the environment of podman and buildah, with a configuration of their own."""
    configuration = cache_folder() / "containers.conf"
    if not configuration.exists() or configuration.read_text() != _CONFIGURATION:
        configuration.write_text(_CONFIGURATION)
    return {
        **os.environ,
        "CONTAINERS_CONF": str(configuration),
        # The format with HEALTHCHECK, as Docker builds it.
        "BUILDAH_FORMAT": "docker",
    }


def run(
    *command: str,
    check: bool = True,
    limit: float = 900,
    text: str | None = None,
    folder: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command with podman's environment and return its output.

    Raises:
        AssertionError: It failed, and `check` is set; the message has its output.
    """
    ended = subprocess.run(
        command,
        env={**environment(), **(variables or {})},
        input=text,
        stdin=None if text is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
        cwd=folder,
        check=False,
    )
    assert not check or not ended.returncode, (
        f"{' '.join(command)} ended with {ended.returncode}:\n{ended.stdout[-3_000:]}\n{ended.stderr[-6_000:]}"
    )
    return ended


def podman(*arguments: str, check: bool = True, limit: float = 300, text: str | None = None) -> str:
    """Run podman and return what it writes to stdout."""
    return run("podman", *arguments, check=check, limit=limit, text=text).stdout.strip()
