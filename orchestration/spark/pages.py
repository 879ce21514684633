"""Cleaning of raw pages by DuckDB inside Spark's executors.

A row is cleaned by the SQL that also a DuckDB build runs, so both engines read JSON, numbers and times alike. Like
`write`, it runs in the executors. A task reads whole pages: cleaning compares no rows of two pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from orchestration.dbt_runner.inputs import NO_PAGES, set_statement
from orchestration.spark.executor import TaskDuckDB

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
        engine: The DuckDB of a task.
    """

    views: Sequence[tuple[str, str]]
    query: str
    variables: Mapping[str, str | list[str]]
    pages_variable: str
    pages: Sequence[Sequence[str]]
    engine: TaskDuckDB

    def read(self, task: int) -> Iterator[Any]:
        """Yield the rows of a task as batches of Arrow."""
        with self._opened(self.pages[task]) as connection:
            yield from connection.execute(self.query).to_arrow_reader(_BATCH_ROWS)

    def schema(self) -> Any:
        """Return the Arrow schema of the rows."""
        with self._opened([]) as connection:
            return connection.execute(self.query).to_arrow_reader(_BATCH_ROWS).schema

    @contextmanager
    def _opened(self, pages: Sequence[str]) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a DuckDB with the views of some pages."""
        with self.engine.opened(preserve_insertion_order=False) as connection:
            for name, value in {**self.variables, self.pages_variable: list(pages) or [str(NO_PAGES)]}.items():
                connection.execute(set_statement(name, value))
            for name, sql in self.views:
                connection.execute(f"create schema if not exists {name.partition('.')[0]}")
                connection.execute(f"create view {name} as {sql}")
            yield connection


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
