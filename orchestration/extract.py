"""Extract: pin `main`, fetch the date's pages, or take landed ones, and check whether anything changed.

The lake is only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from orchestration.context import DateRun
from orchestration.errors import PlatformFailed, UsageError
from orchestration.lake import keys
from orchestration.lake.history import last_version
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.lake.setup import require_lake
from orchestration.plan import Plan
from orchestration.source.config import Table
from orchestration.source.fetch import fetch_date, not_on
from orchestration.source.pages import Page
from orchestration.workdir import translate_disk_errors


@dataclass(frozen=True)
class Extracted:
    """A date's raw pages in the work directory, and what the pinned commit has of the date.

    Attributes:
        base: The commit of `main` that was pinned before the fetch.
        pages: The raw pages.
        former: The date's receipt at `base`, if it was published before.
        unchanged: Whether that receipt covers the same raw under the same code.
    """

    base: str
    pages: tuple[Page, ...]
    former: Receipt | None
    unchanged: bool


def extract(run: DateRun, plan: Plan, folder: Path) -> Extracted:
    """Pin the head of `main`, fetch the date's pages, and check whether there is anything to do.

    `main` is pinned before the fetch, so that a slow run with old data conflicts with a fast one that published newer
    data.

    Raises:
        UsageError: A source's address is not set, its token is invalid, or there is no raw to rebuild from.
        SourceFailed: The API gave no usable response.
        PlatformFailed: The lake is out of reach or lacks its gate, or the work directory could not be written.
    """
    settings, date = run.settings, run.execution_date
    with run.step("extract"):
        base = require_lake(run.lake, settings.elt.bucket, settings.project_dir)
        former = read_receipt(run.lake, base, keys.date_receipt(date))
        run.record.former = former
        if run.from_raw:
            pages = _from_raw(run, plan, base, former, folder)
        else:
            reasons = {table.label: _not_fetched(run, table) for table in plan.tables}
            landed = _landed(run, reasons, base, former, folder)
            tables = [table for table in plan.tables if table.label not in {page.table for page in landed}]
            pages = (*landed, *fetch_date(tables, settings, date, folder, run.log, run.run_type))
        unchanged = not run.force and former is not None and _covers(former, pages, plan.code)
    return Extracted(base, pages, former, unchanged)


def _from_raw(run: DateRun, plan: Plan, base: str, former: Receipt | None, folder: Path) -> tuple[Page, ...]:
    """Return all pages of the date from `base`, or from the commit that had the date last if `base` has it no more.

    Raises:
        UsageError: The date was never published, or not with all tables that are declared now.
        PlatformFailed: A page is not what the receipt lists.
    """
    commit, receipt = base, former
    if receipt is None:
        commit, receipt = last_version(run.lake, run.execution_date)
    if receipt is None:
        raise UsageError(
            f"{run.execution_date} was never published, so main has no raw of it",
            remedy=f"elt run {run.execution_date}",
        )
    reasons = {table.label: "the date is rebuilt from its raw" for table in plan.tables}
    pages = _landed(run, reasons, commit, receipt, folder)
    if missing := reasons.keys() - {page.table for page in pages}:
        raise UsageError(
            f"the raw of {run.execution_date} at {commit[:12]} has no pages of {', '.join(sorted(missing))}",
            remedy=f"elt run {run.execution_date} fetches them",
        )
    return pages


def _landed(
    run: DateRun, reasons: Mapping[str, str], commit: str, receipt: Receipt | None, folder: Path
) -> tuple[Page, ...]:
    """Return the pages of the date that a commit of `main` has, of each table with a reason not to fetch it.

    Raises:
        PlatformFailed: A page is not what the receipt lists.
    """
    pages: list[Page] = []
    for label, reason in reasons.items():
        known = receipt.inputs.get(label, ()) if receipt else ()
        if receipt is None or not known or not reason:
            continue
        for key in known:
            body = run.lake.read(commit, key) or b""
            digest = sha256(body).hexdigest()
            if digest != receipt.raw_digests.get(key):
                raise PlatformFailed(f"{key} at {commit[:12]} is not what its receipt lists", remedy="elt init")
            path = folder / key
            with translate_disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
            details = receipt.content["details"][key]
            decoded, no_data = tuple(details.get("decoded", ())), details.get("no_data", "")
            pages.append(Page(label, key, path, len(body), digest, receipt.objects[key], decoded, no_data))
        run.log.info(f"{label}: its {len(known)} pages are taken from {commit[:12]}, because {reason}")
    return tuple(pages)


def _not_fetched(run: DateRun, table: Table) -> str:
    """Return why the run prefers the raw that `main` has of a table to a fetch; an empty text if it does not."""
    if problem := not_on(table, run.execution_date, datetime.now(UTC)):
        return problem
    if run.sources is None or table.source in run.sources:
        return ""
    return f"this run fetches only {', '.join(run.sources)}"


def _covers(receipt: Receipt, pages: Sequence[Page], code: str) -> bool:
    """Return whether the receipt covers exactly these raw pages under this code."""
    return receipt.code == code and receipt.raw_digests == {page.key: page.sha256 for page in pages}
