"""Client for the lakeFS operations that the run protocol needs: refs, objects, commits and merges of one repository."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from orchestration.errors import Conflict, LakeDirty, LakeExists, LakeNoChanges, LakeNotFound
from orchestration.lake.cache import ObjectCache
from orchestration.lake.connection import PAGE, LakeConnection
from orchestration.lake.errors import error_for, message_of, translate_errors
from orchestration.lake.listed import (
    Change,
    LakeCommit,
    LakeObject,
    commit_of_json,
    commit_of_sdk,
    object_of_json,
    object_of_sdk,
)
from orchestration.text import key_list

if TYPE_CHECKING:
    import lakefs_sdk

MAIN = "main"

_FEW_COMMITS = 100
"""The commits of a log's first page."""


def stray_writes(keys: Sequence[str]) -> LakeDirty:
    """Return the error for uncommitted writes on `main`, with the keys and the remedy."""
    return LakeDirty(
        f"{len(keys)} uncommitted writes on {MAIN} block every merge: {key_list(keys)}",
        remedy="elt init --discard-stray removes them from main",
    )


class Lake:
    """One repository on one lakeFS server.

    Args:
        connection: The connection to the server.
        repository: The name of the repository.
        cache: Keeps the receipts that were read, for the next command on this machine; None keeps nothing.
    """

    def __init__(self, connection: LakeConnection, repository: str, cache: ObjectCache | None = None) -> None:
        self.connection = connection
        self.repository = repository
        self.cache = cache

    # refs

    def commit_of(self, ref: str) -> LakeCommit:
        """Return the commit that a branch, tag or commit id resolves to."""
        return commit_of_sdk(
            self.connection.call_with_retry(f"read {ref}", self._commits.get_commit, self.repository, ref)
        )

    def head(self, ref: str) -> str:
        """Return the id of the commit that a branch, tag or commit id resolves to."""
        return self.commit_of(ref).id

    def log(self, ref: str) -> Iterator[LakeCommit]:
        """Return the commits that lead to `ref`, latest first, following first parents only.

        They are requested page by page as they are used, and the first page is short: often a few are enough.
        """
        return self.connection.iterate_json(
            f"log of {ref}", f"{self._path_of(ref)}/commits", commit_of_json, first=_FEW_COMMITS, first_parent="true"
        )

    def branches(self, prefix: str = "") -> Iterator[str]:
        """Return the names of the branches that begin with `prefix`."""
        found = self.connection.iterate_results(
            "list branches", self._branches.list_branches, self.repository, prefix=prefix
        )
        return (str(branch.id) for branch in found)

    def create_branch(self, name: str, source_commit: str) -> None:
        """Create a branch at a commit.

        Raises:
            LakeExists: The name is taken.
        """
        import lakefs_sdk

        creation = lakefs_sdk.BranchCreation(name=name, source=source_commit)
        action = f"create branch {name}"

        def done() -> str | None:
            try:
                return source_commit if self.head(name) == source_commit else None
            except LakeNotFound:
                return None

        self.connection.retry_unless_done(
            lambda: self.connection.call(action, self._branches.create_branch, self.repository, creation), done
        )

    def delete_branch(self, name: str) -> None:
        """Delete a branch. A branch that does not exist is not an error."""
        try:
            self.connection.call_with_retry(
                f"delete branch {name}", self._branches.delete_branch, self.repository, name
            )
        except LakeNotFound:
            return

    # objects

    def objects(self, ref: str, prefix: str = "") -> Iterator[LakeObject]:
        """Return the objects whose keys begin with `prefix`, in the order of their keys."""
        return self.connection.iterate_json(
            f"list {ref}/{prefix}", f"{self._path_of(ref)}/objects/ls", object_of_json, prefix=prefix
        )

    def stat(self, ref: str, key: str) -> LakeObject | None:
        """Return the object at `key`, or None if it does not exist.

        Raises:
            LakeNotFound: The ref does not exist.
        """
        try:
            return object_of_sdk(
                self.connection.call_with_retry(
                    f"stat {ref}/{key}", self._objects.stat_object, self.repository, ref, key
                )
            )
        except LakeNotFound:
            self.head(ref)
            return None

    def read(self, ref: str, key: str) -> bytes | None:
        """Return the bytes of a small object, or None if it does not exist.

        Raises:
            LakeNotFound: The ref does not exist.
        """
        try:
            return bytes(
                self.connection.call_with_retry(
                    f"read {ref}/{key}", self._objects.get_object, self.repository, ref, key
                )
            )
        except LakeNotFound:
            self.head(ref)
            return None

    def chunks(self, ref: str, key: str) -> Iterator[bytes]:
        """Yield the bytes of an object of any size.

        Raises:
            LakeNotFound: It does not exist.
        """
        action = f"read {ref}/{key}"
        path = f"/repositories/{self.repository}/refs/{ref}/objects"
        with (
            translate_errors(action, self.connection.access.endpoint),
            self.connection.http.stream("GET", path, params={"path": key}) as response,
        ):
            if response.status_code != 200:
                raise error_for(action, response.status_code, message_of(response.read()))
            yield from response.iter_raw()

    def put(self, branch: str, key: str, body: Path | bytes, content_type: str) -> LakeObject:
        """Write an object in one request, streamed from a file or from memory. lakeFS computes the checksum itself."""

        def upload() -> LakeObject:
            if isinstance(body, bytes):
                return self._upload(branch, key, body, content_type)
            with body.open("rb") as file:
                return self._upload(branch, key, file, content_type)

        return self.connection.retry(upload)

    def _upload(self, branch: str, key: str, content: Any, content_type: str) -> LakeObject:
        action = f"put {branch}/{key}"
        with translate_errors(action, self.connection.access.endpoint):
            response = self.connection.http.post(
                f"/repositories/{self.repository}/branches/{branch}/objects",
                params={"path": key},
                content=content,
                headers={"Content-Type": content_type},
            )
        if response.status_code != 201:
            raise error_for(action, response.status_code, message_of(response.content))
        stats = response.json()
        return LakeObject(stats["path"], stats["checksum"], stats["size_bytes"])

    def copy(self, branch: str, source: str, target: str) -> None:
        """Copy an object of a branch to another key of it. lakeFS copies the bytes itself, and keeps their checksum."""
        import lakefs_sdk

        creation = lakefs_sdk.ObjectCopyCreation(src_path=source, src_ref=branch)
        self.connection.call_with_retry(
            f"copy {branch}/{source}", self._objects.copy_object, self.repository, branch, target, creation
        )

    def delete(self, branch: str, keys: Sequence[str]) -> None:
        """Delete objects. Keys that do not exist are ignored."""
        import lakefs_sdk

        for first in range(0, len(keys), PAGE):
            some = lakefs_sdk.PathList(paths=list(keys[first : first + PAGE]))
            action = f"delete {len(some.paths)} objects of {branch}"
            refused = self.connection.call_with_retry(
                action, self._objects.delete_objects, self.repository, branch, some
            ).errors
            if refused:
                raise error_for(f"{action}, {refused[0].path}", refused[0].status_code, refused[0].message)

    def uncommitted(self, branch: str) -> tuple[str, ...]:
        """Return the keys written or deleted on a branch since its last commit."""
        found = self.connection.iterate_results(
            f"uncommitted on {branch}", self._branches.diff_branch, self.repository, branch
        )
        return tuple(str(difference.path) for difference in found)

    def changes(self, base: str, branch: str) -> Iterator[Change]:
        """Return how a branch differs from a commit, committed or not, in the order of the keys."""
        found = {change.key: change for change in self.committed_changes(base, branch)}
        written = self.connection.iterate_results(
            f"uncommitted on {branch}", self._branches.diff_branch, self.repository, branch
        )
        for change in written:
            found[str(change.path)] = Change(str(change.path), str(change.type))
        return (found[key] for key in sorted(found))

    def committed_changes(self, base: str, ref: str, prefix: str = "") -> Iterator[Change]:
        """Return how the commit of a ref differs from another, in the keys that begin with `prefix`."""
        found = self.connection.iterate_results(
            f"compare {ref}", self._refs.diff_refs, self.repository, base, ref, type="two_dot", prefix=prefix
        )
        return (Change(str(change.path), str(change.type)) for change in found)

    def merge_base(self, ref: str) -> str:
        """Return the commit at which a ref and `main` diverged."""
        base = self.connection.call_with_retry(
            f"merge base of {ref}", self._refs.find_merge_base, self.repository, ref, MAIN
        )
        return str(base.base_commit_id)

    # commits and merges

    def commit(self, branch: str, message: str, metadata: Mapping[str, str]) -> str:
        """Commit what was written on a branch and return the commit's id. The branch must have no other writer.

        Raises:
            LakeNoChanges: Nothing differs from the branch's head.
        """
        import lakefs_sdk

        creation = lakefs_sdk.CommitCreation(message=message, metadata=dict(metadata))
        before = self.head(branch)

        def write() -> str:
            return str(
                self.connection.call(f"commit {branch}", self._commits.commit, self.repository, branch, creation).id
            )

        def done() -> str | None:
            return after if (after := self.head(branch)) != before else None

        return self.connection.retry_unless_done(write, done)

    def merge(self, commit: str, message: str, metadata: Mapping[str, str]) -> str:
        """Merge a commit into `main`, through the gate, and return the merge's id.

        Return the earlier merge's id if the commit is merged already.

        Raises:
            Conflict: `main` changed the same keys since the commit's base.
            GateRefused: The gate refused the merge; its message is the cause.
            LakeDirty: There are uncommitted writes on `main`; the message names them and the remedy.
            LakeNoChanges: The commit adds nothing to its base.
        """
        import lakefs_sdk

        request = lakefs_sdk.Merge(message=message, metadata=dict(metadata))
        action = f"merge {commit[:12]} into {MAIN}"

        def write() -> str:
            merged = self.connection.call(action, self._refs.merge_into_branch, self.repository, commit, MAIN, request)
            return str(merged.reference)

        try:
            return self.connection.retry_unless_done(write, lambda: self.merge_of(commit))
        except LakeNoChanges:
            if (merge := self.merge_of(commit)) is None:
                raise
            return merge
        except LakeExists as error:
            raise Conflict(f"{action}: {MAIN} changed the same keys since the run pinned it") from error
        except LakeDirty as error:
            raise stray_writes(self.uncommitted(MAIN)) from error

    def merge_of(self, commit: str) -> str | None:
        """Return the commit of `main` that merged `commit`, or None if it is not merged."""
        if not self.is_on_main(commit):
            return None
        return next((merge.id for merge in self.log(MAIN) if commit in (merge.id, *merge.parents[1:])), None)

    def is_on_main(self, commit: str) -> bool:
        """Return whether a commit is in the history of `main`.

        It is if and only if lakeFS's merge base of the two is the commit itself.
        """
        return self.merge_base(commit) == commit

    def _path_of(self, ref: str) -> str:
        return f"/repositories/{self.repository}/refs/{quote(ref, safe='')}"

    @cached_property
    def _refs(self) -> lakefs_sdk.RefsApi:
        import lakefs_sdk

        return lakefs_sdk.RefsApi(self.connection.sdk)

    @cached_property
    def _branches(self) -> lakefs_sdk.BranchesApi:
        import lakefs_sdk

        return lakefs_sdk.BranchesApi(self.connection.sdk)

    @cached_property
    def _commits(self) -> lakefs_sdk.CommitsApi:
        import lakefs_sdk

        return lakefs_sdk.CommitsApi(self.connection.sdk)

    @cached_property
    def _objects(self) -> lakefs_sdk.ObjectsApi:
        import lakefs_sdk

        return lakefs_sdk.ObjectsApi(self.connection.sdk)
