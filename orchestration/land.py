"""Branch and land: the date's raw pages on a branch of the run's own, cut from the pinned commit."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestration.context import DateRequest
from orchestration.errors import LakeError, LakeNoChanges
from orchestration.extract import Extracted
from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.source.fetch import Page

_UPLOADS_AT_ONCE = 4


@dataclass(frozen=True)
class Landed:
    """A date's raw on the lake.

    Attributes:
        branch: The branch, this run's own.
        base: The commit of `main` that it was cut from.
        commit: The commit "raw"; `base` where nothing differs.
        pages: The raw pages, all of them there now.
    """

    branch: str
    base: str
    commit: str
    pages: tuple[Page, ...]

    @property
    def inputs(self) -> Mapping[str, tuple[str, ...]]:
        """By `source.table` the keys of its pages, in order."""
        tables = dict.fromkeys(page.table for page in self.pages)
        return {table: tuple(page.key for page in self.pages if page.table == table) for table in tables}


def commit_raw(request: DateRequest, extracted: Extracted, outputs: Collection[str]) -> Landed:
    """Cuts the branch, deletes the date's keys that this run will not write, puts the pages and commits.

    Args:
        request: The run.
        extracted: The pages on the spool.
        outputs: The keys that the rest of the run will write.

    Raises:
        LakeError: lakeFS refused a write, or holds other bytes than the spool.
    """
    # Never used again: under one name, one run's raw could meet another's curated.
    branch = f"etl-{request.execution_date}-{secrets.token_hex(4)}"
    with request.step("branch"):
        request.lake.create_branch(branch, extracted.base)
    with request.step("land", branch=branch):
        written = {*outputs, *(page.key for page in extracted.pages)}
        stale = extracted.former.keys - written if extracted.former else frozenset()
        metadata = request.metadata(base=extracted.base)
        commit = land(request.lake, branch, extracted.base, extracted.pages, stale, metadata)
    return Landed(branch, extracted.base, commit, extracted.pages)


def land(
    lake: Lake, branch: str, base: str, pages: Sequence[Page], stale: Collection[str], metadata: Mapping[str, str]
) -> str:
    """Deletes the stale keys, puts the pages and commits; gives the commit's id, `base` where nothing differs.

    Raises:
        LakeError: lakeFS refused a write, or holds other bytes than the spool.
    """
    lake.delete(branch, sorted(stale))

    def put(page: Page) -> None:
        stored = lake.put(branch, page.key, page.path, keys.RAW_CONTENT_TYPE)
        if (stored.checksum, stored.bytes) != (page.md5, page.bytes):
            raise LakeError(
                f"{page.key} arrived as {stored.bytes:,} bytes with MD5 {stored.checksum}, "
                f"sent were {page.bytes:,} bytes with {page.md5}"
            )

    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
        for _ in pool.map(put, pages):
            pass
    try:
        return lake.commit(branch, "raw", metadata)
    except LakeNoChanges:
        return base
