"""Code that the flows share: settings, the run's log, and the Prefect state and artifacts that a run ends with."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.client.schemas.objects import State
from prefect.context import TagsContext
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from prefect.utilities.urls import url_for

from orchestration import errors
from orchestration.arenas import share_arenas
from orchestration.context import RunContext, RunRecord, code_version
from orchestration.errors import IngestCleanError, PlatformFailed, TimedOut, UsageError
from orchestration.flows.artifacts import before_and_after, commit_url, dbt_table, summary
from orchestration.flows.secrets import with_secrets
from orchestration.lake.keys import LINK
from orchestration.log import Log
from orchestration.private import restrict_rights
from orchestration.project import is_of_another, own_name
from orchestration.publish import RunResult
from orchestration.settings import EngineName, Settings, read_settings, warn_of_readable_secrets
from orchestration.steps import IN_DOUBT
from orchestration.text import log_line, shortened
from orchestration.time_limit import time_limit


def published_state(subject: str, record: RunRecord, publish: Callable[[], tuple[RunContext, RunResult]]) -> State[Any]:
    """Run `publish`, create the run's artifacts and return the flow run's final state, named for the outcome."""
    runs: list[tuple[RunContext, RunResult]] = []

    def completed_run() -> State[Any]:
        runs.append(publish())
        result = runs[0][1]
        return Completed(name=result.outcome.capitalize(), message=str(result), data=result)

    state = guarded_state(subject, completed_run)
    try:
        _make_artifacts(subject, record, state, *(runs[0] if runs else (None, None)))
    except Exception as error:
        # A failure to create artifacts does not change the run's outcome.
        get_run_logger().warning("cannot create artifacts: %s: %s", type(error).__name__, shortened(str(error)))
    return state


def guarded_state(subject: str, run: Callable[[], State[Any]], *, limited: bool = True) -> State[Any]:
    """Return the state that `run` returns, or one named for the error that it raised.

    Args:
        subject: What the run publishes, as messages name it.
        run: The run.
        limited: Whether ELT_RUN_TIMEOUT limits the whole run.
    """
    restrict_rights()
    share_arenas()
    escape_run_logs()
    try:
        # Task runs would inherit the tags of `elt run`, and Prefect asks the server for a slot of each tag they have.
        with TagsContext(current_tags=set()), time_limit(read_settings().elt.run_timeout) if limited else nullcontext():
            return run()
    except TimedOut as error:
        # An error raised outside a step has neither subject nor `main`.
        error.subject, error.main = error.subject or subject, error.main or IN_DOUBT
        return failed_state(error, error.describe(), data=error)
    except IngestCleanError as error:
        return failed_state(error, error.describe(), data=error)
    except Exception as error:
        # Prefect would store the complete error in a file, and a request in it contains credentials.
        stack = "".join(traceback.format_tb(error.__traceback__))
        get_run_logger().error("unexpected error: %s: %s\n%s", type(error).__name__, shortened(str(error)), stack)
        failure = PlatformFailed(f"{type(error).__name__}: {error}")
        failure.subject = subject
        return failed_state(failure, failure.describe(), data=failure)


def failed_state(error: IngestCleanError, message: str, data: IngestCleanError) -> State[Any]:
    """Return the state for an error. `data` stays in this process, since results are not persisted."""
    if isinstance(error, errors.Cancelled):
        return Cancelled(name=error.outcome, message=message, data=data)
    return Failed(name=error.outcome, message=message, data=data)


def _make_artifacts(
    subject: str, record: RunRecord, state: State[Any], run: RunContext | None, result: RunResult | None
) -> None:
    link = None
    if run and result:
        link = commit_url(run.lake.connection.access.endpoint, run.lake.repository, result.commit)
        create_link_artifact(link, f"{subject} on main", key=own_key("lakefs-commit"), description=str(result))
    title = f"{subject} {state.name}"
    superseded = []
    if result and record.former and result.outcome == "superseded":
        superseded = before_and_after(record.former, result.rows)
    text = summary(title, state.message or "", record.built, record.seconds, link, superseded)
    create_markdown_artifact(text, key=own_key("run-summary"), description=title)
    if record.built:
        create_table_artifact(dbt_table(record.built), key=own_key("dbt-results"), description=title)
    if superseded:
        create_table_artifact(superseded, key=own_key("superseded-rows"), description=title)


def own_key(name: str) -> str:
    """Return the key of an artifact of this project. Prefect shows artifacts with the same key as versions of one."""
    return own_name(read_settings().project, name)


def run_log() -> Log:
    """Return the log of the current flow run."""
    return get_run_logger()


class _Printable(logging.Filter):
    """Makes log records of runs safe for terminals. Lines of dbt and Prefect contain foreign text too."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = log_line(record.getMessage()), None
        # Prefect logs a failed state with the traceback of no exception, which is printed as "NoneType: None".
        if record.exc_info and not record.exc_info[0]:
            record.exc_info = None
        return True


_PRINTABLE = _Printable()


def escape_run_logs() -> None:
    """Make all lines that flow runs and task runs of this process log printable, and limit their length."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_PRINTABLE)


def settings_for(repo: str | None, bucket: str | None, engine: EngineName | None = None) -> Settings:
    """Return the settings with what the flow's parameters give, and with secrets from Prefect's blocks.

    Raises:
        UsageError: The flow run is one of another project, whose work pool this worker serves.
    """
    own = read_settings()
    if is_of_another(flow_run.tags, own.project):
        raise UsageError(
            f"this worker runs the project {own.project}, and the flow run has the tags {', '.join(flow_run.tags)}",
            remedy="start a worker in the other project's folder, and let each serve the pool of its own prefect.yaml",
        )
    settings = with_secrets(own)
    warn_of_readable_secrets(settings, run_log())
    return settings.with_elt(repository=repo, bucket=bucket, engine=engine)


def origin_of(settings: Settings) -> dict[str, str]:
    """Return commit metadata that identifies the current flow run and the code."""
    return {
        "code_version": settings.elt.code_version or code_version(settings.project_dir),
        "flow_run_id": str(flow_run.id or ""),
        LINK: page_of(flow_run.id),
    }


def page_of(run_id: object) -> str:
    """Return the address of a flow run's page in Prefect; empty without a run or without known pages."""
    return (url_for("flow-run", obj_id=str(run_id)) if run_id else None) or ""
