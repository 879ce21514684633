"""Run one dbt build on Spark: DuckDB cleans the rows of each page in the executors, and Spark SQL does the rest.

The results are read like those of a DuckDB build, by the same queries: the small relations that have them are copied to
a DuckDB of this process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from orchestration.dbt_runner.build import Engine, require_pages
from orchestration.dbt_runner.collect import (
    ACCOUNTING,
    ACROSS_DATES,
    read_accounting,
    read_across_dates,
    read_failed_tests,
    read_nodes,
    read_rows,
)
from orchestration.dbt_runner.faults import platform_fault
from orchestration.dbt_runner.inputs import RunFile, variables
from orchestration.dbt_runner.manifest import models_of, published_models
from orchestration.dbt_runner.results import BuildResult
from orchestration.dbt_runner.session import Project, Query, dbt_session, invoke, results_of, rows_by_name
from orchestration.errors import PlatformFailed
from orchestration.lake.client import Lake
from orchestration.lake.s3 import gateway_of, open_gateway
from orchestration.log import SILENT, Log
from orchestration.source.config import Table
from orchestration.spark.cursor import message_of, own_cursor, rows_of
from orchestration.spark.executor import TaskDuckDB
from orchestration.spark.options import SparkOptions
from orchestration.spark.published import create_published, s3a
from orchestration.spark.rows import Cleaner, cleaning_models
from orchestration.spark.session import SCHEMA, early_end, spark_session
from orchestration.sql import read_parquet

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest
    from pyspark.sql import SparkSession

_OTHERWISE_READ = ("raw_", "published_", "built_")
"""The beginnings of the names of variables that lead to files: Spark has relations instead."""


@dataclass(frozen=True)
class SparkBuild:
    """One build on Spark.

    Attributes:
        run: What to read and where to write.
        lake: The repository.
        branch: The branch that is written to.
        project: The project with the target of Spark.
        manifest: Its manifest.
        options: What Spark runs on.
        selector: The dbt selector of what to build.
        engine: Resources that each DuckDB may use.
        tables: The declared source tables, of which the build reads pages.
        task_runs: See `session.invoke`.
        log: Takes dbt's log lines.
    """

    run: RunFile
    lake: Lake
    branch: str
    project: Project
    manifest: Manifest
    options: SparkOptions
    selector: str
    engine: Engine
    tables: Sequence[Table] = ()
    task_runs: bool = False
    log: Log = SILENT


def build_on_spark(build: SparkBuild) -> BuildResult:
    """Build and test with dbt on Spark, and return the results. Failed data is part of the result and raises no error.

    Raises:
        UsageError: The run has no list of pages for a source table that is read.
        PlatformFailed: Spark, dbt or lakeFS failed, or another build is in progress in this process.
        DiskFailed: dbt's files could not be written.
    """
    # It imports pyspark, which is there by now.
    from orchestration.spark.write import Writer

    run, gateway = build.run, gateway_of(build.lake)
    versions = {name: version(name) for name in ("dbt-core", "dbt-spark", "duckdb", "pyspark")}
    selected = models_of(build.manifest, build.selector)
    require_pages(run, build.manifest, selected)
    if not selected:
        return BuildResult((), (), {}, {}, versions, run.raw_root, engine="spark")
    tables = [table for table in build.tables if table.label in run.raw]
    models = cleaning_models(build.project.project_dir, tables)
    # First the only dbt session of this process: a second build would share the views of the first.
    with (
        dbt_session({"ELT_CLEANING_MODELS": " ".join(models)}),
        _translated(build.options),
        spark_session(build.options, gateway, build.project.work_dir) as session,
        # Before the session ends, which forgets whether Java had ended.
        _translated(build.options),
    ):
        _create_variables(session, run)
        create_published(session, run, gateway)
        engine = TaskDuckDB(gateway, build.engine.memory)
        cleaner, writer = Cleaner(session, run, models, engine), Writer(session, engine)
        with own_cursor({"clean": cleaner.create, "write": writer.write}):
            built = _built(build, session, writer.files, versions)
        # Nothing that was read after an early end counts.
        if ended := early_end(build.options):
            raise ended
        return built


@contextmanager
def _translated(options: SparkOptions) -> Iterator[None]:
    """Translate errors of Spark, and of the DuckDB that reads schemas and results, outside of dbt's nodes."""
    import duckdb
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError, ConnectionError) as error:
        raise early_end(options) or platform_fault([("Spark", message_of(error))]) from error
    except duckdb.Error as error:
        raise platform_fault([("DuckDB", str(error))]) from error


