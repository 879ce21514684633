"""What the marts of a project declare and read about dates, from the dbt manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.dbt_runner.manifest import DATE_SELECTOR, MARTS_SELECTOR, key_on_lake, models_of
from orchestration.errors import UsageError

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_ALL_ROWS, _BUILT_ROWS = "published", "built_rows"
"""The macros that read curated tables."""


@dataclass(frozen=True)
class Repeats:
    """A mart by date that finds the rows that several dates published, from `config.meta.repeats` of its YAML.

    Attributes:
        mart: The mart. It has a row for each row of the table, with the columns of the key and `execution_date`.
        key: The template of its keys on the lake.
        table: The table.
        columns: The key of a row.
    """

    mart: str
    key: str
    table: str
    columns: tuple[str, ...]


def read_repeats(manifest: Manifest) -> tuple[Repeats, ...]:
    """Return what the project's marts declare in `config.meta.repeats`.

    Raises:
        UsageError: A declaration is not of the form `{of: TABLE, key: [COLUMN]}`, or names no table or column.
    """
    return tuple(_read(manifest, node) for node in _marts(manifest) if "repeats" in node.config.meta)


def _read(manifest: Manifest, node: Any) -> Repeats:
    declared = node.config.meta["repeats"]
    tables = tables_read(manifest, [node])
    match declared:
        case {"of": str(table), "key": [*columns], **further} if columns and not further:
            wrong = [name for name in columns if name not in node.columns]
            if table in tables and not wrong:
                return Repeats(node.alias, key_on_lake(node), table, tuple(columns))
            problem = f"has no column {wrong[0]}" if table in tables else f"does not read the table {table}"
        case _:
            problem = "needs another form of it"
    raise UsageError(
        f"{node.patch_path.partition('://')[2]}: config.meta.repeats of {node.name}, {declared!r}: the mart {problem}",
        remedy="write `{of: TABLE, key: [COLUMN]}`: CONTRIBUTING.md has an example",
    )


def tables_read(manifest: Manifest, marts: Iterable[Any] | None = None) -> set[str]:
    """Return the curated tables that marts read; by default, all marts."""
    curated = set(models_of(manifest, DATE_SELECTOR))
    chosen = _marts(manifest) if marts is None else marts
    read = {name for node in chosen for name in node.depends_on.nodes if name in curated}
    return {manifest.nodes[name].alias for name in read}


def reads_all_dates(manifest: Manifest) -> bool:
    """Return whether some mart reads all published dates, and not only those that are built."""
    return any(_ALL_ROWS in _macros(manifest, node) for node in _marts(manifest))


def require_marts_of_all_dates(manifest: Manifest) -> None:
    """Require that every mart that is written whole has the rows of all dates.

    Raises:
        UsageError: Such a mart reads, directly or through models that are not on the lake, only the dates that are built.
    """
    for mart in _marts(manifest):
        if mart.config.materialized != "lake_parquet":
            continue
        for node in _inputs(manifest, mart):
            if _BUILT_ROWS in _macros(manifest, node):
                raise UsageError(
                    f"{mart.original_file_path}: the mart {mart.name} would lack rows: {node.name} has only those that "
                    f"{_BUILT_ROWS} returns, of the dates that a run builds",
                    remedy=f"read a mart by date instead, or {_ALL_ROWS}(ref(…)) of the table: CONTRIBUTING.md",
                )


def _inputs(manifest: Manifest, mart: Any) -> Iterator[Any]:
    """Yield a mart and the models it is built from, up to marts by date, which have all dates on the lake."""
    waiting, seen = [mart], set[str]()
    while waiting:
        node = waiting.pop()
        yield node
        for name in node.depends_on.nodes:
            found: Any = manifest.nodes.get(name)
            if found and name not in seen and found.config.materialized != "dated_lake_parquet":
                seen.add(name)
                waiting.append(found)


def _marts(manifest: Manifest) -> Iterator[Any]:
    return (manifest.nodes[unique_id] for unique_id in models_of(manifest, MARTS_SELECTOR))


def _macros(manifest: Manifest, node: Any) -> set[str]:
    """Return the names of the macros that a model uses, directly or through other macros."""
    waiting, seen = list(node.depends_on.macros), set[str]()
    while waiting:
        unique_id = waiting.pop()
        if unique_id not in seen and unique_id in manifest.macros:
            seen.add(unique_id)
            waiting += manifest.macros[unique_id].depends_on.macros
    return {unique_id.rpartition(".")[2] for unique_id in seen}
