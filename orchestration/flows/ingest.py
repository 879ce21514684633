"""The flow `ingest-clean`: one date from the API to `main`, with each step of the run protocol as a task."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run

from orchestration.audit import audit
from orchestration.context import DateRun, RunContext, RunRecord
from orchestration.dates import parse_execution_date
from orchestration.endpoints import open_lake
from orchestration.extract import extract
from orchestration.flows.hooks import notify
from orchestration.flows.lookback import start_earlier_dates
from orchestration.flows.nights import own_date
from orchestration.flows.states import origin_of, published_state, run_log, settings_for
from orchestration.flows.tasks import step_task
from orchestration.land import land
from orchestration.publish import RunResult, publish
from orchestration.run import DateSteps, run_date
from orchestration.settings import EngineName
from orchestration.source.retry import RunType
from orchestration.transform import transform

STEPS = DateSteps(
    extract=step_task(extract, "extract"),
    land=step_task(land, "land"),
    transform=step_task(transform, "transform"),
    audit=step_task(audit, "audit"),
    publish=step_task(publish, "publish"),
)
"""The steps of the run protocol, each as a task."""


def _run_name() -> str:
    return f"{own_date()} {flow_run.parameters.get('run_type')}"


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
    repo: str | None = None,
    bucket: str | None = None,
    force: bool = False,
    sources: list[str] | None = None,
    engine: EngineName | None = None,
) -> State[Any]:
    """Publish one date: extract, land, transform, audit, publish.

    Without a date, a run of a deployment then starts further runs: for dates that were missed, and for the earlier
    days of sources with a lookback.

    Args:
        execution_date: The logical day, YYYY-MM-DD in UTC; default: the day before the scheduled start.
        run_type: `daily` notifies of failures, and shows each dbt node as a task run if ELT_DBT_TASK_RUNS is set;
            `backfill` does neither, and has longer waits between retries against the source.
        repo: The lakeFS repository; default: ELT_REPOSITORY of the worker.
        bucket: The storage bucket that the repository must live in, checked before anything is written; default:
            ELT_BUCKET of the worker.
        force: Build even if neither raw nor code changed, and publish even if a table would lose more of its
            published rows than `loss_limit` allows.
        sources: The dbt sources to fetch; the raw of the others is taken from `main`, if it has the date. Default: all.
        engine: The engine of the dbt build, `duckdb` or `spark`; default: ELT_ENGINE of the worker.
    """
    subject, record = own_date(), RunRecord()

    def publish_date() -> tuple[RunContext, RunResult]:
        date = parse_execution_date(subject)
        settings = settings_for(repo, bucket, engine)
        run = DateRun(
            execution_date=date,
            lake=open_lake(settings),
            settings=settings,
            log=run_log(),
            run_type=run_type,
            sources=None if sources is None else tuple(sources),
            force=force,
            task_runs=run_type == "daily" and settings.elt.dbt_task_runs,
            origin=origin_of(settings),
            record=record,
        )
        return run, run_date(run, STEPS)

    state = published_state(subject, record, publish_date)
    if execution_date is None:
        start_earlier_dates(subject, state, {"repo": repo, "bucket": bucket, "engine": engine})
    return state
