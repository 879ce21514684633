"""The models that clean rows, as relations of Spark that DuckDB computes in the executors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.dbt_runner.inputs import RunFile, raw_variable, variables
from orchestration.errors import UsageError
from orchestration.models.generate import outdated_files
from orchestration.models.sql import model_names, sql_of
from orchestration.source.config import Table
from orchestration.spark.executor import TaskDuckDB
from orchestration.spark.session import SCHEMA

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TASKS_PER_CORE = 4
"""So that a core with small pages need not wait for one with large pages."""


def require_generated(project_dir: Path, tables: Sequence[Table]) -> None:
    """Require that the models that clean rows are those of `elt models`, which look at each row alone.

    Raises:
        UsageError: A model was edited. Spark gives it a part of the pages at a time, so it must not compare rows.
    """
    made = {path: text for table in tables for path, text in list(sql_of(table, project_dir).items())[:2]}
    if edited := outdated_files(project_dir, made):
        raise UsageError(
            f"{edited[0]} is not as `elt models` writes it, and Spark cleans the rows of each page by themselves",
            remedy="elt models; what compares rows belongs in a model under models/curated",
        )


def cleaning_models(project_dir: Path, tables: Sequence[Table]) -> Mapping[str, str]:
    """Return the `<source>.<table>` of each model that cleans rows, by the model's name."""
    return {name: table.label for table in tables for name in model_names(table, project_dir)[:2]}


class Cleaner:
    """Creates the relations of the models that clean rows, from the SQL that dbt compiles.

    Args:
        session: The session.
        run: What the build reads.
        models: The `<source>.<table>` of each model that cleans rows.
        engine: The DuckDB of a task.
    """

    def __init__(self, session: SparkSession, run: RunFile, models: Mapping[str, str], engine: TaskDuckDB) -> None:
        self._session, self._run, self._models, self._engine = session, run, models, engine
        self._views: dict[str, list[tuple[str, str]]] = {}

    def create(self, model: str, sql: str) -> None:
        """Create the relation of a model. Its rows are computed when they are read.

        The first model of a table, its staging, gets only the column with the page of each record: it is what the
        accounting counts, from the pages again.
        """
        from orchestration.spark.pages import PageRows, PageSource

        table = self._models[model]
        views = self._views.setdefault(table, [])
        columns = "*" if views else "_page"
        views.append((f"{SCHEMA}.{model}", sql))
        rows = PageRows(
            views=tuple(views),
            query=f"select {columns} from {SCHEMA}.{model}",  # noqa: S608
            variables=variables(self._run),
            pages_variable=raw_variable(table),
            pages=self._tasks(table),
            engine=self._engine,
        )
        source = PageSource.of(model, rows)
        self._session.dataSource.register(source)
        self._session.read.format(source.name()).load().createOrReplaceGlobalTempView(model)

    def _tasks(self, table: str) -> Sequence[Sequence[str]]:
        """Return the pages of each task, in their order."""
        uris = [f"{self._run.raw_root.rstrip('/')}/{key}" for key in self._run.raw[table]]
        tasks = self._session.sparkContext.defaultParallelism * _TASKS_PER_CORE
        size = max(1, -(-len(uris) // tasks))
        return [uris[first : first + size] for first in range(0, len(uris), size)] or [[]]
