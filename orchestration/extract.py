"""Extract: pin `main`, fetch the date's pages, or take landed ones, and check whether anything changed.

The lake is only read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.context import DateRun
from orchestration.errors import UsageError
from orchestration.lake import keys
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.lake.setup import require_lake
from orchestration.landed import LandedRaw, latest_raw, published_raw
from orchestration.plan import Plan
from orchestration.source.config import Table
from orchestration.source.fetch import fetch_date, not_on
from orchestration.source.pages import Page


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

    Raises:
        UsageError: A source's address is not set, its token is invalid, or there is no raw to rebuild from.
        SourceFailed: The API gave no usable response.
        PlatformFailed: The lake is out of reach or lacks its gate, or the work directory could not be written.
    """

    def pages(base: str, former: Receipt | None) -> tuple[Page, ...]:
        get = _from_raw if run.from_raw else _pages
        return get(run, plan, base, former, folder)

    return extract_with(run, plan, pages)


def extract_with(run: DateRun, plan: Plan, pages_of: Callable[[str, Receipt | None], tuple[Page, ...]]) -> Extracted:
    """Pin the head of `main`, get the date's pages by `pages_of`, and check whether there is anything to do.

    `main` is pinned before the fetch, so that a slow run with old data conflicts with a fast one that published newer
    data. `pages_of` gets the pinned commit, and the receipt that it has of the date.

    Raises:
        PlatformFailed: The lake is out of reach or lacks its gate.
    """
    settings, date = run.settings, run.execution_date
    with run.step("extract"):
        base = require_lake(run.lake, settings.elt.bucket, settings.project_dir)
        former = read_receipt(run.lake, base, keys.date_receipt(date))
        run.record.former = former
        pages = pages_of(base, former)
        unchanged = not run.force and former is not None and plan.is_code_of(former) and _covers(former, pages)
    return Extracted(base, pages, former, unchanged)


def _pages(run: DateRun, plan: Plan, base: str, former: Receipt | None, folder: Path) -> tuple[Page, ...]:
    """Return the pages of the date: landed ones of the tables that are not fetched, and fetched ones of the others."""
    reasons = {table.label: reason for table in plan.tables if (reason := _not_fetched(run, table, former))}
    raw = _landed_raw(run, plan, base, former) if reasons else None
    landed = _take(run, raw, reasons, folder) if raw else ()
    missing = {table.label for table in plan.tables} - {page.table for page in landed}
    tables = [table for table in plan.tables if table.label in missing]
    return (*landed, *fetch_date(tables, run.settings, run.execution_date, folder, run.log, run.run_type))


def _from_raw(run: DateRun, plan: Plan, base: str, former: Receipt | None, folder: Path) -> tuple[Page, ...]:
    """Return all pages of the date as they have landed.

    Raises:
        UsageError: Nothing has landed of the date, or not of all tables that are declared now.
        PlatformFailed: A page is not what was recorded when it landed.
    """
    date = run.execution_date
    raw = _landed_raw(run, plan, base, former)
    if raw is None:
        raise UsageError(f"there is no raw of {date}", remedy=f"elt run {date}")
    reasons = {table.label: "the date is rebuilt from its raw" for table in plan.tables}
    pages = _take(run, raw, reasons, folder)
    if missing := reasons.keys() - {page.table for page in pages}:
        raise UsageError(
            f"the raw of {date} at {raw.commit[:12]} has no pages of {', '.join(sorted(missing))}",
            remedy=f"elt run {date} fetches them",
        )
    return pages


def _landed_raw(run: DateRun, plan: Plan, base: str, former: Receipt | None) -> LandedRaw | None:
    """Return the raw that `base` has of the date, else the latest that has landed."""
    if former:
        return published_raw(base, former)
    return latest_raw(run.lake, run.execution_date, [table.label for table in plan.tables])


def _take(run: DateRun, raw: LandedRaw, reasons: Mapping[str, str], folder: Path) -> tuple[Page, ...]:
    """Copy the landed pages of the tables that have a reason to take them."""
    taken: list[Page] = []
    for label, reason in reasons.items():
        if pages := raw.take(run.lake, label, folder):
            run.log.info(f"{label}: its {len(pages)} pages are taken from {raw.commit[:12]}, because {reason}")
            taken += pages
    return tuple(taken)


def _not_fetched(run: DateRun, table: Table, former: Receipt | None) -> str:
    """Return why the run prefers landed raw of a table to a fetch; an empty text if it does not."""
    if problem := not_on(table, run.execution_date, datetime.now(UTC)):
        return problem
    if former is None or run.sources is None or table.source in run.sources:
        return ""
    return f"this run fetches only {', '.join(run.sources)}"


def _covers(receipt: Receipt, pages: Sequence[Page]) -> bool:
    """Return whether the receipt covers exactly these raw pages."""
    return receipt.raw_digests == {page.key: page.sha256 for page in pages}
