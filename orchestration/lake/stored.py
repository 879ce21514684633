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
    import lakefs_sdk

    api = lakefs_sdk.ObjectsApi(lake.connection.sdk)
    found = lake.connection.iterate_results(f"list {ref}", api.list_objects, lake.repository, ref, user_metadata=False)
    return (_stored(stats) for stats in found)


def objects_only_in(lake: Lake, ref: str, other: str) -> Iterator[StoredObject]:
    """Yield the committed objects of a ref that `other` has with another content or not at all.

    lakeFS compares only the parts of the two trees that differ, so this is quick for neighbouring commits.
    """
    import lakefs_sdk

    api = lakefs_sdk.RefsApi(lake.connection.sdk)
    found = lake.connection.iterate_results(
        f"compare {ref[:12]} with {other[:12]}",
        api.diff_refs,
        lake.repository,
        other,
        ref,
        type="two_dot",
        include_right_stats=True,
    )
    return (
        StoredObject(str(change.path), str(change.right.checksum), int(change.size_bytes), int(change.right.mtime))
        for change in found
        if change.type != "removed"
    )


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
