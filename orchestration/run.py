"""One date from the API to `main`: the run protocol, top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestration import keys
from orchestration.dbt_results import BuildResult
from orchestration.errors import Conflict
from orchestration.extract import Extracted, extract_raw
from orchestration.land import Landed, commit_raw
from orchestration.publish import Curated, Published, commit_curated, merge_to_main, tidy, unchanged
from orchestration.request import Request
from orchestration.spool import spool
from orchestration.steps import step
from orchestration.transform import clean, outputs_of

TRIES = 3
"""How often a date is begun anew, from pin and fetch, when `main` moved for it meanwhile."""


@dataclass(frozen=True)
class Stages:
    """The steps as functions; the flow puts tasks in their place."""

    extract_raw: Callable[[Request, Path], Extracted] = extract_raw
    commit_raw: Callable[[Request, Extracted, frozenset[str]], Landed] = commit_raw
    clean: Callable[[Request, Landed, Path], BuildResult] = clean
    commit_curated: Callable[[Request, Extracted, Landed, BuildResult], Curated] = commit_curated
    merge_to_main: Callable[[Request, Curated], Published] = merge_to_main


def run_date(request: Request, stages: Stages | None = None) -> Published:
    """Publishes a date, or finds it unchanged.

    Raises:
        IngestCleanError: Marked with date, step, the state of `main`, the kept branch and the next command.
    """
    stages = stages or Stages()
    for tries_left in reversed(range(TRIES)):
        try:
            return _attempt(request, stages)
        except Conflict as conflict:
            if not tries_left:
                raise
            # The spool is old by now: newer data was published, so everything is asked for again.
            request.report(f"{conflict}; beginning anew")
            tidy(request, conflict.branch)
    raise AssertionError("unreachable")


def _attempt(request: Request, stages: Stages) -> Published:
    with spool(request.settings.state_dir, request.execution_date) as folder:
        extracted = stages.extract_raw(request, folder)
        if extracted.unchanged:
            return unchanged(request, extracted)
        with step("decide", request.execution_date, request.report):
            will_write = frozenset({*outputs_of(request), keys.date_receipt(request.execution_date)})
        landed = stages.commit_raw(request, extracted, will_write)
        built = stages.clean(request, landed, folder)
        curated = stages.commit_curated(request, extracted, landed, built)
        published = stages.merge_to_main(request, curated)
    tidy(request, landed.branch)
    return published
