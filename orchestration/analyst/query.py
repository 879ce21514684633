"""Read published data with DuckDB at one pinned commit: `elt sql` and `elt rejects`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.errors import IngestCleanError, LakeNotFound, PlatformFailed, UsageError
from orchestration.lake import keys
from orchestration.lake.catalog import parquet_by_table, read_catalog
from orchestration.lake.client import Lake
from orchestration.lake.receipt import read_receipt
from orchestration.lake.s3 import open_duckdb
from orchestration.settings import Settings
from orchestration.source.config import read_tables
from orchestration.sql import identifier, read_parquet
from orchestration.text import LINE_LIMIT, quoted

if TYPE_CHECKING:
    import duckdb

_THREADS = 8
"""DuckDB opens a file in each thread, and mostly waits for the lake: years are thousands of files."""

_REF = re.compile(r"[A-Za-z0-9_][\w.~@-]*")
_EXPLAIN = re.compile(r"\s*explain\s+(analyze\s+)?(\([\w\s,]+\)\s*)?", re.IGNORECASE)
# DuckDB parses pragmas that show something as a SELECT.
_PRAGMA = re.compile(r"([\s;]|--[^\n]*\n|/\*.*?\*/)*pragma\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """The result of a query, and the commit of `main` that it read."""

    commit: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class Rejects:
    """Rows of one table and date that were rejected for one reason.

    Attributes:
        table: The table.
        reason: The reject reason.
        count: The number of rejected rows.
        examples: Some of them, as page and original record.
    """

    table: str
    reason: str
    count: int
    examples: tuple[tuple[str, str], ...]


def query(lake: Lake, sql: str, commit: str | None = None) -> Answer:
    """Run one SQL query over all tables published at a commit of `main`; by default at its current head.

    Tables with dates get a column `_execution_date`.

    Raises:
        UsageError: It is not a single query that reads, or DuckDB rejects it; DuckDB's message is the cause.
        PlatformFailed: DuckDB cannot read the lake.
    """
    commit = commit or lake.head("main")
    # DuckDB 1.5.5 fails with an internal error on min and max of the partition column over a single file.
    options = {"disabled_optimizers": "statistics_propagation", "threads": str(max(_THREADS, os.cpu_count() or 1))}
    with open_duckdb(lake, commit, **options) as connection:
        _require_one_query(connection, sql)
        for table, files in _tables_of(connection, sql, lake, commit).items():
            create_view(connection, table, f"s3://{lake.repository}/{commit}", files)
        return Answer(commit, *_ask(connection, sql))


def _tables_of(connection: duckdb.DuckDBPyConnection, sql: str, lake: Lake, commit: str) -> Mapping[str, Sequence[str]]:
    """Return the keys of the tables that a query names, by table; of all tables, if in doubt.

    After years, the receipts of all dates and a view of thousands of files take a while.
    """
    import duckdb

    try:
        named = {name.lower() for name in connection.get_table_names(sql)}
    except duckdb.Error:
        # It binds the query to tables without columns, which not every query allows, such as a join with `using`.
        named = set()
    receipt = read_receipt(lake, commit, keys.MARTS_RECEIPT)
    published = parquet_by_table([receipt] if receipt else ())
    if not named or not named <= published.keys():
        published |= read_catalog(lake, commit).files
    # No name: the query may list the tables themselves.
    return {table: published[table] for table in sorted(named)} if named and named <= published.keys() else published


def create_view(connection: duckdb.DuckDBPyConnection, table: str, root: str, files: Sequence[str]) -> None:
    """Create a view of a published table, with `_execution_date` if its files have a date.

    No column of a table begins with an underscore, so that name hides no column, not even one named `date`.

    Args:
        connection: A connection that can read the files.
        table: The name of the view.
        root: URI or folder of the files.
        files: The keys of the table's Parquet.
    """
    import duckdb

    uris = [f"{root}/{key}" for key in files]
    try:
        described = connection.execute(f"describe from {read_parquet(uris[:1])}").fetchall()
    except duckdb.Error as error:
        raise _refused(error) from error
    if not all("/date=" in key for key in files):
        selected = f"* from {read_parquet(uris)}"
    elif any(name.lower() == "date" for name, *_ in described):
        date = "cast(regexp_extract(_uri, '.*/date=([0-9-]+)/', 1) as date) as _execution_date"
        selected = f"* exclude (_uri), {date} from {read_parquet(uris, filename='_uri')}"
    else:
        # The partition's column would replace one named `date`. It is used where possible, since a query of some
        # dates then opens only their files.
        selected = f"* exclude (date), date as _execution_date from {read_parquet(uris, hive_partitioning=True)}"
    connection.execute(f"create view {identifier(table)} as select {selected}")


def _require_one_query(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Require a single SELECT, or an EXPLAIN of one. `explain analyze` runs the statement that it explains."""
    import duckdb

    try:
        kinds = [statement.type.name for statement in connection.extract_statements(sql)]
        if kinds == ["EXPLAIN"]:
            kinds = [statement.type.name for statement in connection.extract_statements(_EXPLAIN.sub("", sql))]
    except duckdb.Error as error:
        raise _refused(error) from error
    if kinds != ["SELECT"] or _PRAGMA.match(sql):
        raise UsageError(
            f"{quoted(sql, LINE_LIMIT)} is not a single read-only query",
            remedy="give a single SELECT: elt sql is read-only",
        )


