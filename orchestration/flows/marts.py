"""The flow `marts`: what many dates say together, rebuilt from the published ones, each step a task."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from orchestration.context import MartsRequest
from orchestration.flows.hooks import notify
from orchestration.flows.states import Watch, logged, origin_of, settings_for, state_of
from orchestration.lake.client import open_lake
from orchestration.marts import MartsStages, run_marts
from orchestration.publish import Published


@flow(
    name="marts",
    flow_run_name="marts",
    persist_result=False,
    on_failure=[notify],
    on_crashed=[notify],
    on_cancellation=[notify],
)
def marts(repo: str = "project", bucket: str = "lakefs", force: bool = False) -> State[Any]:
    """Publish the marts: build them from all published dates of one commit of main, test, vouch, merge.

    Args:
        repo: The lakeFS repository.
        bucket: The storage bucket that the repository must live in, checked before anything is written.
        force: Build again although neither the dates nor the code changed.
    """
    watch = Watch("marts")

    def run() -> Published:
        settings = settings_for(repo, bucket)
        watch.lake = open_lake(settings)
        request = MartsRequest(
            lake=watch.lake,
            settings=settings,
            report=logged(),
            force=force,
            task_runs=settings.elt.dbt_task_runs,
            origin=origin_of(settings),
            keep=watch.keep,
        )
        return run_marts(request, watch.tasks_of(MartsStages()))

    return state_of(watch, run)
