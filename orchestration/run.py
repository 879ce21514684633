"""One date from the API to `main`: the run protocol, top to bottom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestration.context import DateRequest
from orchestration.dbt_runner.results import BuildResult
from orchestration.extract import Extracted, extract_raw
from orchestration.lake import keys
from orchestration.land import Landed, commit_raw
from orchestration.publish import Published, Vouched, begin_anew, commit_curated, merge_to_main, tidy, unchanged
from orchestration.transform import clean
from orchestration.workdir import spool


@dataclass(frozen=True)
class Stages:
    """The steps as functions; the flow puts tasks in their place."""

    extract_raw: Callable[[DateRequest, Path], Extracted] = extract_raw
    commit_raw: Callable[[DateRequest, Extracted, frozenset[str]], Landed] = commit_raw
    clean: Callable[[DateRequest, Landed, Path], BuildResult] = clean
    commit_curated: Callable[[DateRequest, Extracted, Landed, BuildResult], Vouched] = commit_curated
    merge_to_main: Callable[[DateRequest, Vouched], Published] = merge_to_main


def run_date(request: DateRequest, stages: Stages | None = None) -> Published:
    """Publishes a date, or finds it unchanged.

    Raises:
        IngestCleanError: Marked with date, step, the state of `main`, the kept branch and the next command.
    """
    stages = stages or Stages()
    return begin_anew(request, lambda: _attempt(request, stages))


def _attempt(request: DateRequest, stages: Stages) -> Published:
    with spool(request.settings.state_dir, request.execution_date) as folder:
        extracted = stages.extract_raw(request, folder)
        if extracted.unchanged:
            return unchanged(request, extracted.base, extracted.former)
        will_write = frozenset({*extracted.outputs, keys.date_receipt(request.execution_date)})
        landed = stages.commit_raw(request, extracted, will_write)
        built = stages.clean(request, landed, folder)
        curated = stages.commit_curated(request, extracted, landed, built)
        published = stages.merge_to_main(request, curated)
    tidy(request, landed.branch)
    return published
