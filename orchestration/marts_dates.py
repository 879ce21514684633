"""Dates that a run of the marts builds: those that changed since they were made, and those that share keys with them.

The other rows of marts by date are taken from the files that `main` has: see `lake.dated_files`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from orchestration.context import MartsRun
from orchestration.dbt_runner.dated_marts import (
    Repeats,
    read_repeats,
    reads_all_dates,
    require_marts_of_all_dates,
    tables_read,
)
from orchestration.dbt_runner.manifest import expand
from orchestration.errors import PlatformFailed
from orchestration.lake import keys
from orchestration.lake.catalog import parquet_by_table, read_receipts
from orchestration.lake.dated_files import DatedFiles, all_files, changed_files, file_names
from orchestration.lake.receipt import Receipt
from orchestration.lake.s3 import open_duckdb
from orchestration.lake.stale import stale_dates
from orchestration.plan import Plan
from orchestration.sql import identifier, literals, read_parquet

Files = Mapping[str, tuple[str, ...]]
"""The keys of each table's Parquet, by table."""


@dataclass(frozen=True)
class MartsDates:
    """What a run of the marts builds and reads.

    Attributes:
        dated: The files of marts by date that are written, and the dates whose rows are built.
        built: The Parquet of each table, of those dates.
        published: The same of all dates; empty if no mart reads them.
    """

    dated: DatedFiles
    built: Files = field(default_factory=dict)
    published: Files = field(default_factory=dict)


NO_DATES = MartsDates(all_files(()))
"""Nothing is built."""


def dates_to_build(
    run: MartsRun, plan: Plan, base: str, former: Receipt | None, checksums: Mapping[str, str]
) -> MartsDates:
    """Return what to build: what changed, or all dates under `run.force`, other code, or another version of the engine.

    The bytes of a file depend on the version.

    Args:
        run: The run.
        plan: Its plan.
        base: The commit of `main` with the dates.
        former: The receipt of the marts there, if they were published.
        checksums: The checksum of the receipt of each published date, by its key.

    Raises:
        UsageError: A mart's `repeats` cannot be read, or a mart that is written whole would lack dates.
        PlatformFailed: DuckDB cannot read the lake.
    """
    require_marts_of_all_dates(plan.manifest)
    repeats = read_repeats(plan.manifest)
    if former is None or run.force or not _can_keep(plan, former, checksums):
        return all_dates(run, base, checksums)
    return _changed(run, plan, base, former, checksums, repeats)


def _can_keep(plan: Plan, former: Receipt, checksums: Mapping[str, str]) -> bool:
    """Return whether `main` has files of marts by date that would be built alike, and dates that did not change."""
    has_marts_by_date = plan.outputs([""]) != plan.outputs()
    # DuckDB writes the files of both engines.
    engines = ("duckdb", "pyspark") if plan.spark else ("duckdb",)
    versions = former.content.get("versions", {})
    same_bytes = former.code == plan.code and all(versions.get(name) == version(name) for name in engines)
    complete = plan.outputs(file_names(map(keys.date_of_receipt, former.made_from))) <= former.keys
    return has_marts_by_date and same_bytes and complete and bool(former.made_from.items() & checksums.items())


def all_dates(run: MartsRun, commit: str, checksums: Mapping[str, str]) -> MartsDates:
    """Return a build of all dates with these receipts."""
    files = parquet_by_table(read_receipts(run.lake, commit, checksums))
    return MartsDates(all_files(map(keys.date_of_receipt, checksums)), files, files)


def _changed(
    run: MartsRun,
    plan: Plan,
    base: str,
    former: Receipt,
    checksums: Mapping[str, str],
    repeats: Sequence[Repeats],
) -> MartsDates:
    receipts = {keys.date_of_receipt(key): {key: checksum} for key, checksum in checksums.items()}
    before = tuple(map(keys.date_of_receipt, former.made_from))

    def files_of(dates: Iterable[str]) -> Files:
        wanted = {key: checksum for date in sorted(dates) for key, checksum in receipts[date].items()}
        return parquet_by_table(read_receipts(run.lake, base, wanted))

    changed = stale_dates(former, checksums)
    built = {date for date in changed if date in receipts}
    for found in repeats:
        built |= _sharing(run, base, found, file_names(before), changed, files_of(built))
    # The latest date of each table, for its columns: an old date may lack one that was added since.
    for table in sorted(tables_read(plan.manifest)):
        built |= set(next(([date] for date in sorted(receipts, reverse=True) if table in files_of([date])), ()))
    root = f"s3://{run.lake.repository}/{base}"
    everything = files_of(receipts) if reads_all_dates(plan.manifest) else {}
    return MartsDates(changed_files(receipts, built, before, root), files_of(built), everything)


def _sharing(
    run: MartsRun, base: str, repeats: Repeats, names: Sequence[str], changed: Sequence[str], files: Files
) -> set[str]:
    """Return the dates that have a key which a changed date has now, or had when the marts were made."""
    import duckdb

    root = f"s3://{run.lake.repository}/{base}"
    former = read_parquet([f"{root}/{key}" for key in expand(repeats.key, "", names)])
    columns = ", ".join(map(identifier, repeats.columns))
    is_changed = f"list_contains({literals(changed)}, execution_date::varchar)"
    keys_now = [f"{root}/{key}" for key in files.get(repeats.table, ())]
    now = f"union all select {columns} from {read_parquet(keys_now, union_by_name=True)}" if keys_now else ""  # noqa: S608
    try:
        with open_duckdb(run.lake, base, memory_limit=run.settings.elt.duckdb_memory) as connection:
            rows = connection.execute(
                f"""
                with former as (from {former}),
                changed as (select {columns} from former where {is_changed} {now})
                select distinct execution_date::varchar from former semi join changed using ({columns})
                """  # noqa: S608
            ).fetchall()
    except duckdb.Error as error:
        raise PlatformFailed(f"DuckDB cannot read {repeats.mart} on the lake: {error}") from error
    return {str(date) for (date,) in rows} - set(changed)
