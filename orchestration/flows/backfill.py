"""The flow `backfill`: a range of dates as flow runs of several workers, each with a chunk of the dates.

A run without `dates` makes the plan, and creates one further run of its deployment for each chunk. In a chunk's run
each date is a task run. The chunk that ends last starts the marts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

from prefect import flow, runtime, task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging import get_logger
from prefect.states import Completed, Failed

from orchestration.backfill.dates import DateEnd, Dates, Order
from orchestration.backfill.plan import BackfillPlan, plan_backfill, range_of
from orchestration.backfill.run import outcome_of
from orchestration.endpoints import open_lake
from orchestration.errors import IngestCleanError, UsageError, error_class
from orchestration.flows.own import MARTS, own_deployment
from orchestration.flows.states import failed_state, guarded_state, origin_of, run_log, settings_for
from orchestration.settings import EngineName, read_settings
from orchestration.text import shortened


def _run_name() -> str:
    given = runtime.flow_run.parameters
    dates = given.get("dates")
    return f"{dates[0]} to {dates[-1]}" if dates else f"plan {given.get('first')} to {given.get('last')}"


def _start_marts(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Start the marts after the last chunk of a backfill, unless it was asked for without marts."""
    given = flow_run.parameters
    of = given.get("of")
    if not of or not given.get("marts", True):
        return
    try:
        with get_client(sync_client=True) as client:
            if not _has_unfinished_chunks(client, of):
                project = read_settings().project
                marts = own_deployment(client, project, MARTS)
                if marts is None:
                    raise UsageError(f"Prefect has no deployment of them for the project {project}: elt deploy")
                # Two chunks may both find that they were the last.
                client.create_flow_run_from_deployment(
                    marts.id,
                    parameters={name: given[name] for name in ("repo", "bucket", "engine") if name in given},
                    idempotency_key=f"marts after backfill {of}",
                )
    except Exception as error:
        get_logger("ingest_clean").warning(
            "cannot start the marts after the backfill: %s: %s", type(error).__name__, shortened(str(error))
        )


@flow(
    name="backfill",
    flow_run_name=_run_name,
    persist_result=False,
    on_completion=[_start_marts],
    on_failure=[_start_marts],
    on_crashed=[_start_marts],
    on_cancellation=[_start_marts],
)
def backfill(
    first: str,
    last: str,
    only: Literal["missing", "changed", "rejected", "all"] | None = None,
    from_raw: bool = False,
    marts: bool = True,
    chunk: int = 30,
    max_failures: int | None = None,
    repo: str | None = None,
    bucket: str | None = None,
    engine: EngineName | None = None,
    dates: list[str] | None = None,
    of: str | None = None,
) -> State[Any]:
    """Publish a range of dates: plan it, and create a flow run for each chunk of its dates.

    Args:
        first: The first date, YYYY-MM-DD in UTC.
        last: The last date, which is included.
        only: `missing`: dates that main does not have; `changed`: built by other code; `rejected`: with rejected rows
            that the code accepts now; `all`. Default: `missing`, with `from_raw` `changed`.
        from_raw: Rebuild dates from raw that has landed. Nothing is fetched.
        marts: Build the marts after the last chunk.
        chunk: The number of dates of one flow run.
        max_failures: Start no further date of a chunk after so many failures; default: start all.
        repo: The lakeFS repository; default: ELT_REPOSITORY of the worker.
        bucket: The storage bucket that the repository must live in, checked before anything is written; default:
            ELT_BUCKET of the worker.
        engine: The engine of the dbt builds, `duckdb` or `spark`; default: ELT_ENGINE of the worker.
        dates: Set in the run of a chunk: its dates.
        of: Set in the run of a chunk: the flow run that made the plan.
    """

    def run() -> State[Any]:
        if chunk < 1 or (max_failures is not None and max_failures < 1):
            raise UsageError("chunk and max_failures must be at least 1", remedy="correct the parameters")
        asked = range_of(first, last, only, from_raw)
        settings = settings_for(repo, bucket, engine)
        if dates is not None:
            return _publish(Dates(Order(settings, asked.from_raw, origin_of(settings))), dates, max_failures)
        plan = plan_backfill(open_lake(settings), settings, asked, run_log())
        planned = [one.execution_date for one in plan.dates]
        if not planned:
            return Completed(name="Unchanged", message=_planned(plan), data=plan)
        own = runtime.deployment.id
        if not own:
            return _publish(Dates(Order(settings, asked.from_raw, origin_of(settings))), planned, max_failures)
        chunks = [planned[at : at + chunk] for at in range(0, len(planned), chunk)]
        _create_runs(UUID(str(own)), str(runtime.flow_run.id), dict(runtime.flow_run.parameters), chunks)
        return Completed(name="Planned", message=f"{_planned(plan)} in {len(chunks)} flow runs", data=plan)

    # Each date has a time limit of its own.
    return guarded_state("backfill", run, limited=False)


def _planned(plan: BackfillPlan) -> str:
    asked = plan.asked
    held = f", {len(plan.on_hold)} on hold" if plan.on_hold else ""
    return f"{asked.first} to {asked.last}, {asked.only}: {len(plan.dates)} dates{held}"


def _create_runs(own: UUID, of: str, parameters: dict[str, Any], chunks: Sequence[Sequence[str]]) -> None:
    with get_client(sync_client=True) as client:
        for number, some in enumerate(chunks, 1):
            client.create_flow_run_from_deployment(
                own,
                parameters={**parameters, "dates": list(some), "of": of},
                tags=[_tag(of)],
                # A retry of the plan's run creates no second one.
                idempotency_key=f"chunk {number} of {of}",
            )


def _has_unfinished_chunks(client: SyncPrefectClient, of: str) -> bool:
    runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(tags=FlowRunFilterTags(all_=[_tag(of)])))
    return any(run.state is None or not run.state.is_final() for run in runs)


def _tag(of: str) -> str:
    return f"backfill:{of}"


def _publish(dates: Dates, wanted: Sequence[str], max_failures: int | None) -> State[Any]:
    """Publish dates one after the other, and return the state that they end in together."""
    ended: list[DateEnd] = []
    for execution_date in wanted:
        ended.append(_as_task(dates, execution_date))
        if max_failures is not None and sum(bool(end.exit_code) for end in ended) >= max_failures:
            break
    failed = [end for end in ended if end.exit_code]
    counts = f"{len(ended) - len(failed)} of {len(wanted)} dates are on main"
    if not failed:
        return Completed(name="Backfilled", message=counts, data=tuple(ended))
    lines = [counts, *(f"{end.outcome}: {end.message}" for end in failed)]
    error = error_class(outcome_of(failed))("\n".join(lines))
    return failed_state(error, "\n".join(lines), data=error)


def _as_task(dates: Dates, execution_date: str) -> DateEnd:
    """Publish one date as a task run, whose state is named for the outcome.

    Raises:
        Cancelled: The process was interrupted.
    """

    @task(name=execution_date, cache_policy=NO_CACHE, persist_result=False)
    def publish_date() -> State[Any]:
        try:
            end = dates.publish(execution_date, run_log())
        except IngestCleanError as error:
            return failed_state(error, error.cause, data=error)
        if end.exit_code:
            return Failed(name=end.outcome, message=end.message, data=end)
        return Completed(name=end.outcome.capitalize(), message=end.message, data=end)

    state: State[Any] = publish_date(return_state=True)
    result: DateEnd | BaseException = state.result(raise_on_failure=False)
    if isinstance(result, BaseException):
        raise result
    return result
