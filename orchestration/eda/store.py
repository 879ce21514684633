"""Where the report is kept: on a branch of its own, for the gate keeps off `main` what no receipt vouches for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orchestration.errors import LakeExists, LakeNoChanges, LakeNotFound
from orchestration.lake.client import MAIN, Lake

BRANCH = "reports"
KEY = "reports/eda.html"
_CONTENT_TYPE = "text/html"


@dataclass(frozen=True)
class StoredReport:
    """A report on the lake.

    Attributes:
        key: Where it lies.
        branch: On which branch.
        commit: The branch's commit that has it.
        url: The page of lakeFS that shows it.
    """

    key: str
    branch: str
    commit: str
    url: str


def store_report(lake: Lake, html: str, commit: str, metadata: Mapping[str, str]) -> StoredReport:
    """Puts a report in the place of the former one; the same bytes make no commit.

    Of two writers at once the last one wins, and either may commit what the other wrote: so does the next after one
    that died in between. The page itself names the commit that it tells of.

    Args:
        lake: The repository.
        html: The page.
        commit: The commit that was profiled.
        metadata: Of the commit: who made it.
    """
    _ensure_branch(lake)
    lake.put(BRANCH, KEY, html.encode(), _CONTENT_TYPE)
    try:
        stored = lake.commit(BRANCH, f"EDA report of {commit}", {**metadata, "profiled_commit": commit})
    except LakeNoChanges:
        stored = lake.head(BRANCH)
    endpoint = lake.connection.access.endpoint.rstrip("/")
    url = f"{endpoint}/repositories/{lake.repository}/object?ref={BRANCH}&path={KEY}"
    return StoredReport(KEY, BRANCH, stored, url)


def _ensure_branch(lake: Lake) -> None:
    try:
        lake.head(BRANCH)
    except LakeNotFound:
        try:
            lake.create_branch(BRANCH, lake.head(MAIN))
        except LakeExists:
            # Another writer was faster; any branch will do.
            return
