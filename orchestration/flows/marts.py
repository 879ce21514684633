"""The flow `marts`: publish the marts of all published dates, with each step as a task."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from orchestration.context import MartsRun, RunContext, RunRecord
from orchestration.endpoints import open_lake
from orchestration.flows.hooks import notify
from orchestration.flows.states import origin_of, published_state, run_log, settings_for
from orchestration.flows.tasks import step_task
from orchestration.marts import (
    MartsSteps,
    audit_marts,
    extract_dates,
    land_branch,
    run_marts,
    transform_marts,
)
from orchestration.publish import RunResult, publish
from orchestration.settings import EngineName

STEPS = MartsSteps(
    extract=step_task(extract_dates, "extract"),
    land=step_task(land_branch, "land"),
    transform=step_task(transform_marts, "transform"),
    audit=step_task(audit_marts, "audit"),
    publish=step_task(publish, "publish"),
)
"""The steps of the run protocol, each as a task."""


@flow(
    name="marts",
    flow_run_name="marts",
    persist_result=False,
    on_failure=[notify],
    on_crashed=[notify],
    on_cancellation=[notify],
)
def marts(
    repo: str | None = None, bucket: str | None = None, full: bool = False, engine: EngineName | None = None
) -> State[Any]:
    """Publish the marts from all published dates of one commit of main: extract, land, transform, audit, publish.

    Args:
        repo: The lakeFS repository; default: ELT_REPOSITORY of the worker.
        bucket: The storage bucket that the repository must live in, checked before anything is written; default:
            ELT_BUCKET of the worker.
        full: Build all dates, even if neither they nor the code changed.
        engine: The engine of the dbt build, `duckdb` or `spark`; default: ELT_ENGINE of the worker.
    """
    record = RunRecord()

    def publish_marts() -> tuple[RunContext, RunResult]:
        settings = settings_for(repo, bucket, engine)
        run = MartsRun(
            lake=open_lake(settings),
            settings=settings,
            log=run_log(),
            force=full,
            task_runs=settings.elt.dbt_task_runs,
            origin=origin_of(settings),
            record=record,
        )
        return run, run_marts(run, STEPS)

    return published_state("marts", record, publish_marts)
