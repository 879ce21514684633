"""Raw pages that have landed: of a published version of a date, or of a failed run, on the branch that it kept.

A rebuild takes them instead of asking the API, and so does a run of a date that the API no longer answers for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

from orchestration.errors import LakeNotFound, PlatformFailed
from orchestration.lake import keys
from orchestration.lake.branch_names import RUN, is_own_branch
from orchestration.lake.checksum import checksum_of
from orchestration.lake.client import Lake
from orchestration.lake.history import last_version
from orchestration.lake.listed import LakeCommit
from orchestration.lake.receipt import Receipt
from orchestration.source.pages import Page
from orchestration.workdir import translate_disk_errors

METADATA = "landed"
"""The key of the metadata of a commit of raw: what its pages are, beside their bytes (see `described`)."""

_METADATA_LIMIT = 50_000
_COMMITS_OF_A_RUN = 3
"""A run commits its raw, and later the rest; nothing else is committed on its branch."""


@dataclass(frozen=True)
class LandedPage:
    """One page. `checksum` is lakeFS's; the other fields are those of `Page`. `sha256` is empty if it is not known."""

    key: str
    checksum: str
    sha256: str
    decoded: tuple[str, ...]
    no_data: str


@dataclass(frozen=True)
class LandedRaw:
    """The raw of a date at a commit: its pages by `source.table`, in order."""

    commit: str
    pages: Mapping[str, tuple[LandedPage, ...]]

    def take(self, lake: Lake, table: str, folder: Path) -> tuple[Page, ...]:
        """Copy the pages of a table to the work directory.

        Raises:
            PlatformFailed: A page is not what was recorded when it landed.
            DiskFailed: A page could not be written to disk.
        """
        return tuple(self._take(lake, table, landed, folder) for landed in self.pages.get(table, ()))

    def _take(self, lake: Lake, table: str, landed: LandedPage, folder: Path) -> Page:
        body = lake.read(self.commit, landed.key) or b""
        checksum, digest = checksum_of(body), sha256(body).hexdigest()
        if checksum != landed.checksum or digest != (landed.sha256 or digest):
            raise PlatformFailed(f"{landed.key} at {self.commit[:12]} is not what landed", remedy="elt audit --deep")
        path = folder / landed.key
        with translate_disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        return Page(table, landed.key, path, len(body), digest, checksum, landed.decoded, landed.no_data)


def described(pages: Iterable[Page]) -> str:
    """Return what is recorded with the commit of raw pages: `decoded` and `no_data` of the pages that have them.

    Empty if that is too long for metadata. The pages of that run are then not found by `kept_raw`.
    """
    details = {
        page.key: {"decoded": list(page.decoded), "no_data": page.no_data}
        for page in pages
        if page.decoded or page.no_data
    }
    text = json.dumps(details, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= _METADATA_LIMIT else ""


def published_raw(commit: str, receipt: Receipt) -> LandedRaw:
    """Return the raw that a receipt covers."""

    def page(key: str) -> LandedPage:
        details = receipt.content["details"][key]
        decoded, no_data = tuple(details.get("decoded", ())), details.get("no_data", "")
        return LandedPage(key, receipt.objects[key], details["sha256"], decoded, no_data)

    return LandedRaw(commit, {table: tuple(map(page, pages)) for table, pages in receipt.inputs.items()})


def latest_raw(lake: Lake, execution_date: str, tables: Sequence[str]) -> LandedRaw | None:
    """Return the latest raw of a date that `main` does not have; None if there is no raw.

    It is that of the version that a rollback took off `main`, or that of a run that did not publish it.

    Args:
        lake: The repository.
        execution_date: The date.
        tables: The declared tables as `source.table`.
    """
    commit, receipt = last_version(lake, execution_date)
    kept = _kept_commit(lake, execution_date)
    if receipt and not (kept and kept.created > lake.commit_of(commit).created):
        return published_raw(commit, receipt)
    return _kept_raw(lake, kept, execution_date, tables) if kept else None


def dates_with_kept_raw(lake: Lake) -> frozenset[str]:
    """Return the dates for which a run has kept a branch. Whether it has raw shows when the branch is read."""
    names = (name for name in lake.branches(RUN) if is_own_branch(name))
    return frozenset(
        name.removeprefix(RUN)[: len("2025-05-20")] for name in names if not name.startswith(f"{RUN}marts")
    )


def _kept_commit(lake: Lake, execution_date: str) -> LakeCommit | None:
    """Return the latest commit of raw on a branch of the date."""
    found = [
        commit
        for branch in lake.branches(f"{RUN}{execution_date}-")
        for commit in _commits(lake, branch)
        if METADATA in commit.metadata and commit.metadata.get("execution_date") == execution_date
    ]
    return max(found, key=lambda commit: commit.created, default=None)


def _commits(lake: Lake, branch: str) -> tuple[LakeCommit, ...]:
    try:
        return tuple(islice(lake.log(branch), _COMMITS_OF_A_RUN))
    except LakeNotFound:
        # Its run has just published the date and deleted the branch.
        return ()


def _kept_raw(lake: Lake, commit: LakeCommit, execution_date: str, tables: Sequence[str]) -> LandedRaw:
    details = json.loads(commit.metadata[METADATA])

    def page(key: str, checksum: str) -> LandedPage:
        detail = details.get(key, {})
        return LandedPage(key, checksum, "", tuple(detail.get("decoded", ())), detail.get("no_data", ""))

    def pages(table: str) -> tuple[LandedPage, ...]:
        source, name = table.split(".")
        found = lake.objects(commit.id, keys.raw_folder(source, name, execution_date))
        return tuple(page(stored.key, stored.checksum) for stored in found)

    return LandedRaw(commit.id, {table: pages(table) for table in tables})
