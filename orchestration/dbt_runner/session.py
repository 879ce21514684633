"""dbt inside this process: one invocation at a time, its environment put back afterwards.

dbt's adapters, its flags and dbt-duckdb's database are global to a process: two invocations at once wrote one run's
rows into the other's branch and called it a success. So a second one is refused; builds side by side want processes.
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
from orchestration.progress import Line, Report, silent
from orchestration.text import shortened
from orchestration.workdir import disk_failed

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest

_ONE_AT_A_TIME = threading.Lock()
_SPOKEN_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_TRACEBACK = "MainStackTrace"
"""Of what ended dbt, which we raise or tell ourselves."""


@dataclass(frozen=True)
class Project:
    """Where dbt finds its project and leaves its files.

    Attributes:
        project_dir: The folder of dbt_project.yml and profiles/.
        target: The profile's target.
        work_dir: Takes this invocation's target and log folders; shared with no other.
    """

    project_dir: Path
    target: str
    work_dir: Path

    def arguments(self, command: str, *rest: str) -> list[str]:
        """The argument list of a dbt `command` on this project."""
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
    """Hold this process's one dbt session, with `environment` set for as long.

    Raises:
        PlatformFailed: Another session is under way in this process.
    """
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise PlatformFailed(
            "another dbt run is under way in this process",
            remedy="run dates side by side in processes of their own",
        )
    before, loud = dict(os.environ), logging.raiseExceptions
    try:
        os.environ.update(environment)
        # On a full disk each line of dbt's log would be a traceback on the console.
        logging.raiseExceptions = False
        yield
    finally:
        try:
            _let_go()
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
    report: Report = silent,
) -> dbtRunnerResult:
    """Run dbt with `arguments` inside a `dbt_session` and return what dbt returns.

    Args:
        project: As `arguments` name it.
        arguments: Command and options, best from `Project.arguments`.
        manifest: Of the same target; without it dbt parses the project.
        task_runs: Make each node a task run of the Prefect flow run we are in, at 0.18 s a node; Prefect has the log
            lines then, not `report`.
        report: Takes dbt's lines of level info and above.

    Raises:
        SpoolFailed: The disk did not take dbt's files.
    """
    if task_runs:
        outcome = _with_task_runs(project, arguments, manifest)
    else:
        from dbt.cli.main import dbtRunner

        # The callback has the lines, at their levels; dbt's own console would say them twice.
        levels = ("--log-level", "none", "--log-level-file", "debug")
        outcome = dbtRunner(manifest=manifest, callbacks=[_forward(report)]).invoke([*arguments, *levels])
    error = outcome.exception
    if isinstance(error, OSError):
        raise disk_failed(project.work_dir, error) from error
    if error is not None and not isinstance(error, Exception):
        # Ctrl-C and SIGTERM, which dbt holds back like any failure.
        raise error
    return outcome


def _with_task_runs(project: Project, arguments: Sequence[str], manifest: Manifest | None) -> dbtRunnerResult:
    from dbt.cli.main import dbtRunner, dbtRunnerResult
    from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
    from prefect_dbt.core import runner as prefect_dbt_runner

    # Without a level prefect-dbt takes Prefect's own, and fails on those dbt does not know, such as WARNING.
    settings = PrefectDbtSettings(
        project_dir=project.project_dir,
        profiles_dir=project.project_dir / "profiles",
        target_path=project.work_dir / "target",
        log_level="info",
    )
    runner = PrefectDbtRunner(manifest=manifest, settings=settings, raise_on_failure=False, disable_assets=True)
    errors: list[BaseException] = []
    runner.on_run_end(lambda ended: errors.append(ended.error) if ended.error else None)
    # prefect-dbt 0.7 takes the manifest for its task runs only, and lets dbt parse the project again: 2 s of each run.
    theirs, prefect_dbt_runner.dbtRunner = prefect_dbt_runner.dbtRunner, partial(dbtRunner, manifest)
    try:
        outcome: dbtRunnerResult = runner.invoke(list(arguments))
    except ValueError:
        # Its own, with no more than the words of what ended dbt.
        if not errors:
            raise
        return dbtRunnerResult(success=False, exception=errors[0])
    finally:
        prefect_dbt_runner.dbtRunner = theirs
    return outcome


def _forward(report: Report) -> Callable[[Any], None]:
    def on_event(event: Any) -> None:
        if event.info.name == _TRACEBACK:
            return
        level = _SPOKEN_LEVELS.get(str(getattr(event.info.level, "value", event.info.level)))
        # One report each: what follows the first line may be foreign text, and listeners indent it.
        text = "\n".join(line for line in shortened(str(event.info.msg)).split("\n") if line.strip())
        if level and text:
            report(Line(text, level))

    return on_event


def query(sql: str) -> list[dict[str, Any]]:
    """The rows of `sql` in the database dbt just used: inside its session, through its adapter.

    Raises:
        PlatformFailed: DuckDB can't read what it has just written.
    """
    import duckdb
    from dbt.adapters.factory import get_adapter_by_type
    from dbt_common.exceptions import DbtBaseException

    adapter: Any = get_adapter_by_type("duckdb")  # type: ignore[no-untyped-call]
    try:
        with adapter.connection_named("after_run"):
            _, cursor = adapter.connections.add_query(sql, auto_begin=False)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except (DbtBaseException, duckdb.Error) as error:
        raise PlatformFailed(f"what dbt built cannot be read: {error}") from error


def _let_go() -> None:
    """Close what dbt leaves open: the database, which would live on with all its tables, and the log file."""
    if "dbt.adapters.duckdb.connections" in sys.modules:
        from dbt.adapters.duckdb.connections import DuckDBConnectionManager

        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    if "dbt_common.events" in sys.modules:
        from dbt_common.events.event_manager_client import cleanup_event_logger

        cleanup_event_logger()
        log_file = logging.getLogger("file_log")
        for handler in log_file.handlers[:]:
            log_file.removeHandler(handler)
            # On a full disk its last lines are lost, and that is all.
            with suppress(OSError):
                handler.close()
