"""Land: a date's raw pages on a branch of their own, cut from a pinned commit of `main`."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestration import keys
from orchestration.errors import LakeError, LakeNoChanges, PlatformFailed
from orchestration.fetch import Page, fetch_date
from orchestration.lake import Lake
from orchestration.lake_setup import require_lake
from orchestration.progress import Report
from orchestration.settings import Settings
from orchestration.source import read_tables
from orchestration.spool import spool
from orchestration.steps import step

_UPLOADS_AT_ONCE = 4


@dataclass(frozen=True)
class Landed:
    """A date's raw on the lake.

    Attributes:
        execution_date: The date.
        branch: The branch, this run's own.
        base: The commit of `main` that it was cut from.
        commit: The commit "raw"; `base` where nothing differs.
        pages: How many pages lie there.
        bytes: Their size.
    """

    execution_date: str
    branch: str
    base: str
    commit: str
    pages: int
    bytes: int


def land_date(lake: Lake, settings: Settings, execution_date: str, report: Report) -> Landed:
    """Pins `main`, fetches the date's pages and lands them on a new branch.

    `main` is pinned before the fetch, so that a slow run with old data conflicts with a fast one that published newer.

    Raises:
        IngestCleanError: Marked with date, step, the state of `main` and the kept branch.
    """
    tables = read_tables(settings.project_dir)
    with step("pin", execution_date):
        base = require_lake(lake, settings.elt.bucket, settings.project_dir)
    with spool(settings.state_dir, execution_date) as folder:
        with step("fetch", execution_date):
            pages = fetch_date(tables, settings, execution_date, folder, report)
        branch = f"etl-{execution_date}-{secrets.token_hex(4)}"
        with step("branch", execution_date):
            lake.create_branch(branch, base)
        with step("land", execution_date, branch=branch):
            stale = keys_of_date(lake, base, execution_date) - {page.key for page in pages}
            metadata = {"execution_date": execution_date, "base": base}
            commit = land(lake, branch, base, pages, stale, metadata)
    size = sum(page.bytes for page in pages)
    report(f"landed {execution_date}: {len(pages)} pages, {size:,} bytes on {branch}")
    return Landed(execution_date, branch, base, commit, len(pages), size)


def keys_of_date(lake: Lake, base: str, execution_date: str) -> frozenset[str]:
    """The keys that a date has at a commit of `main`: those its receipt lists, and the receipt.

    The gate keeps every key of a date under its receipt, so no listing of prefixes is needed.
    """
    receipt = keys.date_receipt(execution_date)
    body = lake.read(base, receipt)
    if body is None:
        return frozenset()
    try:
        return frozenset((*json.loads(body)["objects"], receipt))
    except (ValueError, KeyError, TypeError) as error:
        raise PlatformFailed(f"{receipt} at {base[:12]} is not a receipt: {error!r}", remedy="elt init") from error


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
