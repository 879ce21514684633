"""Extract: pin `main`, fetch the date's pages and check whether anything changed. The lake is only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.context import DateRun
from orchestration.lake import keys
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.lake.setup import require_lake
from orchestration.plan import Plan
from orchestration.source.fetch import Page, fetch_date


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
        UsageError: A source's address is not set, or its token is invalid.
        SourceFailed: The API gave no usable response.
        PlatformFailed: The lake is out of reach or lacks its gate, or the work directory could not be written.
    """
    settings, date = run.settings, run.execution_date
    with run.step("extract"):
        base = require_lake(run.lake, settings.elt.bucket, settings.project_dir)
        pages = fetch_date(plan.tables, settings, date, folder, run.log, run.run_type)
        former = read_receipt(run.lake, base, keys.date_receipt(date))
        run.record.former = former
        unchanged = not run.force and former is not None and _covers(former, pages, plan.code)
    return Extracted(base, pages, former, unchanged)


def _covers(receipt: Receipt, pages: Sequence[Page], code: str) -> bool:
    """Return whether the receipt covers exactly these raw pages under this code."""
    return receipt.code == code and receipt.raw_digests == {page.key: page.sha256 for page in pages}
