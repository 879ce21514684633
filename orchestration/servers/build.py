"""The lakeFS program: found on this machine, or built once from its Go module."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from orchestration.errors import ServerFailed
from orchestration.servers.files import last_lines, locked, translate_disk_errors
from orchestration.servers.process import end
from orchestration.servers.toolchain import go_command, module_missing

if TYPE_CHECKING:
    from orchestration.log import Log
    from orchestration.settings import Settings

LAKEFS_VERSION = "1.86.0"
"""The last release under Apache-2.0. lakefs_build/go.mod pins the same version."""

MODULE = Path(__file__).with_name("lakefs_build")
"""The Go module that pins the server, and the lock file of the Go compiler that builds it."""

UNUSED_DAYS = 30
"""Days that an unused program of other pins is kept. Another checkout on this machine may still use it."""

_PACKAGE = "github.com/treeverse/lakefs/cmd/lakefs"
_REPORT_EVERY = 15.0
_STOP_WAIT = 5.0


def lakefs_binary(settings: Settings, log: Log) -> Path:
    """Return the lakeFS server of LAKEFS_VERSION: from PATH, from an earlier build with the same pins, or built now.

    A build takes 4 to 8 minutes on two cores. Its program is kept in the user's cache folder, in a folder per set of
    pins. Programs of other pins are removed when unused for UNUSED_DAYS. An interrupted build leaves no program, only
    Go's own caches, which the next build uses. Of two concurrent builds, one works and the other waits for it.

    Raises:
        ServerFailed: There is no Go to build it with, or the build failed; the message names its log.
    """
    on_path = shutil.which("lakefs")
    if on_path and _is_wanted(Path(on_path)):
        return Path(on_path).absolute()
    programs = settings.cache_dir / "lakefs"
    binary = programs / f"{LAKEFS_VERSION}-{pins(MODULE)}" / "lakefs"
    if not binary.exists():
        with (
            translate_disk_errors(f"building lakeFS {LAKEFS_VERSION}"),
            locked(programs / "lock", lambda: log.info("waiting for another build of lakeFS")),
        ):
            if not binary.exists():
                _build(settings, binary, log)
    with suppress(OSError):
        _remove_unused(programs, binary.parent)
    return binary


def pins(module: Path) -> str:
    """Return a short digest of what a build depends on: the module's go.mod, with its Go version, and go.sum.

    Raises:
        ServerFailed: A file is missing.
    """
    digest = hashlib.sha256()
    try:
        for name in ("go.mod", "go.sum"):
            digest.update((module / name).read_bytes())
    except FileNotFoundError as error:
        raise module_missing(Path(error.filename)) from None
    return digest.hexdigest()[:12]


def _remove_unused(programs: Path, used: Path) -> None:
    os.utime(used)
    oldest = time.time() - UNUSED_DAYS * 86_400
    for folder in programs.iterdir():
        if folder != used and folder.is_dir() and folder.stat().st_mtime < oldest:
            shutil.rmtree(folder)


def stage(log: str) -> str:
    """Return what a build is doing, from its log: `go build -v` logs each download and each compiled package."""
    lines = log.splitlines()
    downloads = sum(line.startswith("go: downloading ") for line in lines)
    packages = sum("/" in line and " " not in line for line in lines)
    if packages:
        return f"compiling, {packages} packages so far"
    return f"downloading modules, {downloads} so far" if downloads else "starting the Go toolchain"


def _build(settings: Settings, binary: Path, log: Log) -> None:
    go = go_command(MODULE / "go.mod")
    caches = settings.cache_dir / "go"
    output = settings.state_dir / "logs" / "lakefs-build.log"
    # If a build outlives its `elt`, it must not write into the next build's program.
    partial = binary.with_name(f"lakefs.{os.getpid()}.partial")
    for folder in (binary.parent, output.parent):
        folder.mkdir(parents=True, exist_ok=True)
    for left in binary.parent.glob("lakefs.*.partial"):
        left.unlink()
    linker = f"-s -w -X github.com/treeverse/lakefs/pkg/version.Version={LAKEFS_VERSION}"
    command = [*go, "build", "-v", "-trimpath", "-ldflags", linker, "-o", str(partial), _PACKAGE]
    log.info(f"building lakeFS {LAKEFS_VERSION}, once per machine, 4 to 8 minutes on two cores (log: {output})")
    begun = time.monotonic()
    code = _run(command, MODULE, _environment(caches), output, log)
    if code or not _is_wanted(partial):
        why = f"ended with code {code}" if code else f"built something that is not lakeFS {LAKEFS_VERSION}"
        raise ServerFailed(
            f"building lakeFS {LAKEFS_VERSION}: {go[0]} {why}; the end of {output}:\n{last_lines(output)}",
            remedy="check that the Go module proxy (GOPROXY) is reachable and 3 GB of disk are free, then `elt up`",
        )
    partial.replace(binary)
    # This frees a gigabyte that is not needed again.
    shutil.rmtree(caches, ignore_errors=True)
    log.info(f"built lakeFS {LAKEFS_VERSION} in {time.monotonic() - begun:.0f} s: {binary}")


def _environment(caches: Path) -> dict[str, str]:
    return os.environ | {
        "CGO_ENABLED": "0",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOPATH": str(caches),
        "GOMODCACHE": str(caches / "mod"),
        "GOCACHE": str(caches / "build"),
        # Go's module cache is read-only by default, so it could not be removed.
        "GOFLAGS": "-modcacherw",
    }


def _run(command: list[str], folder: Path, env: dict[str, str], output: Path, log: Log) -> int:
    begun = time.monotonic()
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
        try:
            while True:
                try:
                    return process.wait(_REPORT_EVERY)
                except subprocess.TimeoutExpired:
                    doing = stage(output.read_text(encoding="utf-8", errors="replace"))
                    log.info(f"building lakeFS: {doing}, {time.monotonic() - begun:.0f} s")
        finally:
            if process.poll() is None:
                with suppress(psutil.Error):
                    end(psutil.Process(process.pid), _STOP_WAIT)
                process.wait()


def _is_wanted(binary: Path) -> bool:
    try:
        result = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return result.stdout.split()[-1:] == [LAKEFS_VERSION]


def main() -> int:
    """Provide the server during `make setup`, before it is needed, and report why that takes long."""
    from orchestration.log import log_to
    from orchestration.program import run_program
    from orchestration.settings import read_settings

    log = log_to(lambda line: print(line, flush=True))
    return run_program(lambda: f"lakeFS {LAKEFS_VERSION}: {lakefs_binary(read_settings(), log)}")


if __name__ == "__main__":
    sys.exit(main())
