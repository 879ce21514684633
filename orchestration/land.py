"""Land: write the date's raw pages to a branch of this run, cut from the pinned commit."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestration.context import DateRun
from orchestration.errors import LakeError, LakeNoChanges
from orchestration.extract import Extracted
from orchestration.lake import keys
from orchestration.lake.branch_names import RUN, new_branch_name
from orchestration.lake.client import Lake
from orchestration.landed import METADATA, described
from orchestration.plan import Plan
from orchestration.source.pages import Page

_UPLOADS_AT_ONCE = 4


@dataclass(frozen=True)
class Landed:
    """A date's raw on the lake.

    Attributes:
        branch: The branch, which only this run uses.
        base: The commit of `main` that it was cut from.
        commit: The commit "raw"; `base` if nothing differs.
        pages: The raw pages, all of them on the branch.
    """

    branch: str
    base: str
    commit: str
    pages: tuple[Page, ...]

    @property
    def inputs(self) -> Mapping[str, tuple[str, ...]]:
        """Return the keys of each table's pages in order, by `source.table`."""
        tables = dict.fromkeys(page.table for page in self.pages)
        return {table: tuple(page.key for page in self.pages if page.table == table) for table in tables}


def land(run: DateRun, plan: Plan, extracted: Extracted) -> Landed:
    """Create the branch, delete the date's keys that this run will not write, write the pages and commit.

    Raises:
        LakeError: lakeFS refused a write, or received other bytes than were sent.
    """
    # The name is never reused: otherwise one run's raw could meet another's curated.
    branch = new_branch_name(f"{RUN}{run.execution_date}")
    with run.step("land") as step:
        run.lake.create_branch(branch, extracted.base)
        step.branch = branch
        written = {*plan.outputs(), keys.date_receipt(run.execution_date), *(page.key for page in extracted.pages)}
        stale = _keys_at(run, extracted) - written
        metadata = run.metadata(base=extracted.base, **{METADATA: described(extracted.pages)})
        commit = put_pages(run.lake, branch, extracted.base, extracted.pages, stale, metadata)
    return Landed(branch, extracted.base, commit, extracted.pages)


def _keys_at(run: DateRun, extracted: Extracted) -> frozenset[str]:
    """Return the keys of the date that the base has: those that its receipt covers; with `force`, all that are there.

    The gate lets no others onto `main`. `elt audit` finds those that came past it, and a run with `force` removes them.
    """
    if run.force:
        found = (stored.key for stored in run.lake.objects(extracted.base))
        return frozenset(key for key in found if f"date={run.execution_date}" in re.split("[/.]", key))
    return extracted.former.keys if extracted.former else frozenset()


def put_pages(
    lake: Lake, branch: str, base: str, pages: Sequence[Page], stale: Collection[str], metadata: Mapping[str, str]
) -> str:
    """Delete the stale keys, write the pages and commit; return the commit's id, or `base` if nothing differs.

    Raises:
        LakeError: lakeFS refused a write, or received other bytes than were sent.
    """
    lake.delete(branch, sorted(stale))

    def put(page: Page) -> None:
        stored = lake.put(branch, page.key, page.path, keys.RAW_CONTENT_TYPE)
        if (stored.checksum, stored.bytes) != (page.md5, page.bytes):
            raise LakeError(
                f"{page.key} arrived as {stored.bytes:,} bytes with MD5 {stored.checksum}, "
                f"but {page.bytes:,} bytes with {page.md5} were sent"
            )

    with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
        for _ in pool.map(put, pages):
            pass
    try:
        return lake.commit(branch, "raw", metadata)
    except LakeNoChanges:
        return base
