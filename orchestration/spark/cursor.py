"""The cursor with which dbt-spark uses the session of this process.

dbt-spark's own cursor turns ANSI mode off at each statement. A sum that exceeds its type would then wrap around
silently, where DuckDB fails, and `"name"` would be a text and no column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

_OWN = re.compile(r"/\* elt (?P<verb>clean|keep|read): (?P<name>\w+) \*/(?P<sql>.*)", re.DOTALL)
"""The statements of the macros `clean_rows`, `keep_rows` and `spark__read_files`."""

_SMALL = 8 * 1024 * 1024
"""Rows of up to so many bytes are kept in the driver, as values."""

_RAISED = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception): ", re.MULTILINE)


@contextmanager
def own_cursor(clean: Callable[[str, str], None]) -> Iterator[None]:
    """Let dbt-spark use `SessionCursor` during the block.

    Args:
        clean: Creates the relation of a model that cleans rows, given its name and SQL.
    """
    from dbt.adapters.spark import session

    original, session.Cursor = session.Cursor, partial(SessionCursor, clean)
    try:
        yield
    finally:
        session.Cursor = original


class SessionCursor:
    """A cursor on the active session, without settings of its own."""

    def __init__(self, clean: Callable[[str, str], None], *, server_side_parameters: object = None) -> None:
        self._clean = clean
        self._frame: Any = None
        self._rows: list[tuple[Any, ...]] | None = None

    def execute(self, sql: str, *parameters: object) -> None:
        """Run a statement. dbt passes parameters only for seeds, which a run has none of."""
        from pyspark.sql import SparkSession

        self._rows = None
        with translated():
            if own := _OWN.search(sql):
                {"clean": self._clean, "keep": _keep, "read": _read}[own["verb"]](own["name"], own["sql"])
                return
            self._frame = SparkSession.active().sql(sql % parameters if parameters else sql)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""
        if self._frame is None:
            return []
        if self._rows is None:
            with translated():
                self._rows = rows_of(self._frame)
        return self._rows

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        rows = self.fetchall()
        return rows.pop(0) if rows else None

    @property
    def description(self) -> Sequence[tuple[Any, ...]]:
        """Return name and type of each column, in the form of PEP 249."""
        fields = self._frame.schema.fields if self._frame is not None else ()
        return [(field.name, field.dataType.simpleString(), None, None, None, None, field.nullable) for field in fields]

    def close(self) -> None:
        """Forget the rows."""
        self._frame = self._rows = None


def rows_of(frame: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query, with instants in UTC: `collect` gives them in this machine's time zone."""
    columns = [column.to_pylist() for column in frame.toArrow().columns]
    return list(zip(*columns, strict=True))


def _keep(name: str, sql: str) -> None:
    """Compute the rows of a query now, keep them in the executors, and name them."""
    from pyspark.sql import SparkSession

    session = SparkSession.active()
    kept = rows = session.sql(sql).cache()
    kept.count()
    if int(str(kept._jdf.queryExecution().optimizedPlan().stats().sizeInBytes())) <= _SMALL:
        # Each query of kept rows compares their plan with those of all others, which takes a second for an accounting.
        rows = session.createDataFrame(kept.toArrow(), kept.schema)
        kept.unpersist()
    rows.createOrReplaceGlobalTempView(name)


def _read(name: str, uris: str) -> None:
    """Name the rows of files, all of which must be there."""
    from pyspark.sql import SparkSession

    SparkSession.active().read.parquet(*json.loads(uris)).createOrReplaceGlobalTempView(name)


@contextmanager
def translated() -> Iterator[None]:
    """Translate an error of Spark to dbt's, so that it becomes the result of a node."""
    from dbt_common.exceptions import DbtDatabaseError
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as error:
        raise DbtDatabaseError(message_of(error)) from error


def message_of(error: BaseException) -> str:
    """Return the message of an error of Spark, without stacks of Java calls.

    Of an error in a Python worker, it is the last message of its traceback: that of DuckDB.
    """
    text = str(getattr(error, "_desc", None) or error)
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("at ", "...")))
    if "Traceback (most recent call last)" in text and (raised := list(_RAISED.finditer(text))):
        text = text[raised[-1].start() :]
    return text
