"""Find the dates whose rejected records the code at hand would accept, without a rebuild of the dates.

The rejected records of all dates are put into pages of the declared form, in the work directory, and only the models
that check rows are built from them. Where the records alone are not enough, all raw pages of the date's table are read:

- a record of the shapes `table`, `values` and `columns` does not have all that its page says of it;
- a record that is no object, or no list, may be one because the place or the shape was declared wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.context import DateRun
from orchestration.dbt_runner.checked import CheckedRows, check_rows
from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.session import Project
from orchestration.errors import PlatformFailed
from orchestration.lake import keys
from orchestration.lake.catalog import parquet_by_table, receipts_of
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import Receipt
from orchestration.lake.s3 import open_duckdb
from orchestration.log import Log
from orchestration.models.generate import require_declared
from orchestration.operations.record_pages import write_record_pages
from orchestration.plan import TARGET, Plan, make_plan
from orchestration.settings import Settings
from orchestration.source.config import Table
from orchestration.sql import read_parquet
from orchestration.workdir import translate_disk_errors, work_directory

if TYPE_CHECKING:
    import duckdb

_ROWS_AT_ONCE = 1_000
_WITHOUT_RECORDS = ("table", "values", "columns")
_NO_RECORD = ("record_not_object", "record_not_list")


@dataclass(frozen=True)
class _Rejected:
    """A table of a date with rejected rows, of a version that other code built."""

    execution_date: str
    table: Table
    receipt: Receipt

    @property
    def reasons(self) -> Mapping[str, int]:
        """Return the rejected rows by reason."""
        found: Mapping[str, int] = self.receipt.content["accounting"][self.table.name]["rejected"]
        return found

    @property
    def accepted(self) -> int:
        """Return the rows that were accepted, duplicates included."""
        parts = self.receipt.content["accounting"][self.table.name]
        return int(parts["raw"]) - sum(self.reasons.values()) - int(parts.get("other_dates", 0))

    @property
    def needs_pages(self) -> str:
        """Return why the rejected records alone are not enough; empty if they are."""
        shape = self.table.fetch.shape
        if shape in _WITHOUT_RECORDS:
            return f"a record of shape {shape} is not all that its page says of it"
        return next((f"rows were rejected for {reason}" for reason in self.reasons if reason in _NO_RECORD), "")

    @property
    def is_alone(self) -> bool:
        """Return whether it has to be built without other dates."""
        return bool(self.needs_pages) or self.table.rows.keep_date is not None


def recoverable_dates(
    lake: Lake, settings: Settings, dates: Iterable[str], log: Log, plan: Plan | None = None
) -> dict[str, dict[str, int]]:
    """Return the dates of which the code at hand accepts records that were rejected, with their number by table.

    The number counts records, also those that have the key of a published row. Dates that the same code built are not
    tried: they would have the same rejected rows. The lake is only read.

    Args:
        lake: The repository.
        settings: All other settings.
        dates: The dates to look at; those that `main` does not have are left out.
        log: Takes progress lines.
        plan: A plan of any date, if there is one.

    Raises:
        UsageError: The project does not parse, or its models are out of date.
        PlatformFailed: lakeFS, DuckDB, dbt or the disk failed.
    """
    named = sorted(set(dates))
    if not named:
        return {}
    plan = plan or make_plan(DateRun(lake=lake, settings=settings, log=log, execution_date=named[0]), named[0])
    require_declared(settings.project_dir, plan.tables)
    head = lake.head(MAIN)
    candidates = tuple(_candidates(lake, head, plan, named))
    trial = _Trial(lake, head, settings, plan, log)
    found: dict[str, dict[str, int]] = {}
    for one, count in sorted(trial.gains(candidates), key=lambda gain: (gain[0].execution_date, gain[0].table.label)):
        if count > 0:
            found.setdefault(one.execution_date, {})[one.table.name] = count
    log.info(f"{len(found):,} of {len(named):,} dates have rejected records that would be accepted now")
    return found


def _candidates(lake: Lake, head: str, plan: Plan, dates: Sequence[str]) -> Iterator[_Rejected]:
    for receipt in receipts_of(lake, head, dates):
        if plan.is_code_of(receipt):
            continue
        for table in plan.tables:
            parts = receipt.content.get("accounting", {}).get(table.name, {})
            if any(parts.get("rejected", {}).values()) and receipt.inputs.get(table.label):
                yield _Rejected(keys.date_of_receipt(receipt.key), table, receipt)


@dataclass(frozen=True)
class _Trial:
    """Builds the checked rows of candidates: all dates at once where that gives the counts of each, else one by one."""

    lake: Lake
    head: str
    settings: Settings
    plan: Plan
    log: Log

    def gains(self, candidates: Sequence[_Rejected]) -> Iterator[tuple[_Rejected, int]]:
        """Yield the candidates with the number of their records that are accepted now."""
        yield from self._together([one for one in candidates if not one.is_alone])
        for one in candidates:
            if one.is_alone:
                yield one, self._alone(one)

    def _together(self, candidates: Sequence[_Rejected]) -> Iterator[tuple[_Rejected, int]]:
        if not candidates:
            return
        labels = dict.fromkeys(one.table.label for one in candidates)
        of_table = {label: [one for one in candidates if one.table.label == label] for label in labels}
        with work_directory(self.settings.state_dir, "rejected") as folder:
            pages = {label: self._write_records(some, folder / "raw-root") for label, some in of_table.items()}
            tables = [some[0].table for some in of_table.values()]
            checked = self._check(tables, pages, candidates[0].execution_date, folder)
        for label, rows in checked.items():
            given = {one.execution_date: sum(one.reasons.values()) for one in of_table[label]}
            if rows.rows != sum(given.values()):
                raise PlatformFailed(
                    f"{rows.rows:,} rejected records of {label} were read, but receipts count {sum(given.values()):,}",
                    remedy="elt audit --deep",
                )
            for one in of_table[label]:
                yield one, given[one.execution_date] - rows.rejected.get(one.execution_date, 0)

    def _alone(self, one: _Rejected) -> int:
        date, table = one.execution_date, one.table
        with work_directory(self.settings.state_dir, date) as folder:
            if why := one.needs_pages:
                self.log.info(f"{table.label} of {date}: all its raw pages are tried, because {why}")
                pages, before = self._copy_pages(one, folder / "raw-root"), one.accepted
            else:
                pages, before = self._write_records([one], folder / "raw-root"), 0
            checked = self._check([table], {table.label: pages}, date, folder)
        return checked[table.label].accepted - before if table.label in checked else 0

    def _check(
        self, tables: Sequence[Table], pages: Mapping[str, Sequence[str]], date: str, folder: Path
    ) -> dict[str, CheckedRows]:
        run = RunFile(date, str(folder / "lake"), str(folder / "raw-root"), pages)
        project = Project(self.settings.project_dir, TARGET, folder / "dbt")
        return check_rows(run, self.plan.manifest, project, tables, engine=self.plan.engine, log=self.log)

    def _write_records(self, candidates: Sequence[_Rejected], root: Path) -> tuple[str, ...]:
        """Write pages of the rejected records of one table, and return their keys."""
        table = candidates[0].table
        uris = [
            f"s3://{self.lake.repository}/{self.head}/{key}"
            for one in candidates
            for key in parquet_by_table([one.receipt])[f"{table.name}_rejected"]
        ]
        with open_duckdb(self.lake, self.head) as connection:
            return write_record_pages(table, _records(connection, uris), root)

    def _copy_pages(self, one: _Rejected, root: Path) -> tuple[str, ...]:
        pages = tuple(one.receipt.inputs[one.table.label])
        for key in pages:
            path = root / key
            with translate_disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as file:
                    file.writelines(self.lake.chunks(self.head, key))
        return pages


def _records(connection: duckdb.DuckDBPyConnection, uris: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the date and the text of each rejected record, ordered by date."""
    import duckdb

    try:
        cursor = connection.execute(
            "select cast(date as varchar), coalesce(record, 'null') "  # noqa: S608
            f"from {read_parquet(uris, hive_partitioning=True)} order by date"
        )
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            yield from rows
    except duckdb.Error as error:
        raise PlatformFailed(f"DuckDB cannot read the rejected rows: {error}") from error
