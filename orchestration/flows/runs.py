"""What the flows share: steps as tasks, settings, and how a run ends as a Prefect state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from orchestration.errors import IngestCleanError, PlatformFailed
from orchestration.publish import Published
from orchestration.request import LINK, code_version
from orchestration.settings import Settings, read_settings


def tasks_of(stages: Any) -> Any:
    """The same dataclass of steps, each of them a task."""
    return replace(stages, **{name: _stage(step) for name, step in vars(stages).items()})


def _stage(function: Callable[..., Any]) -> Any:
    """A step as a task; an error of ours is its state, named for the outcome, and not a traceback in the log."""

    # Steps hold connections and files of this run: neither cached nor kept. What is worth another try is tried inside.
    @task(name=function.__name__, cache_policy=NO_CACHE, persist_result=False)
    @wraps(function)
    def stage(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except IngestCleanError as error:
            return Failed(name=error.outcome, message=error.describe(), data=error)

    def run_stage(*arguments: Any) -> Any:
        return stage(*arguments, return_state=True).result()

    return run_stage


def state_of(subject: str, run: Callable[[], Published]) -> State[Any]:
    """The state that a run of `subject` ends in, named for its outcome."""
    try:
        published = run()
    except IngestCleanError as error:
        return Failed(name=error.outcome, message=error.describe())
    except Exception as error:
        # Left to Prefect it would be kept in a file whole, and a request in it has its credentials.
        get_run_logger().exception("not foreseen")
        return Failed(name=PlatformFailed.outcome, message=f"{subject}: {type(error).__name__}: {error}")
    return Completed(name=published.outcome.capitalize(), message=str(published), data=published)


def settings_for(repo: str, bucket: str) -> Settings:
    """The settings, with the repository and bucket that the flow was told."""
    settings = read_settings()
    return replace(settings, elt=settings.elt.model_copy(update={"repository": repo, "bucket": bucket}))


def origin_of(settings: Settings) -> dict[str, str]:
    """Commit metadata that leads back to the flow run we are in and to the code."""
    return {
        "code_version": code_version(settings.project_dir),
        "flow_run_id": str(flow_run.id or ""),
        LINK: str(flow_run.ui_url or ""),
    }
