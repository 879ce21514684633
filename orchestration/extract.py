"""Pin, fetch, decide: nothing on the lake is touched yet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestration.context import DateRequest
from orchestration.lake import keys
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.lake.setup import require_lake
from orchestration.source.config import Table, read_tables
from orchestration.source.fetch import Page, fetch_date
from orchestration.transform import current_code, outputs_of


@dataclass(frozen=True)
class Extracted:
    """A date's raw on the spool, and what `main` had of the date when it was pinned.

    Attributes:
        base: The commit of `main` that was pinned before the fetch.
        tables: The source tables, as the project's YAML declares them.
        pages: The raw pages.
        former: The date's receipt at `base`, if it was published before.
        unchanged: Whether that receipt vouches for the same raw under the same code.
        outputs: The keys of the Parquet that this code would write.
    """

    base: str
    tables: tuple[Table, ...]
    pages: tuple[Page, ...]
    former: Receipt | None
    unchanged: bool
    outputs: frozenset[str]


def extract_raw(request: DateRequest, spool: Path) -> Extracted:
    """Pins `main`'s head, fetches the date's pages, and decides whether there is anything to do.

    `main` is pinned before the fetch, so that a slow run with old data conflicts with a fast one that published newer.

    Raises:
        UsageError: A source's YAML lacks what fetching needs, or the dbt project does not parse.
        SourceFailed: The API gave no usable answer.
        PlatformFailed: The lake is out of reach or lacks its gate, or the spool could not be written.
    """
    settings, date, report = request.settings, request.execution_date, request.report
    with request.step("pin"):
        tables = read_tables(settings.project_dir)
        code, outputs = current_code(request), outputs_of(request)
        base = require_lake(request.lake, settings.elt.bucket, settings.project_dir)
    with request.step("fetch"):
        pages = fetch_date(tables, settings, date, spool, report, request.run_type)
    with request.step("decide"):
        former = read_receipt(request.lake, base, keys.date_receipt(date))
        unchanged = former is not None and not request.force and former.is_of(pages, code)
    return Extracted(base, tables, pages, former, unchanged, outputs)
