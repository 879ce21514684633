"""The flow `eda-report`: profile the published tables into one page that is kept on the lake."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.artifacts import create_link_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from orchestration.eda import make_report
from orchestration.endpoints import open_own_lake
from orchestration.flows.hooks import notify
from orchestration.flows.states import guarded_state, origin_of, own_key, settings_for
from orchestration.lake.client import MAIN
from orchestration.models.reports import read_reports


@flow(
    name="eda-report",
    flow_run_name="eda-report",
    persist_result=False,
    on_failure=[notify],
    on_crashed=[notify],
    on_cancellation=[notify],
)
def eda_report(commit: str | None = None, repo: str | None = None, bucket: str | None = None) -> State[Any]:
    """Profile the published tables at one commit of main into a page on the branch `reports`.

    Args:
        commit: The commit; default: main's head.
        repo: The lakeFS repository; default: ELT_REPOSITORY of the worker.
        bucket: The storage bucket that the repository lives in; default: ELT_BUCKET of the worker.
    """

    def run() -> State[Any]:
        settings = settings_for(repo, bucket)
        reports = read_reports(settings.project_dir)
        lake = open_own_lake(settings)
        pinned = lake.head(commit or MAIN)
        stored = make_report(lake, pinned, origin_of(settings), reports, settings.elt.report_dates)
        message = f"{MAIN} at {pinned[:12]}: {stored.url}"
        create_link_artifact(stored.url, f"report of {pinned[:12]}", key=own_key("eda-report"), description=message)
        return Completed(name="Reported", message=message, data=stored)

    return guarded_state("eda-report", run)
