"""Run a flow in this process, against the configured Prefect API or the local one of `elt up`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any

from orchestration.endpoints import use_prefect
from orchestration.errors import Cancelled, IngestCleanError, PlatformFailed, error_class
from orchestration.imports import heavy_imports
from orchestration.log import Log
from orchestration.project import tag_of
from orchestration.settings import EngineName, Settings
from orchestration.steps import IN_DOUBT

if TYPE_CHECKING:
    from orchestration.eda import StoredReport
    from orchestration.publish import RunResult


@dataclass(frozen=True)
class FlowResult:
    """The result of a flow run.

    Attributes:
        outcome: The name of its final state.
        message: The message of its final state.
        exit_code: 0 if the date or the marts are published, unchanged or skipped, or the report is stored.
        result: The published result, or the report; None after a failure.
        error: The error that ended the run, if it failed.
    """

    outcome: str
    message: str
    exit_code: int
    result: RunResult | StoredReport | None
    error: IngestCleanError | None = None


def run_date_flow(
    settings: Settings, execution_date: str, run_type: str, force: bool, engine: EngineName | None = None
) -> FlowResult:
    """Run the flow `ingest-clean` in this process: see `_run`."""

    def run(**parameters: Any) -> Any:
        with heavy_imports():
            from orchestration.flows.ingest import ingest_clean

        return ingest_clean(execution_date=execution_date, run_type=run_type, **parameters)

    return _run(settings, run, execution_date, f"elt run {execution_date}", force=force, engine=engine)


def run_marts_flow(settings: Settings, full: bool, engine: EngineName | None = None) -> FlowResult:
    """Run the flow `marts` in this process: see `_run`."""

    def run(**parameters: Any) -> Any:
        with heavy_imports():
            from orchestration.flows.marts import marts

        return marts(**parameters)

    return _run(settings, run, "marts", "elt marts", full=full, engine=engine)


def run_report_flow(settings: Settings, commit: str | None) -> FlowResult:
    """Run the flow `eda-report` in this process: see `_run`."""

    def run(**parameters: Any) -> Any:
        with heavy_imports():
            from orchestration.flows.report import eda_report

        return eda_report(**parameters)

    return _run(settings, run, "eda-report", "elt report", commit=commit)


def deploy_all(settings: Settings, log: Log) -> str:
    """Deploy prefect.yaml (see `deploy.deploy`) and return the address of Prefect's web pages."""
    from orchestration.flows.deploy import deploy

    url = use_prefect(settings)
    deploy(url, settings.project_dir, log)
    return url.removesuffix("/api")


def _run(settings: Settings, flow: Callable[..., Any], subject: str, command: str, **parameters: Any) -> FlowResult:
    """Run a flow and return its result.

    Raises:
        PlatformFailed: The local Prefect server is selected and does not run, or the API does not answer.
    """
    url = use_prefect(settings)
    from prefect import tags

    tag = tag_of(settings.project)
    try:
        with tags(tag), quick_end():
            state = flow(repo=settings.repository, bucket=settings.elt.bucket, **parameters, return_state=True)
    except Exception as error:
        # The flow's own errors are in its state. An exception here is Prefect's own.
        failed = PlatformFailed(f"Prefect at {url}: {error}", remedy="elt status")
        failed.subject, failed.main, failed.command = subject, IN_DOUBT, command
        raise failed from error
    name, message = state.name or "", state.message or ""
    if state.is_completed():
        return FlowResult(name, message, 0, state.result())
    ended = _error_of(state, subject, command)
    return FlowResult(ended.outcome, message, ended.exit_code, None, ended)


@contextmanager
def quick_end() -> Iterator[None]:
    """End flow runs without waiting for Prefect's thread of heartbeats, as Prefect does itself in async flows.

    The thread sleeps in steps of a second and ends with the process, so a run would take up to a second longer.
    """
    from prefect import flow_engine

    waiting = getattr(flow_engine, "_send_heartbeats", None)
    if waiting is None or "join_on_exit" not in signature(waiting).parameters:
        # Another version of Prefect: a run ends a little later.
        yield
        return
    flow_engine._send_heartbeats = partial(waiting, join_on_exit=False)
    try:
        yield
    finally:
        flow_engine._send_heartbeats = waiting


def _error_of(state: Any, subject: str, command: str) -> IngestCleanError:
    """Return the error that ended a flow run, or one made from the state if Prefect itself ended it."""
    found = state.result(raise_on_failure=False)
    if isinstance(found, IngestCleanError):
        return found
    message = state.message or f"the flow run ended as {state.name}"
    cancelled = state.is_cancelled() or state.is_cancelling()
    error = Cancelled(message) if cancelled else error_class(state.name or "")(message)
    error.subject, error.main, error.command = subject, IN_DOUBT, command
    return error
