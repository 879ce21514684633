"""The flow `housekeeping`: remove what dead runs and unused sandboxes left, and audit `main`."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed

from orchestration.endpoints import open_own_lake
from orchestration.errors import IngestCleanError, PlatformFailed
from orchestration.flows.hooks import notify
from orchestration.flows.notify import Notice, send
from orchestration.flows.secrets import notify_url
from orchestration.flows.states import guarded_state, own_key, page_of, run_log, settings_for
from orchestration.housekeeping import OLDER_THAN, UNUSED
from orchestration.housekeeping.clean import Cleaned, Cleaning, clean
from orchestration.housekeeping.flow_runs import read_flow_runs
from orchestration.housekeeping.texts import message_of, rows_of_branches, rows_of_storage
from orchestration.settings import Settings


@flow(
    name="housekeeping",
    flow_run_name="housekeeping",
    persist_result=False,
    on_failure=[notify],
    on_crashed=[notify],
    on_cancellation=[notify],
)
def housekeeping(
    older_than: int = OLDER_THAN,
    unused: int = UNUSED,
    dry_run: bool = False,
    repo: str | None = None,
    bucket: str | None = None,
) -> State[Any]:
    """Remove branches and files that dead runs left, warn of and remove unused sandboxes, then audit main.

    Args:
        older_than: The age in days at which the branch of a failed run is removed.
        unused: The days without a use after which a sandbox gets a warning. It is removed 7 days later at the earliest.
        dry_run: Only show what would be removed.
        repo: The lakeFS repository; default: ELT_REPOSITORY of the worker.
        bucket: The storage bucket that the repository lives in; default: ELT_BUCKET of the worker.
    """

    def run() -> State[Any]:
        settings = settings_for(repo, bucket)
        cleaned = clean(
            Cleaning(
                lake=open_own_lake(settings),
                settings=settings,
                now=datetime.now(UTC),
                log=run_log(),
                flow_runs=partial(read_flow_runs, project=settings.project, own=str(flow_run.id or "")),
                older_than=older_than,
                unused=unused,
                dry_run=dry_run,
            )
        )
        create_table_artifact(rows_of_branches(cleaned), key=own_key("housekeeping"), description=message_of(cleaned))
        create_table_artifact(rows_of_storage(cleaned.storage), key=own_key("storage"), description=message_of(cleaned))
        _notify_of_warnings(cleaned, settings)
        if findings := cleaned.audited.findings:
            first = findings[0]
            raise PlatformFailed(
                f"the audit of main has {len(findings)} findings, such as {first.subject}: {first.problem}",
                remedy="elt audit lists them",
            )
        return Completed(name="Cleaned", message=message_of(cleaned), data=cleaned)

    return guarded_state("housekeeping", run)


def _notify_of_warnings(cleaned: Cleaned, settings: Settings) -> None:
    """Notify the webhook, if there is one, of sandboxes that will be removed. Their users may not read this flow."""
    warned = [decision for decision in cleaned.branches if decision.action == "warn"]
    if not warned or cleaned.dry_run:
        return
    text = "\n".join(f"{decision.branch}: {decision.reason}" for decision in warned)
    try:
        if url := notify_url(settings):
            send(url, Notice(settings.project, "housekeeping", "Warned", text, page_of(flow_run.id)))
    except IngestCleanError as error:
        run_log().warning("notification of unused sandboxes failed: %s", error.describe())
