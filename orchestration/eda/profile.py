"""Profile what is published at a commit: row counts from receipts, values from the Parquet that they list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from orchestration.eda.calendar import calendar
from orchestration.eda.model import DateRows, Profile, Revenue, Table
from orchestration.eda.scan import EXACT_ROWS, scan
from orchestration.errors import PlatformFailed, UsageError
from orchestration.lake import keys
from orchestration.lake.catalog import read_catalog
from orchestration.lake.client import Lake
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.lake.s3 import open_duckdb
from orchestration.lake.stale import stale_dates
from orchestration.sql import read_parquet

if TYPE_CHECKING:
    import duckdb

_SALES = "daily_sales"
_SALES_COLUMNS = {"execution_date", "country", "revenue"}
_COUNTRIES = 10


def profile(lake: Lake, commit: str) -> Profile:
    """Return the profile of what is published at a commit.

    It is the same each time, except for the branches that failed runs have left since.

    Raises:
        UsageError: Nothing is published there.
        PlatformFailed: The lake is out of reach, or DuckDB cannot read it.
    """
    import duckdb

    commit = lake.head(commit)
    published = read_catalog(lake, commit)
    if not published.receipts:
        raise UsageError("no date is published yet, so there is nothing to report on", remedy="elt run DATE")
    dates = tuple(published.receipts)
    root = f"s3://{lake.repository}/{commit}"
    try:
        # With several threads, the last digits of sums and estimates would depend on the order in which threads
        # finish.
        with open_duckdb(lake, commit, threads="1") as connection:
            tables = tuple(
                _table(connection, table, [f"{root}/{key}" for key in files], published.receipts)
                for table, files in published.files.items()
                if not table.endswith("_rejected")
            )
            marts = read_receipt(lake, commit, keys.MARTS_RECEIPT)
            revenue = _revenue(connection, root, marts)
    except duckdb.Error as error:
        raise PlatformFailed(f"DuckDB cannot read what is published at {commit[:12]}: {error}") from error
    days = calendar(dates, lake.branches("etl-"))
    stale = stale_dates(marts, published.checksums)
    return Profile(lake.repository, commit, dates, tables, days, revenue, stale)


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


def _revenue(connection: duckdb.DuckDBPyConnection, root: str, marts: Receipt | None) -> Revenue | None:
    uris = [f"{root}/{key}" for key in marts.objects if keys.table_of(key) == _SALES] if marts else []
    if marts is None or not uris:
        return None
    sales = read_parquet(uris, union_by_name=True)
    columns = {row[0] for row in connection.execute(f"describe select * from {sales}").fetchall()}  # noqa: S608
    if not columns >= _SALES_COLUMNS:
        return None
    by_date, by_country = (
        connection.execute(
            f"select {column}::varchar, sum(revenue) from {sales} group by 1 order by {order}"  # noqa: S608
        ).fetchall()
        for column, order in (("execution_date", "1"), ("country", "2 desc, 1"))
    )
    return Revenue(dict(by_date), dict(by_country[:_COUNTRIES]), len(by_country))
