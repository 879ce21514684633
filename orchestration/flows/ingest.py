"""The flow `ingest-clean`: one date from the API to `main`, each step of the run protocol a task."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from orchestration.context import DateRequest, RunType
from orchestration.dates import day_before, parse_execution_date
from orchestration.flows.hooks import notify
from orchestration.flows.states import Watch, logged, origin_of, settings_for, state_of
from orchestration.lake.client import open_lake
from orchestration.publish import Published
from orchestration.run import Stages, run_date


def _date() -> str:
    """The date that was asked for, else the day before the scheduled start, however late the run begins."""
    return flow_run.parameters.get("execution_date") or day_before(flow_run.scheduled_start_time)


def _run_name() -> str:
    return f"{_date()} {flow_run.parameters.get('run_type')}"


@flow(
    name="ingest-clean",
    flow_run_name=_run_name,
    persist_result=False,
    on_failure=[notify],
    on_crashed=[notify],
    on_cancellation=[notify],
)
def ingest_clean(
    execution_date: str | None = None,
    run_type: RunType = "daily",
    repo: str = "project",
    bucket: str = "lakefs",
    force: bool = False,
) -> State[Any]:
    """Publish one date: fetch, land, clean, test, vouch, merge.

    Args:
        execution_date: The logical day, YYYY-MM-DD in UTC; the day before the scheduled start unless given.
        run_type: `daily` shows each dbt node as a task run and tells of failures; `backfill` does neither, and is more
            patient with the source.
        repo: The lakeFS repository.
        bucket: The storage bucket that the repository must live in, checked before anything is written.
        force: Build again although neither raw nor code changed, and publish although a table would lose more of its
            published rows than `loss_limit` allows.
    """
    watch = Watch(_date())

    def run() -> Published:
        date = parse_execution_date(watch.subject)
        settings = settings_for(repo, bucket)
        watch.lake = open_lake(settings)
        request = DateRequest(
            execution_date=date,
            lake=watch.lake,
            settings=settings,
            report=logged(),
            run_type=run_type,
            force=force,
            task_runs=run_type == "daily" and settings.elt.dbt_task_runs,
            origin=origin_of(settings),
            keep=watch.keep,
        )
        return run_date(request, watch.tasks_of(Stages()))

    return state_of(watch, run)
