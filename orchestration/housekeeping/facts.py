"""What is known of `main` and of each branch beside it: commits, uncommitted objects, and when it was last written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import takewhile

from orchestration.errors import LakeNotFound
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.listed import LakeCommit
from orchestration.lake.stored import StoredObject, uncommitted_objects


@dataclass(frozen=True)
class History:
    """The commits of `main`, latest first, following first parents."""

    commits: tuple[LakeCommit, ...]

    @cached_property
    def ids(self) -> frozenset[str]:
        """Return the ids of the commits."""
        return frozenset(commit.id for commit in self.commits)

    @cached_property
    def replaced_at(self) -> Mapping[str, datetime]:
        """Return when `main` moved on from each commit. It has not from its head, which is missing here."""
        return {commit.parents[0]: _time(commit.created) for commit in self.commits if commit.parents}


@dataclass(frozen=True)
class BranchFacts:
    """One branch.

    Attributes:
        name: Its name.
        head: The commit that it points to.
        base: The commit of `main` that it was cut from, or that has merged it.
        commits: The commits made on it, latest first; empty if it still points to a commit of `main`.
        merged: Whether `main` has all its commits.
        uncommitted: The keys written or deleted since the last commit.
        uploads: Those of them that exist.
    """

    name: str
    head: LakeCommit
    base: str
    commits: tuple[LakeCommit, ...]
    merged: bool
    uncommitted: tuple[str, ...]
    uploads: tuple[StoredObject, ...]

    @property
    def last_write(self) -> datetime | None:
        """Return the time of the last commit or upload; None if nothing was written on the branch."""
        times = [commit.created for commit in self.commits[:1]] + [stored.written for stored in self.uploads]
        return _time(max(times)) if times else None


def read_history(lake: Lake) -> History:
    """Return the commits of `main`."""
    return History(tuple(lake.log(MAIN)))


def read_branches(lake: Lake, history: History) -> Iterator[BranchFacts]:
    """Yield each branch but `main`. One that is deleted in the meantime is left out."""
    for name in tuple(lake.branches()):
        if name == MAIN:
            continue
        try:
            yield read_branch(lake, history, name)
        except LakeNotFound:
            continue


def read_branch(lake: Lake, history: History, name: str) -> BranchFacts:
    """Return what is known of a branch.

    Raises:
        LakeNotFound: It does not exist.
    """
    head = lake.commit_of(name)
    base = lake.merge_base(head.id)
    own = tuple(takewhile(lambda commit: commit.id not in history.ids, lake.log(head.id)))
    uncommitted = lake.uncommitted(name)
    return BranchFacts(
        name, head, base, own, base == head.id, uncommitted, uncommitted_objects(lake, name, uncommitted)
    )


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
