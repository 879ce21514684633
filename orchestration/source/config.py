"""Declarations of what to fetch: the dbt sources' YAML, read once and checked before anything is fetched.

`orchestration.source.schema` has what a table may declare, `orchestration.source.rules` the rules between its fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from orchestration.errors import UsageError
from orchestration.source import rows
from orchestration.source.allowed import explained
from orchestration.source.columns import (
    Column,
    InvalidColumns,
    in_shape,
    read_columns,
    rendered,
    require_known_keys,
)
from orchestration.source.rows import KeptRows
from orchestration.source.rules import problems
from orchestration.source.schema import Fetch, Meta, SourceMeta

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml if it is installed: more than ten times faster."""
_NAME = re.compile(r"[a-z0-9_]+")

TAKEN = {
    "elt": "variables that begin with ELT_ are settings of elt itself, so a source needs another name",
    "prefect": "PREFECT_API_URL is the address of Prefect's own API, so a source needs another name",
}
"""Names that no source may have, with the reason: another program reads its variables."""


class Table(msgspec.Struct, frozen=True):
    """One table of a dbt source: an HTTP endpoint that is read one date at a time.

    Attributes:
        source: The dbt source.
        name: The table.
        description: The meaning of one record.
        fetch: How to request it.
        loss_limit: The share of its published rows that a later run of the date may lose.
        file: The YAML that declares it.
        columns: Its columns, in published order.
        rows: Which rows are kept.
        lookback: The earlier days that the nightly run asks the source for again.
    """

    source: str
    name: str
    description: str
    fetch: Fetch
    loss_limit: float
    file: Path
    columns: tuple[Column, ...]
    rows: KeptRows
    lookback: int = 0

    @property
    def key(self) -> tuple[Column, ...]:
        """Return the columns that identify a row; empty for a table without a key."""
        return self.rows.key

    @property
    def label(self) -> str:
        """Return `source.table`, the name in messages."""
        return f"{self.source}.{self.name}"


def read_tables(project_dir: Path) -> tuple[Table, ...]:
    """Return all source tables of the dbt project, of which there is at least one, in the order of their names.

    Raises:
        UsageError: No table is declared, or a declaration is invalid; the message names the file and the field.
    """
    if tables := declared_tables(project_dir):
        return tables
    raise UsageError(
        f"no dbt source with a table in {project_dir / 'models'}", remedy="declare one: elt source add SOURCE TABLE"
    )


def declared_tables(project_dir: Path) -> tuple[Table, ...]:
    """Return the source tables of the dbt project, in the order of their names. A new project has none.

    Raises:
        UsageError: A declaration is incomplete or invalid; the message names the file and the field.
    """
    tables = [table for file in sorted((project_dir / "models").rglob("*.yml")) for table in read_file(file)]
    return tuple(sorted(tables, key=lambda table: table.label))


def read_file(file: Path) -> Iterator[Table]:
    """Yield the source tables that one YAML file declares.

    Raises:
        UsageError: A declaration is incomplete or invalid; the message names the file and the field.
    """
    for source in read_yaml(file).get("sources") or ():
        of_source = _source_meta(file, source)
        for table in source.get("tables") or ():
            yield _table(file, str(source.get("name")), of_source, table)


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the content of one YAML file of the dbt project.

    Raises:
        UsageError: It is not a YAML mapping.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_LOADER) or {}  # noqa: S506 (both are safe)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: not YAML: {error}", remedy="correct the file") from None
    if not isinstance(content, dict):
        raise UsageError(f"{file}: not a YAML mapping, which dbt requires", remedy="correct the file")
    return content


def _source_meta(file: Path, described: Mapping[str, Any]) -> SourceMeta:
    meta = (described.get("config") or {}).get("meta") or {}
    try:
        require_known_keys("config.meta", meta, SourceMeta.__struct_fields__)
        return msgspec.convert(meta, SourceMeta)
    except msgspec.ValidationError as error:
        raise _wrong(file, str(described.get("name")), explained(error, SourceMeta, meta, "config.meta")) from None
    except InvalidColumns as error:
        raise _wrong(file, str(described.get("name")), str(error)) from None


def _table(file: Path, source: str, of_source: SourceMeta, described: Mapping[str, Any]) -> Table:
    label = f"{source}.{described.get('name')}"
    for name in label.split(".", 1):
        if not _NAME.fullmatch(name):
            raise _wrong(file, label, f"name: {name!r} is not lower-case letters, digits and underscores")
    if source in TAKEN:
        raise _wrong(file, label, f"name: {TAKEN[source]}")
    meta = (described.get("config") or {}).get("meta") or {}
    try:
        require_known_keys("config.meta", meta, Meta.__struct_fields__)
        meta = {name: _rendered(value) if name == "fetch" else value for name, value in meta.items()}
        declared = msgspec.convert(meta, Meta)
        read = in_shape(read_columns(described.get("columns") or ()), declared.fetch.shape)
        columns = {column.field: column for column in read}
        row_problem = next(rows.problems(declared, columns), None)
    except msgspec.ValidationError as error:
        raise _wrong(file, label, explained(error, Meta, meta, "config.meta")) from None
    except InvalidColumns as error:
        raise _wrong(file, label, str(error)) from None
    if row_problem:
        raise _wrong(file, label, f"config.meta.{row_problem}")
    for name in ("loss_limit", "reject_limit", "other_dates_limit"):
        if not 0 <= (limit := getattr(declared, name)) <= 1:
            raise _wrong(file, label, f"config.meta.{name}: {limit} is not a share from 0 to 1")
    for problem in problems(declared.fetch):
        raise _wrong(file, label, f"config.meta.fetch.{problem}")
    return Table(
        source=source,
        name=str(described["name"]),
        description=str(described.get("description") or ""),
        fetch=declared.fetch,
        loss_limit=declared.loss_limit,
        file=file,
        columns=tuple(columns.values()),
        rows=rows.kept_rows(declared, columns),
        lookback=of_source.lookback,
    )


def _rendered(value: Any) -> Any:
    """Return a YAML value with its texts as dbt reads them, and with plain names as the keys of its mappings."""
    if isinstance(value, str):
        return rendered(value)
    if isinstance(value, Mapping):
        return {_rendered(name): _rendered(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_rendered(inner) for inner in value]
    return value


def _wrong(file: Path, label: str, problem: str) -> UsageError:
    return UsageError(f"{file}: source {label}: {problem}", remedy="correct the file; docs/sources.md lists the fields")
