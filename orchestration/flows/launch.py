"""Run the flow in this process against the Prefect API that is configured, else the local one of `elt up`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.endpoints import use_prefect
from orchestration.errors import Cancelled, IngestCleanError, PlatformFailed, error_class
from orchestration.progress import Report
from orchestration.settings import Settings
from orchestration.steps import IN_DOUBT

if TYPE_CHECKING:
    from orchestration.eda import StoredReport
    from orchestration.publish import RunResult


@dataclass(frozen=True)
class FlowResult:
    """How a flow run ended.

    Attributes:
        outcome: The name of its final state.
        message: The same for a person.
        exit_code: 0 where the date or the marts are published or unchanged.
        result: What `main` has of them then, or the report.
        error: What failed, if it did not end well.
    """

    outcome: str
    message: str
    exit_code: int
    result: RunResult | StoredReport | None
    error: IngestCleanError | None = None


def run_date_flow(settings: Settings, execution_date: str, run_type: str, force: bool) -> FlowResult:
    """One flow run of `ingest-clean`, in this process: see `_run`."""

    def run(**parameters: Any) -> Any:
        from orchestration.flows.ingest import ingest_clean

        return ingest_clean(execution_date=execution_date, run_type=run_type, **parameters)

    return _run(settings, run, execution_date, f"elt run {execution_date}", force=force)


def run_marts_flow(settings: Settings, force: bool) -> FlowResult:
    """One flow run of `marts`, in this process: see `_run`."""

    def run(**parameters: Any) -> Any:
        from orchestration.flows.marts import marts

        return marts(**parameters)

    return _run(settings, run, "marts", "elt marts", force=force)


def run_report_flow(settings: Settings, commit: str | None) -> FlowResult:
    """One flow run of `eda-report`, in this process: see `_run`."""

    def run(**parameters: Any) -> Any:
        from orchestration.flows.report import eda_report

        return eda_report(**parameters)

    return _run(settings, run, "eda-report", "elt report", commit=commit)


def deploy_all(settings: Settings, report: Report) -> str:
    """Deploys prefect.yaml: see `deploy.deploy`; gives the address of Prefect's pages."""
    from orchestration.flows.deploy import deploy

    url = use_prefect(settings)
    deploy(url, settings.project_dir, report)
    return url.removesuffix("/api")


def _run(settings: Settings, flow: Callable[..., Any], subject: str, command: str, **parameters: Any) -> FlowResult:
    """How a flow run ended.

    Raises:
        PlatformFailed: The local Prefect server is meant and does not run, or the API does not answer.
    """
    url = use_prefect(settings)
    try:
        state = flow(repo=settings.elt.repository, bucket=settings.elt.bucket, **parameters, return_state=True)
    except Exception as error:
        # How the flow ended is in its state; what is raised is Prefect's own.
        failed = PlatformFailed(f"Prefect at {url}: {error}", remedy="elt status")
        failed.subject, failed.main, failed.command = subject, IN_DOUBT, command
        raise failed from error
    name, message = state.name or "", state.message or ""
    if state.is_completed():
        return FlowResult(name, message, 0, state.result())
    ended = _error_of(state, subject, command)
    return FlowResult(ended.outcome, message, ended.exit_code, None, ended)


def _error_of(state: Any, subject: str, command: str) -> IngestCleanError:
    """Return the error that ended a flow run; one made from the state where Prefect itself ended it."""
    found = state.result(raise_on_failure=False)
    if isinstance(found, IngestCleanError):
        return found
    message = state.message or f"the flow run ended as {state.name}"
    cancelled = state.is_cancelled() or state.is_cancelling()
    error = Cancelled(message) if cancelled else error_class(state.name or "")(message)
    error.subject, error.main, error.command = subject, IN_DOUBT, command
    return error
