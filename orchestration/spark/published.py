"""The published files that a build reads, as a relation of Spark for each table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from orchestration.dbt_runner.inputs import RunFile
from orchestration.errors import UsageError
from orchestration.lake.s3 import Gateway, open_gateway
from orchestration.sql import identifier, literals, read_parquet

if TYPE_CHECKING:
    import duckdb
    from pyspark.sql import DataFrame, SparkSession

_DATE_IN_URI = "date=([0-9-]+)/"
_SAME_TEXT = ("VARCHAR", "BIGINT", "INTEGER", "BOOLEAN", "DATE")
"""Types whose values both engines write as the same text."""


def create_published(session: SparkSession, run: RunFile, gateway: Gateway) -> None:
    """Create the views that the macros `published` and `built_rows` read, from the files that receipts list.

    As in DuckDB, columns are matched by name, a date published before a column existed has nulls there, and a column
    whose type changed has the type that holds all its values. Spark's own `mergeSchema` fails there.

    Raises:
        UsageError: A column became text, and Spark writes its former values in another way than DuckDB.
        duckdb.Error: A file is missing, or is not Parquet.
        PySparkException: Spark cannot read the files together.
    """
    import duckdb

    read: dict[tuple[str, ...], DataFrame] = {}
    with duckdb.connect(":memory:") as connection:
        open_gateway(connection, gateway)
        for kind, files in (("published", run.published), ("built", run.built or run.published)):
            for table, keys in files.items():
                uris = tuple(f"{run.published_root.rstrip('/')}/{key}" for key in keys)
                if uris not in read:
                    read[uris] = _together(session, connection, uris)
                read[uris].createOrReplaceGlobalTempView(f"{kind}_{table}")


def s3a(uri: str) -> str:
    """Return an address of the lake as Spark takes it."""
    return uri.replace("s3://", "s3a://", 1)


def _together(session: SparkSession, connection: duckdb.DuckDBPyConnection, uris: Sequence[str]) -> DataFrame:
    """Return the rows of all files with `_execution_date`."""
    groups = _alike(connection, uris)
    columns = _columns(connection, [files[0] for files in groups])
    own = [_columns(connection, files[:1]) for files in groups]
    frames = [session.read.parquet(*map(s3a, files)) for files in groups]
    # DuckDB's names of types are not all Spark's.
    names: dict[str, str] = {}
    for kinds, frame in zip(own, frames, strict=True):
        of_spark = dict(frame.dtypes)
        names |= {kind: of_spark[column] for column, kind in kinds.items()}
    date = f"cast(regexp_extract(_metadata.file_path, '{_DATE_IN_URI}', 1) as date) as _execution_date"
    parts = []
    for files, kinds, frame in zip(groups, own, frames, strict=True):
        _require_same_text(files[0], kinds, columns)
        shown = [_column(column, kinds.get(column), kind, names) for column, kind in columns.items()]
        parts.append(frame.selectExpr(*shown, date))
    return reduce(lambda one, other: one.unionAll(other), parts)


def _require_same_text(uri: str, found: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    for column, kind in found.items():
        if wanted[column] == "VARCHAR" and kind not in _SAME_TEXT:
            raise UsageError(
                f"{column} is text in other dates and {kind} in {uri.partition('://')[2]}: as text, Spark writes it in "
                "another form than DuckDB",
                remedy="build the date again: elt backfill DATE DATE --from-raw",
            )


def _column(column: str, found: str | None, wanted: str, names: Mapping[str, str]) -> str:
    """Return the SQL of a column with DuckDB's type `wanted` from a file that has it as `found`, or lacks it."""
    name = identifier(column)
    if found == wanted:
        return name
    return f"cast({name if found else 'null'} as {names.get(wanted, wanted)}) as {name}"


def _alike(connection: duckdb.DuckDBPyConnection, uris: Sequence[str]) -> list[list[str]]:
    """Return the files in groups with the same columns and types."""
    described = connection.execute(
        # The root, with column_id 0, has the name of the program that wrote the file.
        "select file_name, list(struct_pack(name, duckdb_type, num_children) order by column_id) "  # noqa: S608
        f"from parquet_schema({literals(uris)}) where column_id > 0 group by file_name"
    ).fetchall()
    schemas = {str(uri): str(schema) for uri, schema in described}
    groups: dict[str, list[str]] = defaultdict(list)
    for uri in uris:
        groups[schemas[uri]].append(uri)
    return list(groups.values())


def _columns(connection: duckdb.DuckDBPyConnection, uris: Sequence[str]) -> Mapping[str, str]:
    """Return DuckDB's type of each column of some files together, by name."""
    source = read_parquet(uris, union_by_name=True)
    return {str(name): str(kind) for name, kind, *_ in connection.execute(f"describe from {source}").fetchall()}
