"""What the marts of a project declare and read about dates, from the dbt manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.dbt_runner.manifest import DATE_SELECTOR, MARTS_SELECTOR, key_on_lake, models_of
from orchestration.errors import UsageError

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_ALL_ROWS, _BUILT_ROWS, _KEPT_ROWS = "published", "built_rows", "kept_rows"
"""The macros that read curated tables, and the one that reads the mart's own rows."""


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
        UsageError: A declaration is not of the form `{of: TABLE, key: [COLUMN]}`, or names no table or column; or a
            mart reads its kept rows and has none.
    """
    marts = list(_marts(manifest))
    for node in marts:
        if _KEPT_ROWS in _macros(manifest, node) and "repeats" not in node.config.meta:
            raise _repeats_error(node, f"reads {_KEPT_ROWS}, so its rows depend on several dates")
    return tuple(_read(manifest, node) for node in marts if "repeats" in node.config.meta)


def _read(manifest: Manifest, node: Any) -> Repeats:
    declared = node.config.meta["repeats"]
    tables = {manifest.nodes[name].alias: manifest.nodes[name] for name in _tables(manifest, [node])}
    if node.config.materialized != "dated_lake_parquet":
        raise _repeats_error(node, "is not a mart by date")
    match declared:
        case {"of": str(table), "key": [*columns], **further} if columns and not further:
            if table not in tables:
                raise _repeats_error(node, f"does not read the table {table}")
            for name in columns:
                if name not in node.columns or name not in tables[table].columns:
                    raise _repeats_error(node, f"or the table {table} has no column {name}")
            return Repeats(node.alias, key_on_lake(node), table, tuple(columns))
    raise _repeats_error(node, "needs another form of it")


def _repeats_error(node: Any, problem: str) -> UsageError:
    return UsageError(
        f"{node.patch_path.partition('://')[2]}: config.meta.repeats of {node.name}, "
        f"{node.config.meta.get('repeats')!r}: the mart {problem}",
        remedy="write `{of: TABLE, key: [COLUMN]}`: docs/operations.md#marts-by-date",
    )


def tables_read(manifest: Manifest) -> set[str]:
    """Return the curated tables that marts and their tests read."""
    return {manifest.nodes[name].alias for name in _tables(manifest, _marts_and_tests(manifest))}


def _tables(manifest: Manifest, nodes: Iterable[Any]) -> set[str]:
    curated = set(models_of(manifest, DATE_SELECTOR))
    return {name for node in nodes for name in node.depends_on.nodes if name in curated}


def reads_all_dates(manifest: Manifest) -> bool:
    """Return whether some mart or test of one reads all published dates, and not only those that are built."""
    return any(_ALL_ROWS in _macros(manifest, node) for node in _marts_and_tests(manifest))


def require_marts_of_all_dates(manifest: Manifest) -> None:
    """Require that each mart has the rows of all dates after a build of some.

    Raises:
        UsageError: A mart that is written whole reads only dates that are built, directly or through models that are
            not on the lake; or a mart by date reads what is of all dates, which its kept rows would not follow.
    """
    for mart in _marts(manifest):
        is_whole = mart.config.materialized == "lake_parquet"
        for node in _inputs(manifest, mart) if is_whole or mart.config.materialized == "dated_lake_parquet" else ():
            macros = _macros(manifest, node)
            if is_whole and _BUILT_ROWS in macros:
                raise UsageError(
                    f"{mart.original_file_path}: the mart {mart.name} would lack rows: {node.name} has only those that "
                    f"{_BUILT_ROWS} returns, of the dates that a run builds",
                    remedy=f"read a mart by date instead, or {_ALL_ROWS}(ref(…)) of the table: "
                    "docs/operations.md#marts-by-date",
                )
            if not is_whole and (_ALL_ROWS in macros or node.config.materialized == "lake_parquet"):
                raise UsageError(
                    f"{mart.original_file_path}: the mart by date {mart.name} would keep rows that no longer hold: "
                    f"{node.name} has the rows of all dates",
                    remedy=f"read {_BUILT_ROWS}(ref(…)) instead, or build {mart.name} whole: "
                    "docs/operations.md#marts-by-date",
                )


def _inputs(manifest: Manifest, mart: Any) -> Iterator[Any]:
    """Yield a mart and the marts it is built from, without marts by date, which have all dates on the lake."""
    marts = {node.unique_id: node for node in _marts(manifest) if node.config.materialized != "dated_lake_parquet"}
    waiting, seen = [mart], set[str]()
    while waiting:
        node = waiting.pop()
        yield node
        for name in node.depends_on.nodes:
            if name in marts and name not in seen:
                seen.add(name)
                waiting.append(marts[name])


def _marts(manifest: Manifest) -> Iterator[Any]:
    return (manifest.nodes[unique_id] for unique_id in models_of(manifest, MARTS_SELECTOR))


def _marts_and_tests(manifest: Manifest) -> Iterator[Any]:
    marts = set(models_of(manifest, MARTS_SELECTOR))
    nodes: Iterable[Any] = manifest.nodes.values()
    return (
        node
        for node in nodes
        if node.unique_id in marts or (node.unique_id.startswith("test.") and marts & set(node.depends_on.nodes))
    )


def _macros(manifest: Manifest, node: Any) -> set[str]:
    """Return the names of the macros that a model uses, directly or through other macros."""
    waiting, seen = list(node.depends_on.macros), set[str]()
    while waiting:
        unique_id = waiting.pop()
        if unique_id not in seen and unique_id in manifest.macros:
            seen.add(unique_id)
            waiting += manifest.macros[unique_id].depends_on.macros
    return {unique_id.rpartition(".")[2] for unique_id in seen}
