"""Run dbt inside this process: one invocation at a time, with the environment restored afterwards.

dbt's adapters, its flags and dbt-duckdb's database are global to a process. Two concurrent invocations wrote one run's
rows to the other's branch and reported success. A second one is therefore refused. Parallel builds need processes.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.errors import PlatformFailed
from orchestration.framework import MACROS_VARIABLE, macro_path
from orchestration.log import SILENT, Log
from orchestration.text import shortened
from orchestration.workdir import disk_failed

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest

_ONE_AT_A_TIME = threading.Lock()
_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
Query = Callable[[str], list[dict[str, Any]]]
"""Returns the rows of a query, by column name."""

_TRACEBACK = "MainStackTrace"
"""The event with the traceback of a failed invocation. This package raises or reports that error itself."""


@dataclass(frozen=True)
class Project:
    """Where dbt finds its project and writes its files.

    Attributes:
        project_dir: The folder of dbt_project.yml and profiles/.
        target: The profile's target.
        work_dir: The folder of this invocation's target and log folders. No other invocation shares it.
    """

    project_dir: Path
    target: str
    work_dir: Path

    def arguments(self, command: str, *rest: str) -> list[str]:
        """Return the argument list of a dbt `command` on this project."""
        return [
            command,
            *rest,
            *("--target", self.target),
            *("--project-dir", str(self.project_dir)),
            *("--profiles-dir", str(self.project_dir / "profiles")),
            *("--target-path", str(self.work_dir / "target")),
            *("--log-path", str(self.work_dir / "logs")),
            "--no-use-colors",
        ]


@contextmanager
def dbt_session(environment: Mapping[str, str]) -> Iterator[None]:
    """Hold the only dbt session of this process, with `environment` and the framework's macros set during it.

    Raises:
        PlatformFailed: Another session is in progress in this process.
    """
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise PlatformFailed(
            "another dbt run is in progress in this process",
            remedy="run dates in parallel in separate processes",
        )
    before, loud = dict(os.environ), logging.raiseExceptions
    try:
        os.environ.update(environment)
        os.environ[MACROS_VARIABLE] = str(macro_path())
        # On a full disk, each line of dbt's log would print a traceback.
        logging.raiseExceptions = False
        yield
    finally:
        try:
            _release()
        finally:
            logging.raiseExceptions = loud
            os.environ.clear()
            os.environ.update(before)
            _ONE_AT_A_TIME.release()


def invoke(
    project: Project,
    arguments: Sequence[str],
    *,
    manifest: Manifest | None = None,
    task_runs: bool = False,
    log: Log = SILENT,
) -> dbtRunnerResult:
    """Run dbt with `arguments` inside a `dbt_session` and return dbt's result.

    Args:
        project: The project that `arguments` name.
        arguments: Command and options, best from `Project.arguments`.
        manifest: The manifest of the same target. Without it dbt parses the project.
        task_runs: Make each node a task run of the current Prefect flow run, at 0.18 s per node. Prefect gets the log
            lines then, and `log` none.
        log: Takes dbt's log lines of level info and above.

    Raises:
        DiskFailed: dbt's files could not be written.
    """
    if task_runs:
        outcome = _with_task_runs(project, arguments, manifest)
    else:
        from dbt.cli.main import dbtRunner

        # The callback gets the lines with their levels. Nobody reads dbt's own log, which is deleted with the work
        # directory, and writing it takes a tenth of a build's CPU.
        levels = ("--log-level", "none", "--log-level-file", "none")
        outcome = dbtRunner(manifest=manifest, callbacks=[_forward(log)]).invoke([*arguments, *levels])
    error = outcome.exception
    if isinstance(error, OSError):
        raise disk_failed(project.work_dir, error) from error
    if error is not None and not isinstance(error, Exception):
        # dbt returns Ctrl-C and SIGTERM like any other failure.
        raise error
    return outcome


def results_of(outcome: dbtRunnerResult) -> list[Any]:
    """Return the results of the nodes that dbt ran.

    Raises:
        PlatformFailed: dbt itself failed.
    """
    results = getattr(outcome.result, "results", None)
    if outcome.exception is not None or results is None:
        raise PlatformFailed(f"dbt failed: {outcome.exception}") from outcome.exception
    return list(results)


def _with_task_runs(project: Project, arguments: Sequence[str], manifest: Manifest | None) -> dbtRunnerResult:
    from dbt.cli.main import dbtRunner, dbtRunnerResult
    from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
    from prefect_dbt.core import runner as prefect_dbt_runner

    # Without a level, prefect-dbt uses Prefect's own, and fails on those that dbt does not know, such as WARNING.
    settings = PrefectDbtSettings(
        project_dir=project.project_dir,
        profiles_dir=project.project_dir / "profiles",
        target_path=project.work_dir / "target",
        log_level="info",
    )
    runner = PrefectDbtRunner(manifest=manifest, settings=settings, raise_on_failure=False, disable_assets=True)
    errors: list[BaseException] = []
    runner.on_run_end(lambda ended: errors.append(ended.error) if ended.error else None)
    # prefect-dbt 0.7 uses the manifest only for its task runs and lets dbt parse the project again, which takes 2 s
    # per run.
    original, prefect_dbt_runner.dbtRunner = prefect_dbt_runner.dbtRunner, partial(dbtRunner, manifest)
    try:
        outcome: dbtRunnerResult = runner.invoke(list(arguments))
    except ValueError:
        # prefect-dbt's own error, which has only the text of the error that ended dbt.
        if not errors:
            raise
        return dbtRunnerResult(success=False, exception=errors[0])
    finally:
        prefect_dbt_runner.dbtRunner = original
    return outcome


def _forward(log: Log) -> Callable[[Any], None]:
    def on_event(event: Any) -> None:
        if event.info.name == _TRACEBACK:
            return
        level = _LEVELS.get(str(getattr(event.info.level, "value", event.info.level)))
        # Report each message as one: its further lines may be foreign text, and the receiver indents them.
        text = "\n".join(line for line in shortened(str(event.info.msg)).split("\n") if line.strip())
        if level and text:
            log.log(level, text)

    return on_event


@contextmanager
def open_results() -> Iterator[Query]:
    """Yield a function that returns the rows of a query from the database that dbt just used, inside its session.

    All queries share one connection, because opening one through dbt's adapter takes longer than most queries.

    Raises:
        PlatformFailed: DuckDB cannot read what it has just written.
    """
    import duckdb
    from dbt.adapters.factory import get_adapter_by_type
    from dbt_common.exceptions import DbtBaseException

    adapter: Any = get_adapter_by_type("duckdb")  # type: ignore[no-untyped-call]

    def query(sql: str) -> list[dict[str, Any]]:
        _, cursor = adapter.connections.add_query(sql, auto_begin=False)
        return rows_by_name(cursor)

    try:
        with adapter.connection_named("after_run"):
            yield query
    except (DbtBaseException, duckdb.Error) as error:
        raise PlatformFailed(f"what dbt built cannot be read: {error}") from error


def rows_by_name(cursor: Any) -> list[dict[str, Any]]:
    """Return the rows of a cursor of PEP 249, each by column name."""
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _release() -> None:
    """Close what dbt leaves open: the database, which would stay in memory with all its tables, and the log file."""
    if "dbt.adapters.duckdb.connections" in sys.modules:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    if "dbt_common.events" in sys.modules:
        from dbt_common.events.event_manager_client import cleanup_event_logger

        cleanup_event_logger()
        log_file = logging.getLogger("file_log")
        for handler in log_file.handlers[:]:
            log_file.removeHandler(handler)
            # On a full disk only the last lines of the log are lost.
            with suppress(OSError):
                handler.close()
