"""Cleaning of raw pages by DuckDB inside Spark's executors.

A row is cleaned by the SQL that also a DuckDB build runs, so both engines read JSON, numbers and times alike. Only this
module and what it imports run in the executors. A task reads whole pages: cleaning compares no rows of two pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from orchestration.dbt_runner.inputs import NO_PAGES, set_statement
from orchestration.lake.s3 import Gateway, open_gateway
from orchestration.sql import literal

if TYPE_CHECKING:
    import duckdb

_BATCH_ROWS = 2_048
"""Rows that are passed to Spark at once. Each may have a record of megabytes."""


@dataclass(frozen=True)
class PageRows:
    """The rows of some pages, which tasks of Spark read.

    Attributes:
        views: Name, with its schema, and SQL of each view that the query reads, inputs first.
        query: The SQL of the rows.
        variables: DuckDB's variables.
        pages_variable: The variable that gets the URIs of a task's pages instead.
        pages: The URIs of each task's pages.
        gateway: lakeFS's S3 gateway; None if the pages are local files.
        memory: DuckDB's memory limit in each task.
    """

    views: Sequence[tuple[str, str]]
    query: str
    variables: Mapping[str, str | list[str]]
    pages_variable: str
    pages: Sequence[Sequence[str]]
    gateway: Gateway | None
    memory: str
    engine: str = field(default_factory=lambda: _version())

    def read(self, task: int) -> Iterator[Any]:
        """Yield the rows of a task as batches of Arrow.

        Raises:
            RuntimeError: The executor's DuckDB is of another version than the driver's.
        """
        if self.engine != _version():
            raise RuntimeError(f"this worker has DuckDB {_version()}, and the driver {self.engine}: install the same")
        with self._opened(self.pages[task]) as connection:
            yield from connection.execute(self.query).to_arrow_reader(_BATCH_ROWS)

    def schema(self) -> Any:
        """Return the Arrow schema of the rows."""
        with self._opened([]) as connection:
            return connection.execute(self.query).to_arrow_reader(_BATCH_ROWS).schema

    def _opened(self, pages: Sequence[str]) -> _Opened:
        return _Opened(self, pages)


class PageSource(DataSource):  # type: ignore[misc]
    """A source of Spark for `PageRows`: a class for each of them, because options, and keys in them, would be in plans.

    Attributes:
        rows: The rows.
        columns: Their schema.
    """

    rows: PageRows
    columns: StructType

    @classmethod
    def of(cls, name: str, rows: PageRows) -> type[PageSource]:
        """Return the source with this name."""
        return type(name, (cls,), {"rows": rows, "columns": from_arrow_schema(rows.schema())})

    @classmethod
    def name(cls) -> str:
        """Return the name of the source."""
        return cls.__name__

    def schema(self) -> StructType:
        """Return the schema of the rows."""
        return self.columns

    def reader(self, schema: StructType) -> PageReader:
        """Return what reads the rows."""
        return PageReader(self.rows)


class PageReader(DataSourceReader):  # type: ignore[misc]
    """Reads `PageRows`, one task after the other."""

    def __init__(self, rows: PageRows) -> None:
        self._rows = rows

    def partitions(self) -> Sequence[InputPartition]:
        """Return the numbers of the tasks."""
        return [InputPartition(task) for task in range(len(self._rows.pages))]

    def read(self, partition: InputPartition) -> Iterator[Any]:
        """Yield the rows of a task."""
        return self._rows.read(partition.value)


class _Opened:
    """A DuckDB with the views of some pages."""

    def __init__(self, rows: PageRows, pages: Sequence[str]) -> None:
        self._rows, self._pages = rows, pages
        self._spilled = TemporaryDirectory(prefix="elt-duckdb-")

    def __enter__(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        rows = self._rows
        # A task has one core of the executor.
        options: dict[str, Any] = {"threads": 1, "memory_limit": rows.memory, "temp_directory": self._spilled.name}
        self._connection = duckdb.connect(":memory:", config={**options, "preserve_insertion_order": False})
        if rows.gateway:
            open_gateway(self._connection, rows.gateway)
        self._connection.execute(f"set timezone = {literal('UTC')}")
        for name, value in {**rows.variables, rows.pages_variable: list(self._pages) or [str(NO_PAGES)]}.items():
            self._connection.execute(set_statement(name, value))
        for name, sql in rows.views:
            self._connection.execute(f"create schema if not exists {name.partition('.')[0]}")
            self._connection.execute(f"create view {name} as {sql}")
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._connection.close()
        self._spilled.cleanup()


def _version() -> str:
    import duckdb

    return duckdb.__version__
