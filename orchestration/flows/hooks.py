"""Hooks that Prefect calls when a flow run failed, crashed or was cancelled.

After a crash, the hook runs in the worker and not in the run's own process.
"""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging import get_logger

from orchestration.errors import IngestCleanError, UsageError
from orchestration.flows.nights import date_of
from orchestration.flows.notify import Notice, send
from orchestration.flows.secrets import notify_url
from orchestration.flows.states import page_of
from orchestration.settings import Settings, read_settings


def notify(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Notify the webhook, if there is one, of a run that failed, crashed or was cancelled, unless it is a backfill."""
    if flow_run.parameters.get("run_type") == "backfill":
        return
    try:
        settings = read_settings()
        if url := notify_url(settings):
            subject, page = _subject(flow, flow_run), page_of(flow_run.id)
            send(url, Notice(_project(settings), subject, state.name or "", state.message or "", page))
    except IngestCleanError as error:
        get_logger("ingest_clean").warning("notification for %s failed: %s", flow_run.name, error.describe())


def _project(settings: Settings) -> str:
    """Return the project's name, or its folder's if dbt_project.yml is what the run failed for."""
    try:
        return settings.project
    except UsageError:
        return settings.project_dir.name


def _subject(flow: Flow[..., Any], flow_run: FlowRun) -> str:
    """Return the date, or the flow's name if it has no date.

    The worker knows a crashed run only by its first, random name.
    """
    if "execution_date" not in flow.parameters.properties:
        return flow.name
    return date_of(flow_run)
