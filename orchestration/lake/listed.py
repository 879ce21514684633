"""Objects, commits and changes as lakeFS lists them.

Long listings are read as JSON, because the SDK's models cost most of their time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class LakeObject:
    """An object as lakeFS lists it. `checksum` is the MD5 of its bytes if it was written in one request."""

    key: str
    checksum: str
    bytes: int


@dataclass(frozen=True)
class LakeCommit:
    """A commit.

    The first parent of a merge into `main` is the former head of `main`. `created` is in Unix seconds. `committer` is
    lakeFS's name of the user.
    """

    id: str
    parents: tuple[str, ...]
    metadata: Mapping[str, str]
    metarange: str
    created: int
    committer: str = ""
    message: str = ""


@dataclass(frozen=True)
class Change:
    """A key that differs between two refs. `type` is lakeFS's term: added, changed or removed."""

    key: str
    type: str


def object_of_sdk(stats: Any) -> LakeObject:
    """Return an object as the SDK gives it."""
    return LakeObject(str(stats.path), str(stats.checksum), int(stats.size_bytes))


def object_of_json(stats: Mapping[str, Any]) -> LakeObject:
    """Return an object from the JSON of a listing."""
    return LakeObject(str(stats["path"]), str(stats["checksum"]), int(stats["size_bytes"]))


def commit_of_sdk(found: Any) -> LakeCommit:
    """Return a commit as the SDK gives it."""
    return LakeCommit(
        id=str(found.id),
        parents=tuple(found.parents),
        metadata=dict(found.metadata or {}),
        metarange=str(found.meta_range_id),
        created=int(found.creation_date),
        committer=str(found.committer),
        message=str(found.message),
    )


def commit_of_json(found: Mapping[str, Any]) -> LakeCommit:
    """Return a commit from the JSON of a log."""
    return LakeCommit(
        id=str(found["id"]),
        parents=tuple(found["parents"]),
        metadata=dict(found.get("metadata") or {}),
        metarange=str(found["meta_range_id"]),
        created=int(found["creation_date"]),
        committer=str(found["committer"]),
        message=str(found["message"]),
    )
