"""Parquet of a Spark build, written by DuckDB in the executors.

A file has the bytes that DuckDB writes for these rows. Spark's own writer lists a column's encodings in an order that
differs in each Java, so that no file could be made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql.datasource import DataSource, DataSourceArrowWriter, WriterCommitMessage
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from orchestration.spark.executor import TaskDuckDB
from orchestration.sql import literal

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_FILE, _NUMBER, _HASH = "_elt_file", "_elt_number", "_elt_hash"
_HASH_BITS = 0xFFFF_FFFF
"""The bits of a row's hash that are summed: the sum of 4 billion rows fits a long."""

_VECTOR_ROWS = 2_048
_sinks = count(1)
_ROW_BITS = 33
"""The lower bits of `monotonically_increasing_id` count the rows of a part; the upper ones number the part."""


class Writer:
    """Writes the files of a build.

    Attributes:
        files: The URIs of the files that were written, by the one that was asked for.

    Args:
        session: The session.
        engine: The DuckDB of a task.
    """

    def __init__(self, session: SparkSession, engine: TaskDuckDB) -> None:
        self.files: dict[str, tuple[str, ...]] = {}
        self._session, self._engine = session, engine

    def write(self, argument: str, sql: str) -> list[tuple[str]]:
        """Write the rows of a query in its order, and return the URIs of the files.

        Each task writes one file. All rows are in one, unless they are more than `rows_per_file`: then the files are
        numbered, `data-00001.parquet`. Or the query has a column `_elt_file`, the index of each row's file.

        Args:
            argument: A JSON object with `uris`, one of them or those of all indexes, and `rows_per_file`, which may be
                null.
            sql: The query.
        """
        wanted = json.loads(argument)
        uris = tuple(wanted["uris"])
        hashed = f.xxhash64(f.col("*")).bitwiseAND(f.lit(_HASH_BITS))
        added = {_NUMBER: f.monotonically_increasing_id(), _HASH: hashed}
        ordered = self._session.sql(sql).withColumns(added).persist()
        try:
            if _FILE in ordered.columns:
                self._write(ordered, uris)
                self.files |= {uri: (uri,) for uri in uris}
                return [(uri,) for uri in uris]
            self.files[uris[0]] = self._write_numbered(ordered, uris[0], wanted["rows_per_file"])
            return [(uri,) for uri in self.files[uris[0]]]
        finally:
            ordered.unpersist()

    def _write_numbered(self, ordered: DataFrame, uri: str, rows_per_file: int | None) -> tuple[str, ...]:
        """Write rows to one file, or to several with so many rows, and return their URIs."""
        file: Column = f.lit(0)
        uris: tuple[str, ...] = (uri,)
        if rows_per_file:
            parts = ordered.groupBy(f.shiftright(_NUMBER, _ROW_BITS)).count().collect()
            counts = {int(part): int(rows) for part, rows in parts}
            if (total := sum(counts.values())) > rows_per_file:
                uris = tuple(_numbered(uri, at) for at in range(1, -(-total // rows_per_file) + 1))
                file = f.floor(_position(counts) / rows_per_file).cast("int")
        self._write(ordered.withColumn(_FILE, file), uris)
        return uris

    def _write(self, ordered: DataFrame, uris: tuple[str, ...]) -> None:
        """Write each row to the file that its column `_FILE` has the index of."""
        found = ordered.groupBy(_FILE).agg(f.count(f.lit(1)), f.sum(_HASH)).collect()
        total, hashes = sum(int(rows) for _, rows, _ in found), sum(int(of_file) for *_, of_file in found)
        files = Files(uris, total, hashes, self._engine)
        schema = to_arrow_schema(ordered.drop(_FILE, _NUMBER, _HASH).schema)
        for empty in sorted(set(range(len(uris))) - {int(file) for file, *_ in found}):
            files.write(uris[empty], schema, ())
        if not total:
            return
        rows = ordered.repartitionById(len(uris), f.col(_FILE)).sortWithinPartitions(_NUMBER)
        # Several models are written at a time, and the name of a sink belongs to the session.
        sink = FileSink.of(f"elt_files_{next(_sinks)}", files)
        self._session.dataSource.register(sink)
        # It is looked for in the active session of this thread, which reading sets, and writing does not.
        SparkSession._get_j_spark_session_class(self._session._jvm).setActiveSession(self._session._jsparkSession)
        rows.drop(_NUMBER).write.format(sink.name()).mode("append").save()


def _numbered(uri: str, number: int) -> str:
    return f"{uri.removesuffix('.parquet')}-{number:05d}.parquet"


def _position(counts: Mapping[int, int]) -> Column:
    """Return the position of a row among all, from the rows of each part."""
    before, begins = 0, []
    for part in range(max(counts) + 1):
        begins.append(f.lit(before))
        before += counts.get(part, 0)
    in_part = f.col(_NUMBER).bitwiseAND(f.lit((1 << _ROW_BITS) - 1))
    return f.element_at(f.array(*begins), (f.shiftright(_NUMBER, _ROW_BITS) + 1).cast("int")) + in_part


@dataclass(frozen=True)
class Files:
    """The files of a query.

    Attributes:
        uris: Their URIs.
        rows: The number of all rows.
        hashes: The sum of their hashes.
        engine: The DuckDB of a task.
    """

    uris: tuple[str, ...]
    rows: int
    hashes: int
    engine: TaskDuckDB

    def write(self, uri: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
        """Write one file, and return its number of rows."""
        with self.engine.opened() as connection:
            connection.register("rows", pa.RecordBatchReader.from_batches(schema, _in_vectors(batches)))
            target = literal(uri.replace("s3a://", "s3://", 1))
            # As the macro `write_parquet`.
            connection.execute(f"copy (from rows) to {target} (format parquet, compression snappy)")
            return int(connection.fetchall()[0][0])


def _in_vectors(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield the rows in whole vectors of DuckDB, so that row groups end where those of a DuckDB build end."""
    rest: list[pa.RecordBatch] = []
    for batch in batches:
        rows = pa.concat_batches([*rest, batch])
        whole = rows.num_rows - rows.num_rows % _VECTOR_ROWS
        yield rows.slice(0, whole)
        rest = [rows.slice(whole)]
    yield from rest


class FileSink(DataSource):  # type: ignore[misc]
    """A sink of Spark for `Files`: a class for each of them, because options, and keys in them, would be in plans.

    Attributes:
        files: The files.
    """

    files: Files

    @classmethod
    def of(cls, name: str, files: Files) -> type[FileSink]:
        """Return the sink with this name."""
        return type(name, (cls,), {"files": files})

    @classmethod
    def name(cls) -> str:
        """Return the name of the sink."""
        return cls.__name__

    def writer(self, schema: StructType, overwrite: bool) -> FileWriter:
        """Return what writes the rows."""
        return FileWriter(self.files)


@dataclass
class Written(WriterCommitMessage):  # type: ignore[misc]
    """What a task has written.

    Attributes:
        rows: The number of rows.
        hashes: The sum of their hashes.
    """

    rows: int = 0
    hashes: int = 0


class FileWriter(DataSourceArrowWriter):  # type: ignore[misc]
    """Writes the rows of each task to the file that their column `_FILE` has the index of."""

    def __init__(self, files: Files) -> None:
        self._files = files

    def write(self, iterator: Iterator[pa.RecordBatch]) -> Written:
        """Write the rows of a task, which are of one file."""
        first = next((batch for batch in iterator if batch.num_rows), None)
        if first is None:
            return Written()
        uri = self._files.uris[first.column(_FILE)[0].as_py()]
        hashes: list[int] = []

        def rows() -> Iterator[pa.RecordBatch]:
            for batch in chain([first], iterator):
                hashes.append(pc.sum(batch.column(_HASH)).as_py() or 0)
                yield batch.drop_columns([_FILE, _HASH])

        written = self._files.write(uri, first.drop_columns([_FILE, _HASH]).schema, rows())
        return Written(written, sum(hashes))

    def commit(self, messages: list[Written | None]) -> None:
        """Require that each row was written once.

        An order with ties is another one when Spark computes rows again that were lost with an executor. A row that two
        files have, and one that none has, do not change the number of rows.

        Raises:
            RuntimeError: Rows were not written, or are other ones.
        """
        tasks = [message for message in messages if message]
        written, wanted = sum(task.rows for task in tasks), self._files.rows
        if written != wanted:
            raise RuntimeError(f"{written:,} of {wanted:,} rows were written to {self._files.uris[0]}")
        if sum(task.hashes for task in tasks) != self._files.hashes:
            raise RuntimeError(
                f"the rows in {self._files.uris[0]} changed while they were written: order the model by all its "
                "columns, and compute no random value"
            )
