"""The flow `ingest-clean`: one date from the API to `main`, each step of the run protocol a task."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from orchestration.dates import parse_execution_date
from orchestration.flows.runs import origin_of, settings_for, state_of, tasks_of
from orchestration.lake import open_lake
from orchestration.publish import Published
from orchestration.request import DateRequest, RunType
from orchestration.run import Stages, run_date


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

    def run() -> Published:
        date = parse_execution_date(execution_date)
        settings = settings_for(repo, bucket)
        request = DateRequest(
            execution_date=date,
            lake=open_lake(settings),
            settings=settings,
            report=get_run_logger().info,
            run_type=run_type,
            force=force,
            task_runs=run_type == "daily" and settings.elt.dbt_task_runs,
            origin=origin_of(settings),
        )
        return run_date(request, tasks_of(Stages()))

    return state_of(execution_date, run)
