"""Store the report on a branch of its own: the gate refuses objects on `main` that no receipt covers."""

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
        key: Its key.
        branch: Its branch.
        commit: The commit of the branch that contains it.
        url: The page in lakeFS's UI that shows it.
    """

    key: str
    branch: str
    commit: str
    url: str


def store_report(lake: Lake, html: str, commit: str, metadata: Mapping[str, str]) -> StoredReport:
    """Replace the stored report. If the bytes are the same, there is no new commit.

    Of two concurrent writers the last one wins, and either may commit what the other wrote. A writer also commits what
    an interrupted one left. The page itself names the commit that it describes.

    Args:
        lake: The repository.
        html: The page.
        commit: The commit that was profiled.
        metadata: Metadata of the report's commit: who created it.
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
            # Another writer was faster. The head at which the branch was created does not matter.
            return
