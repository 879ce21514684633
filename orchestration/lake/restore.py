"""Put earlier states back on a branch: a whole tree, or single objects. Their checksums stay, so receipts stay true."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from orchestration.errors import PlatformFailed
from orchestration.lake import keys
from orchestration.lake.client import Lake

_COPIES_AT_ONCE = 8


def restore_tree(lake: Lake, branch: str, commit: str) -> str:
    """Commit the whole tree of an earlier commit on a branch, with the branch's gate; return the new commit.

    Nothing is copied: lakeFS takes the tree by its id.

    Raises:
        PlatformFailed: lakeFS refuses.
    """
    import lakefs_sdk

    gate = lake.read(branch, keys.GATE)
    tree = lake.commit_of(commit).metarange
    creation = lakefs_sdk.CommitCreation(message=f"Tree of {commit[:12]}", allow_empty=True)
    restored = lake.connection.call(
        f"restore the tree of {commit[:12]}",
        lakefs_sdk.CommitsApi(lake.connection.sdk).commit,
        lake.repository,
        branch,
        creation,
        source_metarange=tree,
    )
    if gate is None or lake.read(branch, keys.GATE) == gate:
        return str(restored.id)
    lake.put(branch, keys.GATE, gate, keys.GATE_CONTENT_TYPE)
    return lake.commit(branch, "The current gate", {})


def restore_objects(lake: Lake, branch: str, commit: str, wanted: Collection[str], present: Collection[str]) -> None:
    """Make a branch have the objects `wanted` of an earlier commit, and no others of those `present`.

    Raises:
        PlatformFailed: An object is not the same after the copy.
    """
    lake.delete(branch, sorted(set(present) - set(wanted)))

    def copy(key: str) -> None:
        then = lake.stat(commit, key)
        if then is None or _copy(lake, branch, commit, key) != then.checksum:
            raise PlatformFailed(f"{key} of {commit[:12]} could not be copied to {branch}", remedy="run again")

    with ThreadPoolExecutor(_COPIES_AT_ONCE) as pool:
        list(pool.map(copy, sorted(wanted)))


def _copy(lake: Lake, branch: str, commit: str, key: str) -> str:
    import lakefs_sdk

    creation = lakefs_sdk.ObjectCopyCreation(src_path=key, src_ref=commit)
    copied = lake.connection.call_with_retry(
        f"copy {commit[:12]}/{key} to {branch}",
        lakefs_sdk.ObjectsApi(lake.connection.sdk).copy_object,
        lake.repository,
        branch,
        key,
        creation,
    )
    return str(copied.checksum)