def rejects(lake: Lake, settings: Settings, execution_date: str, ref: str, examples: int) -> tuple[Rejects, ...]:
    """Return the rejected rows of a date, by table and reason, from the Parquet at `ref`.

    Args:
        lake: The repository.
        settings: The settings, which give the dbt project. Its sources name the tables.
        execution_date: The date.
        ref: `main`, or the branch that a failed run kept.
        examples: The maximum number of example rows per reason.

    Raises:
        UsageError: There is no such ref, or no rejects table of the date there, not even an empty one.
        PlatformFailed: DuckDB cannot read the lake.
    """
    there = rejected_files(lake, settings, execution_date, ref)
    found: list[Rejects] = []
    with open_duckdb(lake, ref) as connection:
        for table, files in there.items():
            _, rows = _ask(
                connection,
                f"""
                select
                    reason,
                    count(*),
                    arg_min({{'page': page, 'record': record}}, row(page, record), {max(1, examples)})[:{examples}]
                from {read_parquet([f"s3://{lake.repository}/{ref}/{key}" for key in files])}
                group by reason
                order by reason
                """,  # noqa: S608
            )
            for reason, count, some in rows:
                found.append(Rejects(table, reason, count, tuple((row["page"], row["record"]) for row in some)))
    return tuple(found)


def rejected_files(lake: Lake, settings: Settings, execution_date: str, ref: str) -> dict[str, list[str]]:
    """Return the keys of the Parquet with a date's rejected rows at `ref`, by table.

    Raises:
        UsageError: There is no such ref, or no rejects table of the date there, not even an empty one.
    """
    tables = [table.name for table in read_tables(settings.project_dir)]
    if not _REF.fullmatch(ref):
        raise UsageError(f"{ref!r} is not a valid branch or commit", remedy=f"elt rejects {execution_date}")
    try:
        listed = {
            table: [stored.key for stored in lake.objects(ref, keys.rejected_folder(table, execution_date))]
            for table in tables
        }
    except LakeNotFound:
        raise UsageError(f"there is no branch or commit {ref}", remedy=f"elt rejects {execution_date}") from None
    there = {table: files for table, files in listed.items() if files}
    if not there:
        kept = [branch for branch in lake.branches(f"etl-{execution_date}-") if branch != ref]
        kept.sort(key=lambda branch: lake.commit_of(branch).created)
        raise UsageError(
            f"{ref} has no data of {execution_date}",
            remedy=f"elt rejects {execution_date} --ref {kept[-1]}" if kept else f"elt run {execution_date}",
        )
    return there


def _ask(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    import duckdb

    try:
        cursor = connection.execute(sql)
        columns = tuple(str(column[0]) for column in cursor.description or ())
        return columns, tuple(cursor.fetchall())
    except duckdb.Error as error:
        raise _refused(error) from error


def _refused(error: Exception) -> IngestCleanError:
    import duckdb

    if isinstance(error, duckdb.IOException):
        return PlatformFailed(f"DuckDB cannot read the lake: {error}")
    message = " ".join(str(error).split())
    if isinstance(error, duckdb.PermissionException):
        return UsageError(message, remedy="query the published tables by name: elt sql reads nothing else")
    return UsageError(message)
