"""`elt source check`: fetch and build a date in a temporary folder, and report what a run would find."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date as Date
from datetime import timedelta
from pathlib import Path

from orchestration.dbt_runner.results import BuildResult, TableAccounting
from orchestration.declare.answer import ask
from orchestration.declare.trial import build_tables
from orchestration.errors import IngestCleanError, SourceFailed, UsageError
from orchestration.lake import keys
from orchestration.log import Log, log_to
from orchestration.models.generate import require_declared
from orchestration.settings import Settings
from orchestration.source.body import Body, is_empty_list
from orchestration.source.config import Table, read_tables
from orchestration.source.fetch import fetch_date
from orchestration.source.page import ENVELOPE_LIMIT
from orchestration.source.pages import Page
from orchestration.source.paths import value_at
from orchestration.source.rules import is_snapshot
from orchestration.source.schema import NoPaging
from orchestration.text import one_line


@dataclass(frozen=True)
class CheckedTable:
    """What a run would find in one table.

    Attributes:
        table: `source.table`.
        pages: The pages that were fetched.
        bytes: Their size.
        accounting: What became of their rows; None if the models were not built.
        doubts: Signs that the answers are not what the declaration says, or not all.
    """

    table: str
    pages: int
    bytes: int
    accounting: TableAccounting | None
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """What a run of a date would find.

    Attributes:
        date: The date.
        tables: Its tables.
        notes: What the build reports of a run that passes.
        failure: Why a run would fail; None if it would not.
    """

    date: str
    tables: tuple[CheckedTable, ...]
    notes: tuple[str, ...]
    failure: IngestCleanError | None


def check(settings: Settings, name: str, date: str, folder: Path, log: Log) -> Checked:
    """Fetch a date of a source or of one table, and build its models, without the lake.

    Args:
        settings: The settings.
        name: A source, or `source.table`.
        date: The date.
        folder: A folder for pages and models.
        log: Takes progress lines.

    Raises:
        UsageError: There is no such table, its models are out of date, or the date cannot be fetched.
        SourceFailed: The API gave no usable answer, or not all that it announced.
        PlatformFailed: dbt itself failed.
    """
    tables = _named(settings.project_dir, name)
    require_declared(settings.project_dir, tables)
    raw, doubts = folder / "raw-root", {table.label: list[str]() for table in tables}
    pages: dict[str, tuple[Page, ...]] = {}
    for table in tables:
        lines: list[str] = doubts[table.label]
        own = _recording(log, table, lines)
        pages[table.label] = fetch_date([table], settings, date, raw, own)
        lines += _doubts(settings, table, pages[table.label], raw, date, folder, log)
    listed = {label: [page.key for page in found] for label, found in pages.items()}
    built = build_tables(settings, settings.project_dir, tables, listed, raw, date, folder)
    return Checked(
        date,
        tuple(
            CheckedTable(
                table.label,
                len(pages[table.label]),
                sum(page.bytes for page in pages[table.label]),
                built.accounting.get(table.name),
                tuple(doubts[table.label]),
            )
            for table in tables
        ),
        tuple(note for _, note in built.notes()),
        _failure(built),
    )


def _failure(built: BuildResult) -> IngestCleanError | None:
    failure = built.failure()
    if failure is not None and not built.accounting:
        # Without the accounting there is nothing else to report.
        raise failure
    return failure


def _named(project_dir: Path, name: str) -> tuple[Table, ...]:
    tables = read_tables(project_dir)
    found = tuple(table for table in tables if name in (table.source, table.label))
    if not found:
        raise UsageError(
            f"there is no source and no table {name!r}",
            remedy=f"name one of {', '.join(table.label for table in tables)}, or a source",
        )
    return found


def _recording(log: Log, table: Table, lines: list[str]) -> logging.Logger:
    """Return a logger that keeps what the fetch doubts of a table, and passes all lines on."""

    def write(line: str) -> None:
        log.info(line)
        about = line.removeprefix("warning: ")
        if about.startswith(f"{table.label}: "):
            lines.append(about.removeprefix(f"{table.label}: "))

    return log_to(write)


def _doubts(
    settings: Settings, table: Table, pages: Sequence[Page], raw: Path, date: str, folder: Path, log: Log
) -> Iterator[str]:
    """Yield signs that the pages are not all there is, or that the API ignores the date."""
    fetch = table.fetch
    if isinstance(fetch.paging, NoPaging) and len(pages) == 1:
        count = _count(table, pages[0])
        limits = [name for name, value in fetch.parameters.items() if count and str(value) == str(count)]
        if limits:
            yield (
                f"the only page has {count:,} records, which is what {limits[0]} asks for: there may be more; "
                "declare the paging"
            )
    if is_snapshot(fetch) or not pages or not pages[0].bytes:
        return
    before = str(Date.fromisoformat(date) - timedelta(days=1))
    source = settings.sources[table.source]
    label = (table.source, table.name)
    try:
        answer = ask(settings.elt, label, source, fetch, before, folder, log)
    except SourceFailed as error:
        log.info(f"{table.label}: the date before, {before}, cannot be compared: {error}")
        return
    first = (raw / keys.raw_page(table.source, table.name, date, 1)).read_bytes()
    if _records(table, first) == _records(table, answer.body):
        yield f"the first page of {before} has the same records: see whether the API takes the date as fetch names it"


def _count(table: Table, page: Page) -> int:
    if table.fetch.form == "ndjson" or page.bytes > ENVELOPE_LIMIT:
        return 0
    records = _records(table, page.path.read_bytes())
    return 0 if is_empty_list(records) else Body("", records=records, shape=table.fetch.shape).count


def _records(table: Table, body: bytes) -> bytes:
    # Other fields of an envelope may contain a clock or a request id.
    return (value_at(body, table.fetch.records or "$") or b"") if table.fetch.form == "envelope" else body.strip()


def lines_of(checked: Checked) -> Iterator[str]:
    """Yield the report as lines of text."""
    for one in checked.tables:
        yield f"{one.table} of {checked.date}: {one.pages:,} pages, {one.bytes:,} bytes"
        if one.accounting:
            yield from (f"  {line}" for line in _accounting(one.accounting))
        yield from (f"  doubt: {doubt}" for doubt in one.doubts)
    yield from (f"note: {note}" for note in checked.notes)
    yield "a run would fail" if checked.failure else "a run would publish this"


def _accounting(parts: TableAccounting) -> Iterator[str]:
    rejected = sum(parts.rejected.values())
    yield (
        f"{parts.raw:,} records: {parts.curated:,} curated, {parts.identical:,} identical, "
        f"{parts.conflicting:,} conflicting, {rejected:,} rejected, {parts.other_dates:,} of other dates"
    )
    for reason, count in sorted(parts.rejected.items(), key=lambda item: -item[1]):
        yield f"rejected for {one_line(reason)}: {count:,}"
        yield from (f"  {one_line(row['page'])}: {one_line(row['record'])}" for row in parts.rejects.get(reason, ()))
    for title, names in (("undeclared", parts.drift), ("missing", parts.missing)):
        yield from (f"{title} field {one_line(name)!r} in {count:,} records" for name, count in names.items())
