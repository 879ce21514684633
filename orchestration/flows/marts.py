"""The flow `marts`: what many dates say together, rebuilt from the published ones, each step a task."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State

from orchestration.flows.runs import origin_of, settings_for, state_of, tasks_of
from orchestration.lake import open_lake
from orchestration.marts import MartsStages, run_marts
from orchestration.publish import Published
from orchestration.request import MartsRequest


@flow(name="marts", flow_run_name="marts", persist_result=False)
def marts(repo: str = "project", bucket: str = "lakefs", force: bool = False) -> State[Any]:
    """Publish the marts: build them from all published dates of one commit of main, test, vouch, merge.

    Args:
        repo: The lakeFS repository.
        bucket: The storage bucket that the repository must live in, checked before anything is written.
        force: Build again although neither the dates nor the code changed.
    """

    def run() -> Published:
        settings = settings_for(repo, bucket)
        request = MartsRequest(
            lake=open_lake(settings),
            settings=settings,
            report=get_run_logger().info,
            force=force,
            task_runs=settings.elt.dbt_task_runs,
            origin=origin_of(settings),
        )
        return run_marts(request, tasks_of(MartsStages()))

    return state_of("marts", run)
