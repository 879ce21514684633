"""What the flows share: steps as tasks, settings, how a run ends as a Prefect state, and what is shown of it."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from orchestration import errors
from orchestration.context import LINK, code_version
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import IngestCleanError, PlatformFailed, TimedOut
from orchestration.flows.artifacts import before_and_after, commit_url, dbt_table, summary
from orchestration.flows.secrets import completed
from orchestration.lake.client import Lake
from orchestration.lake.receipt import Receipt
from orchestration.private import restrict_rights
from orchestration.progress import Report, level_of
from orchestration.publish import Published
from orchestration.settings import Settings, read_settings, warn_of_readable_secrets
from orchestration.steps import IN_DOUBT
from orchestration.text import log_line, shortened
from orchestration.time_limit import time_limit


@dataclass
class Watch:
    """What the steps of one run gave and how long they took, kept for what is shown at its end."""

    subject: str
    lake: Lake | None = None
    former: Receipt | None = None
    built: BuildResult | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    errors: list[IngestCleanError] = field(default_factory=list)

    def keep(self, built: BuildResult) -> None:
        """Takes what dbt built, before it is judged."""
        self.built = built

    def tasks_of(self, stages: Any) -> Any:
        """The same dataclass of steps, each of them a task."""
        return replace(stages, **{name: self._stage(step) for name, step in vars(stages).items()})

    def _stage(self, function: Callable[..., Any]) -> Any:
        """A step as a task; an error of ours is its state, named for the outcome, and not a traceback in the log."""

        # Steps hold connections and files of this run: neither cached nor kept. What is worth another try is tried
        # inside.
        @task(name=function.__name__, cache_policy=NO_CACHE, persist_result=False)
        @wraps(function)
        def stage(*arguments: Any) -> Any:
            begun = time.monotonic()
            try:
                return function(*arguments)
            except IngestCleanError as error:
                # Whole it stands in the flow run's state; Prefect would log it three times more.
                self.errors.append(error)
                return _ending(error, error.cause.partition("\n")[0])
            finally:
                spent = time.monotonic() - begun
                self.seconds[function.__name__] = self.seconds.get(function.__name__, 0.0) + spent

        def run_stage(*arguments: Any) -> Any:
            failed = len(self.errors)
            state = stage(*arguments, return_state=True)
            if len(self.errors) > failed:
                raise self.errors[-1]
            result = state.result()
            self.former = getattr(result, "former", None) or self.former
            return result

        return run_stage


def state_of(watch: Watch, run: Callable[[], Published]) -> State[Any]:
    """The state that a run ends in, named for its outcome; what is to be seen of it is in artifacts then."""
    published: list[Published] = []

    def completed_run() -> State[Any]:
        published.append(run())
        return Completed(name=published[0].outcome.capitalize(), message=str(published[0]), data=published[0])

    state = guarded(watch.subject, completed_run)
    try:
        _show(watch, state, published[0] if published else None)
    except Exception as error:
        # What a run did stands, shown or not.
        get_run_logger().warning("no artifacts: %s: %s", type(error).__name__, shortened(str(error)))
    return state


def guarded(subject: str, run: Callable[[], State[Any]]) -> State[Any]:
    """The state that `run` gives, or one named for what it raised."""
    restrict_rights()
    escape_run_logs()
    try:
        with time_limit(read_settings().elt.run_timeout):
            return run()
    except TimedOut as error:
        # Outside a step nothing has said so.
        error.subject, error.main = error.subject or subject, error.main or IN_DOUBT
        return _ending(error, error.describe(), data=error)
    except IngestCleanError as error:
        return _ending(error, error.describe(), data=error)
    except Exception as error:
        # Left to Prefect it would be kept in a file whole, and a request in it has its credentials.
        stack = "".join(traceback.format_tb(error.__traceback__))
        get_run_logger().error("not foreseen: %s: %s\n%s", type(error).__name__, shortened(str(error)), stack)
        failure = PlatformFailed(f"{type(error).__name__}: {error}")
        failure.subject = subject
        return _ending(failure, failure.describe(), data=failure)


def _ending(error: IngestCleanError, message: str, data: IngestCleanError | None = None) -> State[Any]:
    """Return the state for an error; `data` stays in this process, as results are not persisted."""
    if isinstance(error, errors.Cancelled):
        return Cancelled(name=error.outcome, message=message, data=data)
    return Failed(name=error.outcome, message=message, data=data)


def _show(watch: Watch, state: State[Any], published: Published | None) -> None:
    link = None
    if published and watch.lake:
        link = commit_url(watch.lake.connection.access.endpoint, watch.lake.repository, published.commit)
        create_link_artifact(link, f"{watch.subject} on main", key="lakefs-commit", description=str(published))
    title = f"{watch.subject} {state.name}"
    text = summary(title, state.message or "", watch.built, watch.seconds, link)
    create_markdown_artifact(text, key="run-summary", description=title)
    if watch.built:
        create_table_artifact(dbt_table(watch.built), key="dbt-results", description=title)
    if published and watch.former and published.outcome == "superseded":
        rows = before_and_after(watch.former, published.rows)
        create_table_artifact(rows, key="superseded-rows", description=title)


def logged() -> Report:
    """Return a report that writes to the run's log, each line at its own level."""
    logger = get_run_logger()
    return lambda line: logger.log(level_of(line), "%s", line)


class _Printable(logging.Filter):
    """Makes records of runs safe for terminals: dbt's and Prefect's own lines carry foreign text as well."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = log_line(record.getMessage()), None
        return True


_PRINTABLE = _Printable()


def escape_run_logs() -> None:
    """Make all lines that flow runs and task runs of this process log printable and bounded."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_PRINTABLE)


def settings_for(repo: str, bucket: str) -> Settings:
    """The settings, with the repository and bucket that the flow was told, and secrets from Prefect's blocks."""
    settings = completed(read_settings())
    warn_of_readable_secrets(settings, logged())
    return replace(settings, elt=settings.elt.model_copy(update={"repository": repo, "bucket": bucket}))


def origin_of(settings: Settings) -> dict[str, str]:
    """Commit metadata that leads back to the flow run we are in and to the code."""
    return {
        "code_version": code_version(settings.project_dir),
        "flow_run_id": str(flow_run.id or ""),
        LINK: str(flow_run.ui_url or ""),
    }
