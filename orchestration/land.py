"""Land: put the date's raw pages on a branch of the run's own, cut from the pinned commit."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestration.context import DateRun
from orchestration.errors import LakeError, LakeNoChanges
from orchestration.extract import Extracted
from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.plan import Plan
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


def land(run: DateRun, plan: Plan, extracted: Extracted) -> Landed:
    """Cut the branch, delete the date's keys that this run will not write, put the pages and commit.

    Raises:
        LakeError: lakeFS refused a write, or holds other bytes than the work directory.
    """
    # Never used again: under one name, one run's raw could meet another's curated.
    branch = f"etl-{run.execution_date}-{secrets.token_hex(4)}"
    with run.step("land") as step:
        run.lake.create_branch(branch, extracted.base)
        step.branch = branch
        written = {*plan.outputs, keys.date_receipt(run.execution_date), *(page.key for page in extracted.pages)}
        stale = extracted.former.keys - written if extracted.former else frozenset()
        commit = put_pages(run.lake, branch, extracted.base, extracted.pages, stale, run.metadata(base=extracted.base))
    return Landed(branch, extracted.base, commit, extracted.pages)


def put_pages(
    lake: Lake, branch: str, base: str, pages: Sequence[Page], stale: Collection[str], metadata: Mapping[str, str]
) -> str:
    """Delete the stale keys, put the pages and commit; return the commit's id, `base` where nothing differs.

    Raises:
        LakeError: lakeFS refused a write, or holds other bytes than the work directory.
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
