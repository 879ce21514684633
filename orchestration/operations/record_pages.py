"""Put records into raw pages of the form that a table declares, so that its models read them as they read the API's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from orchestration.lake import keys
from orchestration.source.config import Table
from orchestration.source.places import places_of
from orchestration.source.schema import Fetch
from orchestration.workdir import translate_disk_errors

_PAGE_CHARACTERS = 4_000_000
"""Characters of records on a page. DuckDB reads an envelope as one JSON object of at most 16 MB."""


def write_record_pages(table: Table, records: Iterable[tuple[str, str]], root: Path) -> tuple[str, ...]:
    """Write the pages of one table, and return their keys below `root`.

    Args:
        table: A table of the shape `objects` or `arrays`.
        records: Pairs of a date and the JSON text of a record, ordered by date.
        root: The folder of the pages.

    Raises:
        DiskFailed: A page could not be written.
    """
    begin, between, end = _around(table.fetch)
    written: list[str] = []
    for date, of_date in groupby(records, key=lambda pair: pair[0]):
        for number, texts in enumerate(_batches(text for _, text in of_date), 1):
            key = keys.raw_page(table.source, table.name, date, number)
            path = root / key
            with translate_disk_errors(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{begin}{between.join(map(_on_one_line, texts))}{end}", encoding="utf-8")
            written.append(key)
    return tuple(written)


def _around(fetch: Fetch) -> tuple[str, str, str]:
    """Return what a page has before, between and after its records."""
    if fetch.form == "ndjson":
        return "", "\n", "\n"
    begin, end = "[", "]"
    if fetch.form == "envelope":
        for step in reversed(places_of(fetch.records or "$")[0]):
            if isinstance(step, str):
                begin, end = f"{{{json.dumps(step)}:{begin}", f"{end}}}"
            else:
                before, after = (step, 0) if step >= 0 else (0, -step - 1)
                begin, end = f"[{'null,' * before}{begin}", f"{end}{',null' * after}]"
    return begin, ",", end


def _on_one_line(record: str) -> str:
    """Return a record without line breaks, which JSON has only between its values."""
    return record.replace("\r", " ").replace("\n", " ")


def _batches(texts: Iterator[str]) -> Iterator[Sequence[str]]:
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and size + len(text) > _PAGE_CHARACTERS:
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    yield batch
