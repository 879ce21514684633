"""Remove old EDA reports from the history of the branch `reports`, which each report adds a commit to.

lakeFS's commits never change, so the reports to keep are committed again, each with its tree, metadata and time. Then
the branch is moved to the last of them at once. The latest report always stays.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from orchestration.eda.store import BRANCH
from orchestration.housekeeping.facts import BranchFacts
from orchestration.lake.branch_names import new_branch_name
from orchestration.lake.client import Lake
from orchestration.lake.listed import LakeCommit

if TYPE_CHECKING:
    from collections.abc import Sequence

KEPT_FOR = timedelta(days=90)
_QUIET = timedelta(hours=1)
"""A report that is younger than this may be one of several in progress."""


def old_reports(facts: BranchFacts, now: datetime) -> tuple[LakeCommit, ...]:
    """Return the commits of old reports; none if a report may be in progress.

    Args:
        facts: The branch `reports`.
        now: The time that ages count to.
    """
    last = facts.last_write
    if facts.uncommitted or last is None or now - last < _QUIET:
        return ()
    return tuple(commit for commit in facts.commits[1:] if now - _time(commit) > KEPT_FOR)


def remove_reports(lake: Lake, facts: BranchFacts, old: Sequence[LakeCommit]) -> bool:
    """Remove the commits from the history of `reports`. Return False, and change nothing, if it has moved since.

    Of a report that is committed within the milliseconds between the last look and the move, nothing would be left.
    `elt report` makes it again.
    """
    import lakefs_sdk

    kept = [commit for commit in facts.commits if commit not in old]
    branch = new_branch_name(BRANCH)
    lake.create_branch(branch, facts.commits[-1].parents[0])
    try:
        for commit in reversed(kept):
            _commit_again(lake, branch, commit)
        if lake.head(BRANCH) != facts.head.id or lake.uncommitted(BRANCH):
            return False
        lake.connection.call(
            f"move branch {BRANCH}",
            lakefs_sdk.ExperimentalApi(lake.connection.sdk).hard_reset_branch,
            lake.repository,
            BRANCH,
            lake.head(branch),
        )
    finally:
        lake.delete_branch(branch)
    return True


def _commit_again(lake: Lake, branch: str, commit: LakeCommit) -> None:
    import lakefs_sdk

    creation = lakefs_sdk.CommitCreation(
        message=commit.message, metadata=dict(commit.metadata), var_date=commit.created, allow_empty=True
    )
    lake.connection.call(
        f"commit the report {commit.id[:12]} again",
        lakefs_sdk.CommitsApi(lake.connection.sdk).commit,
        lake.repository,
        branch,
        creation,
        source_metarange=commit.metarange,
    )


def _time(commit: LakeCommit) -> datetime:
    return datetime.fromtimestamp(commit.created, UTC)
