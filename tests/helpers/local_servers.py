"""What the tests of local servers share: settings, programs, listeners and pid files."""

from __future__ import annotations

import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
from pydantic import SecretStr

from orchestration.servers import files, lakefs, ports, process
from orchestration.servers.build import MODULE
from orchestration.settings import PROJECT_DIR, EltSettings, LakeSettings, PrefectSettings, Settings

GO_MOD = MODULE / "go.mod"


UNREACHABLE = "http://127.0.0.1:9"


def make_settings(
    folder: Path,
    *,
    endpoint: str | None = None,
    access_key: str | None = None,
    secret_key: str | None = None,
    api_url: str | None = None,
    api_auth_string: str | None = None,
) -> Settings:
    return Settings(
        project_dir=PROJECT_DIR,
        cache_dir=folder / "cache",
        elt=EltSettings(state_dir=folder / "state"),
        lake=LakeSettings(
            endpoint=endpoint,
            access_key=SecretStr(access_key) if access_key else None,
            secret_key=SecretStr(secret_key) if secret_key else None,
        ),
        prefect=PrefectSettings(
            api_url=api_url, api_auth_string=SecretStr(api_auth_string) if api_auth_string else None
        ),
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@contextmanager
def listener() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind((ports.HOST, 0))
        taken.listen()
        yield taken.getsockname()[1]


@contextmanager
def web_server(status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer((ports.HOST, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://{ports.HOST}:{server.server_port}"
        server.shutdown()
        thread.join()


def start(command: list[str], folder: Path, port: int = 1) -> process.Process:
    return process.start(
        command,
        env=dict(os.environ),
        cwd=folder,
        log=folder / "server.log",
        pid_file=folder / "run" / "server.json",
        port=port,
        url=f"http://{ports.HOST}:{port}",
    )


def children() -> list[list[str]]:
    """The commands of all running processes that this process or its children started."""
    found: list[list[str]] = []
    for child in psutil.Process().children(recursive=True):
        # Servers that earlier tests stopped are zombies, since no process waits for them.
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            found.append(child.cmdline())
    return found


def pretend_running(settings: Settings, name: str, url: str) -> None:
    """Write a pid file that names this process."""
    this = psutil.Process()
    files.write_private(
        settings.state_dir / "run" / f"{name}.json",
        {"pid": this.pid, "created": process._created(this), "port": 1, "url": url},
    )


def remember_stopped(settings: Settings, name: str, url: str) -> None:
    """Write a pid file of a local server that has ended."""
    path = settings.state_dir / "run" / f"{name}.json"
    files.write_private(path, {"pid": os.getpid(), "created": 0.0, "port": 1, "url": url})


def with_local_keys(settings: Settings, url: str) -> Settings:
    """These settings with the address and keys of the local lakeFS, as `.env` may hold them."""
    data = settings.state_dir / "lakefs"
    files.write_private(data / "credentials.json", asdict(lakefs._generate()))
    keys = lakefs.read_credentials(data)
    return replace(settings, lake=LakeSettings(endpoint=url, access_key=keys.access_key, secret_key=keys.secret_key))
