"""The DuckDB of a task, in an executor: it reads pages, and writes Parquet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from orchestration.lake.s3 import Gateway, open_gateway

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class TaskDuckDB:
    """Opens a DuckDB in a task.

    Attributes:
        gateway: lakeFS's S3 gateway; None if files are local.
        memory: Its memory limit.
        version: The driver's DuckDB.
    """

    gateway: Gateway | None
    memory: str
    version: str = field(default_factory=lambda: version("duckdb"))

    @contextmanager
    def opened(self, **options: Any) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open it.

        Raises:
            RuntimeError: This worker has another DuckDB than the driver, which may clean and write otherwise.
        """
        import duckdb

        if duckdb.__version__ != self.version:
            raise RuntimeError(
                f"this worker has DuckDB {duckdb.__version__}, and the driver {self.version}: install the same"
            )
        # In a task, Spark names folders that it deletes at the end, also of a task that was killed.
        folder = os.environ.get("SPARK_LOCAL_DIRS", "").partition(",")[0] or None
        with TemporaryDirectory(prefix="elt-duckdb-", dir=folder) as spilled:
            # A task has one core of the executor.
            config = {"threads": 1, "memory_limit": self.memory, "temp_directory": spilled, **options}
            with duckdb.connect(":memory:", config=config) as connection:
                if self.gateway:
                    open_gateway(connection, self.gateway)
                connection.execute("set timezone = 'UTC'")
                yield connection
