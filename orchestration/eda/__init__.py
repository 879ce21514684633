"""Report on the published data: counts, nulls, distributions, marts and a calendar, in one page on the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestration.eda.page import render
from orchestration.eda.profile import profile
from orchestration.eda.store import StoredReport, store_report
from orchestration.lake.client import Lake
from orchestration.models.reports import MartReport

__all__ = ["StoredReport", "make_report"]


def make_report(
    lake: Lake, commit: str, metadata: Mapping[str, str], reports: Sequence[MartReport], latest: int
) -> StoredReport:
    """Profile what is published at a commit of `main`, and store the page on the lake.

    Args:
        lake: The repository.
        commit: The commit.
        metadata: Metadata of the report's own commit: who created it. The page contains none of it.
        reports: What the project declares to be shown of marts.
        latest: How many of the latest dates are profiled.

    Raises:
        UsageError: Nothing is published there.
        PlatformFailed: The lake is out of reach, or DuckDB cannot read it.
    """
    profiled = profile(lake, commit, reports, latest)
    return store_report(lake, render(profiled), profiled.commit, metadata)
