"""How `elt` prints foreign text: escaped on a terminal, exact in JSON; failures have one form."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestration import endpoints
from orchestration.analyst import query, sandbox
from orchestration.analyst.query import Answer, Rejects
from orchestration.analyst.sandbox import Difference
from orchestration.cli import app
from orchestration.errors import Cancelled, DataFailed, IngestCleanError, SourceFailed
from orchestration.flows import launch
from orchestration.flows.states import escape_run_logs
from orchestration.lake import history
from orchestration.lake.history import Publication
from orchestration.lake.listed import LakeCommit
from tests.helpers.projects import name_project

FOREIGN = "\x1b]0;x\x07\x9b31m\x7f\u202e\ufeff\ud83d\r\nPublished: all is well"
KEYS = ["outcome", "exit_code", "subject", "step", "cause", "main", "branch", "remedy", "command"]


def failing(*_: Any, **__: Any) -> Any:
    error = SourceFailed(f"GET / answered 404 {FOREIGN}")
    error.subject, error.step, error.main = "2025-05-20", "extract", "untouched"
    raise error


def publications(*_: Any, **__: Any) -> Iterator[Publication]:
    yield Publication(None, FOREIGN, {FOREIGN: 1}, "c" * 64, datetime(2025, 5, 20, tzinfo=UTC), "", FOREIGN)


STUBS: dict[tuple[str, ...], tuple[Any, str, Callable[..., Any]]] = {
    ("log",): (history, "publications", publications),
    ("rejects", "2025-05-20"): (
        query,
        "rejects",
        lambda *_: (Rejects("events", "bad", 2, ((FOREIGN, FOREIGN), ("page", "x" * 5_000_000))),),
    ),
    ("sql", "select 1"): (query, "query", lambda *_: Answer("c" * 64, (FOREIGN,), ((FOREIGN,), ("x" * 5_000_000,)))),
    ("sandbox", "diff", "mine"): (
        sandbox,
        "differences",
        lambda *_: iter([Difference(FOREIGN, "added", None, None, None, None, FOREIGN)]),
    ),
}


@pytest.fixture
def elt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run `elt` in this process, and return exit code, stdout and stderr."""
    monkeypatch.setenv("ELT_PROJECT_DIR", str(name_project(tmp_path)))
    monkeypatch.setattr(endpoints, "open_lake", lambda settings: None)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["elt", *arguments])
        with pytest.raises(SystemExit) as ended:
            app.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    monkeypatch.setattr(app, "_leave", sys.exit)
    return run


def require_safe(text: str) -> None:
    assert len(text) < 20_000
    for line in text.split("\n"):
        assert line.isprintable()
        assert not line.startswith("Published: all is well")


@pytest.mark.parametrize("arguments", STUBS, ids=" ".join)
def test_foreign_text_of_a_result_is_escaped_and_cut(
    elt: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setattr(*STUBS[arguments])

    code, out, err = elt(*arguments)
    as_json = elt(*arguments, "--json")[1]

    assert code == 0
    assert r"\x1b]0;x\x07\x9b31m\x7f\u202e\ufeff\ud83d\r" in out
    require_safe(out)
    require_safe(err)
    assert FOREIGN in json.dumps(json.loads(as_json), ensure_ascii=False).replace("\\u001b", "\x1b").replace(
        "\\u0007", "\x07"
    ).replace("\\r\\n", "\r\n")
    assert as_json.rstrip("\n").isprintable()


@pytest.mark.parametrize("arguments", STUBS, ids=" ".join)
def test_foreign_text_of_a_failure_is_escaped_and_in_parts(
    elt: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    module, name, _ = STUBS[arguments]
    monkeypatch.setattr(module, name, failing)

    code, out, err = elt(*arguments, "--json")

    assert code == 4
    require_safe(err)
    require_safe(out)
    parts = json.loads(out)
    assert list(parts) == KEYS
    assert (parts["subject"], parts["step"], parts["main"], parts["branch"]) == (
        "2025-05-20",
        "extract",
        "untouched",
        None,
    )
    assert parts["cause"].startswith("GET / answered 404 \\x1b]0;x")


class State:
    """The state that Prefect returns for a flow run that ended."""

    def __init__(self, name: str, message: str, error: IngestCleanError | None, kind: str = "failed") -> None:
        self.name, self.message, self._error, self._kind = name, message, error, kind

    def is_completed(self) -> bool:
        return False

    def is_cancelled(self) -> bool:
        return self._kind == "cancelled"

    def is_cancelling(self) -> bool:
        return False

    def result(self, raise_on_failure: bool) -> Any:
        assert not raise_on_failure
        return self._error


def data_failed() -> DataFailed:
    error = DataFailed("too many rejects", remedy="look")
    error.subject, error.step, error.main = "2025-05-20", "transform", "untouched"
    error.branch, error.command = "b", "c"
    return error


@pytest.mark.parametrize("command", [("run", "2025-05-20"), ("marts",), ("report",)], ids=" ".join)
@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            State("DataFailed", "2025-05-20 clean: …", data_failed()),
            ["DataFailed", 3, "2025-05-20", "transform", "too many rejects", "untouched", "b", "look", "c"],
        ),
        (State("Cancelled", "", Cancelled("interrupted"), "cancelled"), ["Cancelled", 130, None, None, "interrupted"]),
        (State("Crashed", f"exit -9 {FOREIGN}", None), ["PlatformFailed", 5]),
        (State("Cancelled", "by hand", None, "cancelled"), ["Cancelled", 130]),
    ],
)
def test_a_flow_fails_in_the_same_shape(
    elt: Callable[..., tuple[int, str, str]],
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    state: State,
    expected: list[Any],
) -> None:
    monkeypatch.setattr(launch, "use_prefect", lambda settings: "http://127.0.0.1:9/api")
    for name in ("run_date_flow", "run_marts_flow", "run_report_flow"):
        monkeypatch.setattr(
            launch, name, lambda settings, *_: launch._run(settings, lambda **_: state, "subject", "elt again")
        )

    code, out, err = elt(*command, "--json")

    parts = json.loads(out)
    assert list(parts) == KEYS
    assert list(parts.values())[: len(expected)] == expected
    assert code == parts["exit_code"]
    assert err.startswith(f"{parts['outcome']}: ")
    require_safe(err)
    if state.result(raise_on_failure=False) is None:
        assert (parts["subject"], parts["command"]) == ("subject", "elt again")
        assert "unless elt log shows" in parts["main"]


