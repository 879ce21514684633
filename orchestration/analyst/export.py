"""Export the rejected rows of a date to one file: `elt rejects DATE --export FILE`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestration.analyst.query import rejected_files
from orchestration.errors import PlatformFailed, UsageError
from orchestration.lake.client import Lake
from orchestration.lake.s3 import gateway_of, open_gateway
from orchestration.settings import Settings
from orchestration.sql import literal, read_parquet
from orchestration.workdir import translate_disk_errors

_FORMATS = {".parquet": "format parquet", ".csv": "format csv, header true"}


@dataclass(frozen=True)
class Exported:
    """A file with the rejected rows of a date, and their number."""

    file: str
    rows: int


def export_rejects(
    lake: Lake, settings: Settings, execution_date: str, ref: str, file: Path, *, overwrite: bool
) -> Exported:
    """Write the rejected rows of a date to Parquet or CSV, with table, reason, page and the complete record.

    The file appears complete or not at all.

    Args:
        lake: The repository.
        settings: The settings, which give the dbt project. Its sources name the tables.
        execution_date: The date.
        ref: `main`, or the branch that a failed run kept.
        file: The file; its extension gives the format.
        overwrite: Replace the file if it exists.

    Raises:
        UsageError: The extension is unknown, the file exists, or there is no such ref or no data of the date there.
        PlatformFailed: DuckDB cannot read the lake.
        DiskFailed: The file could not be written.
    """
    options = _FORMATS.get(file.suffix.lower())
    if options is None:
        raise UsageError(
            f"{file} has the extension {file.suffix!r}, not {' or '.join(_FORMATS)}",
            remedy=f"elt rejects {execution_date} --export {file.stem or 'rejects'}.csv",
        )
    _require_absent(file, overwrite)
    parts = (
        f'select {literal(table)} as "table", reason, page, record, {at} as part '  # noqa: S608
        f"from {read_parquet([f's3://{lake.repository}/{ref}/{key}' for key in files])}"
        for at, (table, files) in enumerate(sorted(rejected_files(lake, settings, execution_date, ref).items()))
    )
    selected = (
        f"select * exclude (part) from ({' union all '.join(parts)}) "  # noqa: S608
        "order by part, page nulls last, record nulls last, reason nulls last"
    )
    with _written(file, overwrite) as unfinished:
        rows = _copy(lake, f"copy ({selected}) to {literal(str(unfinished))} ({options})", unfinished)
    return Exported(str(file), rows)


def _require_absent(file: Path, overwrite: bool) -> None:
    if file.is_dir():
        raise UsageError(f"{file} is a folder", remedy="name a file")
    if file.exists() and not overwrite:
        raise _exists(file)


def _exists(file: Path) -> UsageError:
    return UsageError(f"{file} exists already", remedy="name another file, or add --force to replace it")


@contextmanager
def _written(file: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a path beside `file` to write to, which becomes `file` at the end."""
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        yield unfinished
        with translate_disk_errors(file):
            if overwrite:
                unfinished.replace(file)
                return
            try:
                # Unlike a rename, a link does not replace a file that was written in the meantime.
                os.link(unfinished, file)
            except FileExistsError:
                raise _exists(file) from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _copy(lake: Lake, statement: str, target: Path) -> int:
    """Run a COPY, and return the number of rows."""
    import duckdb

    with translate_disk_errors(target):
        # DuckDB reports a folder that does not exist like a lake that it cannot read.
        target.touch()
    with TemporaryDirectory(prefix="elt-duckdb-") as spilled, duckdb.connect(":memory:") as connection:
        connection.execute(f"set temp_directory = {literal(spilled)}")
        open_gateway(connection, gateway_of(lake))
        try:
            return int(connection.execute(statement).fetchall()[0][0])
        except duckdb.IOException as error:
            raise PlatformFailed(f"DuckDB cannot write {target.parent}, or read the lake: {error}") from error
