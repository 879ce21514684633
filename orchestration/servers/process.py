"""Background processes that outlive the command that started them, identified by pid files."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from orchestration.errors import ServerFailed
from orchestration.servers.files import write_private

_KILL_WAIT = 5.0


@dataclass(frozen=True)
class Process:
    """A background process, as recorded in its pid file.

    Attributes:
        pid: Its process id. The system may have given it to another process since.
        created: Its creation time in seconds. The pair of `pid` and `created` is never reused.
        port: The port on 127.0.0.1 that it was started for.
        url: The URL that it serves.
    """

    pid: int
    created: float
    port: int
    url: str


def read(pid_file: Path) -> Process | None:
    """Return the process recorded in the pid file, alive or not; None if the file is missing or invalid.

    Raises:
        ServerFailed: The file may not be read.
    """
    try:
        return Process(**json.loads(pid_file.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    except OSError as error:
        raise ServerFailed(
            f"cannot read {pid_file}: {error}",
            remedy="set ELT_STATE_DIR to a folder that you own, or correct the permissions",
        ) from error


def running(pid_file: Path) -> Process | None:
    """Return the process recorded in the pid file if it is alive."""
    process = read(pid_file)
    return process if process and _alive(process) else None


def start(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, pid_file: Path, port: int, url: str
) -> Process:
    """Start `command` in its own session and write its pid file. The log of the previous start is kept as `.old`.

    Args:
        command: The program and its arguments. All users of the machine can read them, so they must contain no secret.
        env: The complete environment.
        cwd: Its working directory.
        log: Takes its output. Only its owner can read it.
        pid_file: Takes the identity of the process.
        port: The port set in its arguments or its settings.
        url: The URL that it will serve.

    Raises:
        ServerFailed: The program cannot be run.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(previous_log(log))
    with os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:
        try:
            child = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ServerFailed(
                f"cannot run {command[0]}: {error}", remedy=f"remove {command[0]}, then `elt up`"
            ) from error
    try:
        process = Process(child.pid, _created(psutil.Process(child.pid)), port, url)
        write_private(pid_file, asdict(process))
    except BaseException:
        child.kill()
        child.wait()
        raise
    # The child outlives this process. Without a return code, Popen would warn that nothing waited for it.
    child.returncode = 0
    return process


def stop(process: Process, grace: float) -> None:
    """Stop the process and its children: terminate it, wait up to `grace` seconds, then kill what is left.

    Raises:
        ServerFailed: This user may not stop it, or it does not end.
    """
    try:
        if _alive(process):
            end(psutil.Process(process.pid), grace)
    except psutil.NoSuchProcess:
        return
    except psutil.Error as error:
        raise ServerFailed(
            f"cannot stop process {process.pid} ({process.url}): {error}",
            remedy=f"stop it as the user that started it: kill {process.pid}",
        ) from error


def end(parent: psutil.Process, grace: float) -> None:
    """Stop `parent` and its children as `stop` does.

    Raises:
        psutil.Error: It has ended already, may not be signalled, or does not end.
    """
    family = [parent, *parent.children(recursive=True)]
    parent.terminate()
    # A server stops its children before it ends itself. Children that are left afterwards have to be killed.
    _survivors([parent], grace)
    for process in _survivors(family, 0):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    for process in _survivors(family, _KILL_WAIT):
        raise psutil.TimeoutExpired(_KILL_WAIT, process.pid)


def listens(process: Process) -> bool:
    """Return whether this process or a child of it listens on its port. Another program may have taken that port."""
    try:
        parent = psutil.Process(process.pid)
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == process.port
            for member in (parent, *parent.children(recursive=True))
            for connection in member.net_connections("tcp")
        )
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        # Some systems hide this. The health check alone must do then.
        return True


def previous_log(log: Path) -> Path:
    """Return the path of the log of the previous start."""
    return log.with_name(f"{log.name}.old")


def _alive(process: Process) -> bool:
    try:
        found = psutil.Process(process.pid)
        # A tick is 0.01 s. No system reuses a pid within a tenth of a second.
        return abs(_created(found) - process.created) < 0.1 and not _is_zombie(found)
    except psutil.NoSuchProcess:
        return False


def _created(process: psutil.Process) -> float:
    # On Linux psutil adds the boot time, which changes when the clock is set: a server would seem to have ended.
    return process.create_time() - (psutil.boot_time() if psutil.LINUX else 0)


def _survivors(processes: Sequence[psutil.Process], timeout: float) -> list[psutil.Process]:
    deadline = time.monotonic() + timeout
    while True:
        _, left = psutil.wait_procs(processes, timeout=0)
        # In a container whose first process reaps no children, ended processes stay zombies.
        left = [process for process in left if not _is_zombie(process)]
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(0.05)


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
