"""Objects with the time at which they were written: what differs between two commits, and what is not committed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from orchestration.errors import LakeNotFound
from orchestration.lake.client import Lake

_READS_AT_ONCE = 8


@dataclass(frozen=True)
class StoredObject:
    """One upload of an object. `written` is the time of the upload in Unix seconds, by the clock of lakeFS."""

    key: str
    checksum: str
    bytes: int
    written: int


def stored_objects(lake: Lake, ref: str) -> Iterator[StoredObject]:
    """Yield all objects of a ref, in the order of their keys."""

    def listed(stats: Any) -> StoredObject:
        return StoredObject(stats["path"], stats["checksum"], stats.get("size_bytes", 0), stats["mtime"])

    return lake.connection.iterate_json(f"list {ref}", f"{_path_of(lake, ref)}/objects/ls", listed)


def objects_only_in(lake: Lake, ref: str, other: str) -> Iterator[StoredObject]:
    """Yield the committed objects of a ref that `other` has with another content or not at all.

    lakeFS compares only the parts of the two trees that differ, so this is quick for neighbouring commits.
    """

    def listed(change: Any) -> StoredObject | None:
        if change["type"] == "removed":
            return None
        right = change["right"]
        return StoredObject(change["path"], right["checksum"], change.get("size_bytes", 0), right["mtime"])

    found = lake.connection.iterate_json(
        f"compare {ref[:12]} with {other[:12]}",
        f"{_path_of(lake, other)}/diff/{ref}",
        listed,
        type="two_dot",
        include_right_stats="true",
    )
    return (stored for stored in found if stored)


def _path_of(lake: Lake, ref: str) -> str:
    return f"/repositories/{lake.repository}/refs/{ref}"


def uncommitted_objects(lake: Lake, branch: str, keys: Sequence[str]) -> tuple[StoredObject, ...]:
    """Return those of the uncommitted keys of a branch that exist; the others were deleted on it."""
    import lakefs_sdk

    api = lakefs_sdk.ObjectsApi(lake.connection.sdk)

    def read(key: str) -> StoredObject | None:
        try:
            return _stored(
                lake.connection.call_with_retry(f"stat {branch}/{key}", api.stat_object, lake.repository, branch, key)
            )
        except LakeNotFound:
            return None

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return tuple(found for found in pool.map(read, keys) if found)


def _stored(stats: Any) -> StoredObject:
    return StoredObject(str(stats.path), str(stats.checksum), int(stats.size_bytes), int(stats.mtime))
