"""The cursor with which dbt-spark uses the session of this process.

dbt-spark's own cursor turns ANSI mode off at each statement. A sum that exceeds its type would then wrap around
silently, where DuckDB fails, and `"name"` would be a text and no column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

_OWN = re.compile(r"/\* elt (?P<verb>\w+): (?P<argument>.*?) \*/(?P<sql>.*)", re.DOTALL)
"""The statements of the macros `clean_rows`, `keep_rows`, `spark__read_files` and `write_in_order`."""

Statement = Callable[[str, str], Sequence[tuple[Any, ...]] | None]
"""Runs a statement of `elt`, given its argument and SQL, and returns its rows."""

_JOBS = "dbt"
"""The group of the jobs of all statements."""

_SMALL = 8 * 1024 * 1024
"""Rows of up to so many bytes are kept in the driver, as values."""

_RAISED = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception): ", re.MULTILINE)


@contextmanager
def own_cursor(statements: Mapping[str, Statement]) -> Iterator[None]:
    """Let dbt-spark use `SessionCursor` during the block, and cancel what runs when dbt is interrupted.

    Args:
        statements: Further statements of `elt`, by their verb.
    """
    from dbt.adapters.spark import session

    wrapper = session.SessionConnectionWrapper
    cursor, cancel = session.Cursor, wrapper.cancel
    session.Cursor, wrapper.cancel = partial(SessionCursor, statements), _cancel
    try:
        yield
    finally:
        session.Cursor, wrapper.cancel = cursor, cancel


def _cancel(connection: object) -> None:
    """Cancel all statements, also those that nodes have yet to run. dbt would wait for their ends."""
    from py4j.protocol import Py4JError
    from pyspark import SparkContext

    # Java may have ended.
    with suppress(Py4JError, OSError):
        if context := SparkContext._active_spark_context:
            context._jsc.sc().cancelJobGroupAndFutureJobs(_JOBS)


class SessionCursor:
    """A cursor on the active session, without settings of its own."""

    def __init__(self, statements: Mapping[str, Statement], *, server_side_parameters: object = None) -> None:
        self._statements: Mapping[str, Statement] = {"keep": _keep, "read": _read, **statements}
        self._frame: Any = None
        self._rows: list[tuple[Any, ...]] | None = None

    def execute(self, sql: str, *parameters: object) -> None:
        """Run a statement. dbt passes parameters only for seeds, which a run has none of."""
        from pyspark.sql import SparkSession

        self._rows = None
        with translated():
            SparkSession.active().sparkContext.setJobGroup(_JOBS, "the statements of dbt", interruptOnCancel=True)
            if own := _OWN.search(sql):
                rows = self._statements[own["verb"]](own["argument"], own["sql"])
                self._rows = None if rows is None else list(rows)
                return
            self._frame = SparkSession.active().sql(sql % parameters if parameters else sql)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""
        if self._rows is None and self._frame is not None:
            with translated():
                self._rows = rows_of(self._frame)
        return self._rows or []

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        rows = self.fetchall()
        return rows.pop(0) if rows else None

    @property
    def description(self) -> Sequence[tuple[Any, ...]]:
        """Return name and type of each column, in the form of PEP 249."""
        if self._frame is None and self._rows:
            return [(f"column_{at}", "string", None, None, None, None, True) for at, _ in enumerate(self._rows[0])]
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

    # dbt may append a comment.
    found, _ = json.JSONDecoder().raw_decode(uris.lstrip())
    SparkSession.active().read.parquet(*found).createOrReplaceGlobalTempView(name)


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