@pytest.mark.parametrize("arguments", [("no-such-command",), ("run", "2025-13-01")])
def test_a_usage_error_has_the_same_shape(elt: Callable[..., tuple[int, str, str]], arguments: tuple[str, ...]) -> None:
    code, out, _ = elt(*arguments, "--json")
    parts = json.loads(out)
    assert list(parts) == KEYS
    assert (code, parts["outcome"], parts["exit_code"]) == (2, "UsageError", 2)


@pytest.mark.parametrize("name", ["prefect.flow_runs", "prefect.task_runs"])
def test_every_log_line_of_a_run_is_escaped(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    kept: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(self.format(record))

    logger = logging.getLogger(name)
    monkeypatch.setattr(logger, "handlers", [Kept()])
    monkeypatch.setattr(logger, "filters", [])
    escape_run_logs()
    escape_run_logs()
    logger.error("%s %%", FOREIGN)
    logger.error("x" * 5_000_000)
    # As Prefect logs a task run with a failed state.
    logger.error("failed", exc_info=True)

    assert len(kept) == 3
    assert kept[2] == "failed"
    assert kept[0].endswith("\\r\n  Published: all is well %")
    for line in kept:
        require_safe(line)


def test_metadata_of_any_form_is_a_publication() -> None:
    metadata = {"outcome": "published", "rows": "events=7 =x a=b=c products=² n"}
    merge = LakeCommit("c" * 64, (), metadata, "m", 0)

    class Merged:
        def log(self, ref: str) -> list[LakeCommit]:
            return [merge]

    (found,) = history.publications(Merged())  # type: ignore[arg-type]
    assert found.rows == {"events": 7}


def test_ctrl_c_while_elt_is_loaded_ends_like_any_other() -> None:
    code = """
import sys
class Interrupting:
    def find_spec(self, name, *_):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
sys.argv = ["elt", "log", "--json"]
from orchestration.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 130
    assert done.stderr == "Cancelled: interrupted during start-up, nothing was changed\n"
    assert list(json.loads(done.stdout)) == KEYS


@pytest.mark.parametrize("body", [b"ELT_BUCKET=caf\xe9\n", "ELT_BUCKET=x\n".encode("utf-16")])  # codespell:ignore caf
def test_an_env_file_that_is_not_utf8_is_named(
    elt: Callable[..., tuple[int, str, str]], tmp_path: Path, body: bytes
) -> None:
    (tmp_path / ".env").write_bytes(body)

    code, _, err = elt("log")

    assert code == 2
    assert err.startswith(f"UsageError: {tmp_path}/.env cannot be read: 'utf-8' codec can't decode")
    assert err.endswith(": save it as text in UTF-8\n")


def test_an_interrupt_ends_elt_although_a_thread_is_in_duckdb() -> None:
    # DuckDB's C++ is left by many short queries, at one of which Python would end the thread.
    program = """
import atexit, threading, time
import duckdb
from orchestration.cli import app

connection, counted = duckdb.connect(), threading.Event()

def count():
    while True:
        connection.execute("select sum(i) from range(20000) as numbers (i)").fetchall()
        counted.set()

def interrupted(**options):
    threading.Thread(target=count, daemon=True).start()
    counted.wait()
    atexit.register(time.sleep, 0.2)
    atexit.register(print, "last logs")
    raise KeyboardInterrupt

app.app = interrupted
app.main()
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)

    assert ended.returncode == Cancelled.exit_code, ended.stderr
    assert ended.stdout == "last logs\n"
    assert ended.stderr == "Cancelled: interrupted; main contains only complete dates, run again\n"
