"""Extract: pin `main`, fetch the date's pages and check whether anything changed. The lake is only read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from orchestration.context import DateRun
from orchestration.errors import PlatformFailed
from orchestration.lake import keys
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
        UsageError: A source's address is not set, or its token is invalid.
        SourceFailed: The API gave no usable response.
        PlatformFailed: The lake is out of reach or lacks its gate, or the work directory could not be written.
    """
    settings, date = run.settings, run.execution_date
    with run.step("extract"):
        base = require_lake(run.lake, settings.elt.bucket, settings.project_dir)
        former = read_receipt(run.lake, base, keys.date_receipt(date))
        run.record.former = former
        landed = _landed(run, plan.tables, base, former, folder)
        tables = [table for table in plan.tables if table.label not in {page.table for page in landed}]
        pages = (*landed, *fetch_date(tables, settings, date, folder, run.log, run.run_type))
        unchanged = not run.force and former is not None and _covers(former, pages, plan.code)
    return Extracted(base, pages, former, unchanged)


def _landed(run: DateRun, tables: Sequence[Table], base: str, former: Receipt | None, folder: Path) -> tuple[Page, ...]:
    """Return the pages that `main` already has of the tables that cannot or shall not be fetched for the date.

    Raises:
        PlatformFailed: A page is not what the receipt lists.
    """
    pages: list[Page] = []
    for table in tables:
        known = former.inputs.get(table.label, ()) if former else ()
        reason = not_on(table, run.execution_date, datetime.now(UTC)) or _left_out(run, table)
        if former is None or not known or not reason:
            continue
        for key in known:
            body = run.lake.read(base, key) or b""
            digest = sha256(body).hexdigest()
            if digest != former.raw_digests.get(key):
                raise PlatformFailed(f"{key} at {base[:12]} is not what its receipt lists", remedy="elt init")
            path = folder / key
            with translate_disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
            details = former.content["details"][key]
            decoded, no_data = tuple(details.get("decoded", ())), details.get("no_data", "")
            pages.append(Page(table.label, key, path, len(body), digest, former.objects[key], decoded, no_data))
        run.log.info(f"{table.label}: its {len(known)} pages are taken from {base[:12]}, because {reason}")
    return tuple(pages)


def _left_out(run: DateRun, table: Table) -> str:
    """Return why the run does not fetch a table; an empty text if it does."""
    if run.sources is None or table.source in run.sources:
        return ""
    return f"this run fetches only {', '.join(run.sources)}"


def _covers(receipt: Receipt, pages: Sequence[Page], code: str) -> bool:
    """Return whether the receipt covers exactly these raw pages under this code."""
    return receipt.code == code and receipt.raw_digests == {page.key: page.sha256 for page in pages}