def _create_variables(session: SparkSession, run: RunFile) -> None:
    """Create the view that the macro `lake_variable` reads."""
    named = variables(run)
    roots = {name: s3a(str(named[name])) for name in ("lake_root", "former_root")}
    kept = {name: value for name, value in named.items() if not name.startswith(_OTHERWISE_READ)}
    # `require_sources` is for DuckDB's targets of analysts; here, `plan` has made its check.
    values = {**kept, **roots, "source_problem": ""}
    rows = [(name, json.dumps(value)) for name, value in values.items()]
    session.createDataFrame(rows, "name string, value string").createOrReplaceGlobalTempView("lake_variables")


def _built(
    build: SparkBuild, session: SparkSession, files: Mapping[str, Sequence[str]], versions: Mapping[str, str]
) -> BuildResult:
    run, manifest = build.run, build.manifest
    arguments = build.project.arguments("build", "--selector", build.selector, "--no-write-json")
    outcome = invoke(build.project, arguments, manifest=manifest, task_runs=build.task_runs, log=build.log)
    if ended := early_end(build.options):
        raise _cause(outcome) or ended
    results = results_of(outcome)
    nodes = read_nodes(results)
    failed = read_failed_tests(_query_of(session), nodes, results)
    built = {node.unique_id for node in nodes if node.status == "success"}
    counts = {id_: session.table(manifest.nodes[id_].relation_name).toArrow() for id_ in built if _has_counts(id_)}
    published = published_models(manifest, build.selector, run.execution_date, run.dated_files.written)
    root = f"{s3a(run.lake_root)}/"
    written = {
        uri.removeprefix(root): manifest.nodes[id_].alias
        for key, id_ in published.items()
        if id_ in built
        for uri in files[root + key]
    }
    # A table that was in one file, and has numbered files now.
    build.lake.delete(build.branch, [key for key in published if root + key in files and key not in written])
    with _copied(build, counts, built, written) as query:
        return BuildResult(
            nodes=nodes,
            failed_tests=failed,
            accounting=read_accounting(query, manifest, built, build.tables),
            across_dates=read_across_dates(query, manifest, built),
            versions=versions,
            rows=read_rows(query, run.lake_root, written),
            raw_root=run.raw_root,
            engine="spark",
        )


def _cause(outcome: dbtRunnerResult) -> PlatformFailed | None:
    """Return the error of the node that names why Spark ended, such as too little memory; None if no node does."""
    try:
        nodes = read_nodes(results_of(outcome))
    except PlatformFailed:
        return None
    named = platform_fault([(node.name, node.message) for node in nodes if node.status == "error"])
    return named if named.remedy else None


def _query_of(session: SparkSession) -> Query:
    def query(sql: str) -> list[dict[str, Any]]:
        frame = session.sql(sql)
        return [dict(zip(frame.columns, row, strict=True)) for row in rows_of(frame)]

    return query


def _has_counts(unique_id: str) -> bool:
    return unique_id.startswith("model.") and unique_id.endswith((ACCOUNTING, ACROSS_DATES))


@contextmanager
def _copied(
    build: SparkBuild, counts: Mapping[str, Any], built: Iterable[str], written: Mapping[str, str]
) -> Iterator[Query]:
    """Yield a function that queries the relations with results, in a DuckDB of this process.

    Counts are copied from Spark. Rejected rows, which may be many, are read where they were written.
    """
    import duckdb

    nodes: Mapping[str, Any] = build.manifest.nodes
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        open_gateway(connection, gateway_of(build.lake))
        connection.execute(f"create schema {SCHEMA}")
        for unique_id, rows in counts.items():
            connection.register("counts", rows)
            connection.execute(f"create table {nodes[unique_id].relation_name} as from counts")
        for node in (nodes[unique_id] for unique_id in built if unique_id.endswith("_rejected")):
            uris = [f"{build.run.lake_root}/{key}" for key, name in written.items() if name == node.alias]
            connection.execute(f"create view {node.relation_name} as from {read_parquet(uris)}")
        yield lambda sql: rows_by_name(connection.execute(sql))
