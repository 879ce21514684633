"""What Prefect calls when a flow run did not end well; after a crash in the worker, not in the run's own process."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.logging import get_logger
from prefect.settings import get_current_settings

from orchestration.errors import IngestCleanError
from orchestration.notify import Notice, send
from orchestration.secret_blocks import notify_url
from orchestration.settings import read_settings


def notify(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Tells the webhook, if there is one, of a run that failed, crashed or was cancelled; a backfill tells nobody."""
    if flow_run.parameters.get("run_type") == "backfill":
        return
    # What the run is about, as its name begins: `2025-05-20 daily`.
    subject = flow_run.name.partition(" ")[0]
    link = f"{get_current_settings().ui_url or ''}/runs/flow-run/{flow_run.id}"
    try:
        if url := notify_url(read_settings()):
            send(url, Notice(subject, state.name or "", state.message or "", link))
    except IngestCleanError as error:
        get_logger("ingest_clean").warning("nobody was told of %s: %s", flow_run.name, error.describe())
