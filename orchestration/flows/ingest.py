"""The flow `ingest-clean`: one date from the API to `main`, each step of the run protocol a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from orchestration.dates import parse_execution_date
from orchestration.errors import IngestCleanError, PlatformFailed
from orchestration.lake import open_lake
from orchestration.request import LINK, Request, RunType, code_version
from orchestration.run import Stages, run_date
from orchestration.settings import Settings, read_settings


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


def _run_name() -> str:
    parameters = flow_run.parameters
    return f"{parameters.get('execution_date')} {parameters.get('run_type')}"


@flow(name="ingest-clean", flow_run_name=_run_name, persist_result=False)
def ingest_clean(
    execution_date: str,
    run_type: RunType = "daily",
    repo: str = "project",
    bucket: str = "lakefs",
    force: bool = False,
) -> State[Any]:
    """Publish one date: fetch, land, clean, test, vouch, merge.

    Args:
        execution_date: The logical day, YYYY-MM-DD in UTC.
        run_type: `daily` shows each dbt node as a task run; `backfill` does not.
        repo: The lakeFS repository.
        bucket: The storage bucket that the repository must live in, checked before anything is written.
        force: Build again although neither raw nor code changed.
    """
    logger = get_run_logger()
    try:
        date = parse_execution_date(execution_date)
        settings = _settings(repo, bucket)
        request = Request(
            date,
            open_lake(settings),
            settings,
            logger.info,
            run_type=run_type,
            force=force,
            task_runs=run_type == "daily" and settings.elt.dbt_task_runs,
            origin=_origin(settings),
        )
        published = run_date(request, Stages(**{name: _stage(step) for name, step in vars(Stages()).items()}))
    except IngestCleanError as error:
        return Failed(name=error.outcome, message=error.describe())
    except Exception as error:
        # Left to Prefect it would be kept in a file whole, and a request in it has its credentials.
        logger.exception("not foreseen")
        return Failed(name=PlatformFailed.outcome, message=f"{execution_date}: {type(error).__name__}: {error}")
    return Completed(name=published.outcome.capitalize(), message=str(published), data=published)


def _settings(repo: str, bucket: str) -> Settings:
    settings = read_settings()
    return replace(settings, elt=settings.elt.model_copy(update={"repository": repo, "bucket": bucket}))


def _origin(settings: Settings) -> dict[str, str]:
    return {
        "code_version": code_version(settings.project_dir),
        "flow_run_id": str(flow_run.id or ""),
        LINK: str(flow_run.ui_url or ""),
    }
