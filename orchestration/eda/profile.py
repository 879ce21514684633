"""Profile what is published at a commit: row counts from receipts, values from the Parquet that they list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestration.eda.calendar import calendar
from orchestration.eda.figures import mart_figures
from orchestration.eda.model import DateRows, Profile, Table
from orchestration.eda.scan import EXACT_ROWS, scan
from orchestration.errors import PlatformFailed, UsageError
from orchestration.lake import keys
from orchestration.lake.catalog import date_checksums, parquet_by_table, read_receipts
from orchestration.lake.client import Lake
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.lake.s3 import open_duckdb
from orchestration.lake.stale import stale_dates
from orchestration.models.reports import MartReport

if TYPE_CHECKING:
    import duckdb


def profile(lake: Lake, commit: str, reports: Sequence[MartReport] = (), latest: int = 366) -> Profile:
    """Return the profile of what is published at a commit: of the rows of the latest dates, and of marts as a whole.

    It is the same each time, except for the branches that failed runs have left since.

    Args:
        lake: The repository.
        commit: The commit.
        reports: What the project declares to be shown of marts.
        latest: How many of the latest dates are profiled, so that a report does not take longer each night.

    Raises:
        UsageError: Nothing is published there.
        PlatformFailed: The lake is out of reach, or DuckDB cannot read it.
    """
    import duckdb

    commit = lake.head(commit)
    checksums = date_checksums(lake, commit)
    if not checksums:
        raise UsageError("no date is published yet, so there is nothing to report on", remedy="elt run DATE")
    published = tuple(map(keys.date_of_receipt, checksums))
    dates = published[-latest:]
    read = read_receipts(lake, commit, {keys.date_receipt(date): checksums[keys.date_receipt(date)] for date in dates})
    receipts = {keys.date_of_receipt(receipt.key): receipt for receipt in read}
    root = f"s3://{lake.repository}/{commit}"
    try:
        # With several threads, the last digits of sums and estimates would depend on the order in which threads
        # finish.
        # A commit does not change, so what is known of its files holds for each pass.
        with open_duckdb(lake, commit, threads="1", enable_http_metadata_cache="true") as connection:
            tables = tuple(
                _table(connection, table, [f"{root}/{key}" for key in files], receipts)
                for table, files in parquet_by_table(receipts.values()).items()
                if not table.endswith("_rejected")
            )
            marts = read_receipt(lake, commit, keys.MARTS_RECEIPT)
            shown = mart_figures(connection, root, marts, reports)
    except duckdb.Error as error:
        raise PlatformFailed(f"DuckDB cannot read what is published at {commit[:12]}: {error}") from error
    every_day = calendar(published, lake.branches("etl-"))
    days = {day: status for day, status in every_day.items() if len(dates) == len(published) or day >= dates[0]}
    return Profile(lake.repository, commit, dates, len(published), tables, days, shown, stale_dates(marts, checksums))


def _table(
    connection: duckdb.DuckDBPyConnection, name: str, uris: Sequence[str], receipts: Mapping[str, Receipt]
) -> Table:
    accounts = {date: receipt.content.get("accounting", {}).get(name) for date, receipt in receipts.items()}
    dates = tuple(
        DateRows(
            date, parts["raw"], parts["curated"], parts["identical"], parts["conflicting"], dict(parts["rejected"])
        )
        for date, parts in accounts.items()
        if parts
    )
    rows = sum(date.curated for date in dates)
    return Table(name, dates, scan(connection, uris, rows), rows <= EXACT_ROWS)
