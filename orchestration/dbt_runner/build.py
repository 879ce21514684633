"""Run one dbt build in this process: a date from raw pages to curated rows, or the marts from all published dates."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.dbt_runner.collect import (
    read_accounting,
    read_across_dates,
    read_failed_tests,
    read_nodes,
    read_rows,
)
from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.manifest import models_of, published_models
from orchestration.dbt_runner.results import BuildResult
from orchestration.dbt_runner.session import Project, dbt_session, invoke, open_results, results_of
from orchestration.errors import UsageError
from orchestration.lake.s3 import Gateway, httpfs_extension
from orchestration.log import SILENT, Log
from orchestration.source.config import Table, read_tables
from orchestration.workdir import translate_disk_errors

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


@dataclass(frozen=True)
class Engine:
    """Resources that DuckDB may use.

    Attributes:
        directory: The folder of its extensions. A run spills to its work directory instead.
        memory: Its memory limit, such as `2GB`.
        threads: Its number of threads. The bytes written do not depend on it.
    """

    directory: Path
    memory: str = "2GB"
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)


_LOCAL = Gateway(endpoint="localhost:0", use_ssl=False, access_key="none", secret_key="none")  # noqa: S106


def environment(engine: Engine, gateway: Gateway | None = None, run_file: Path | None = None) -> dict[str, str]:
    """Return the variables that the dbt profile reads. Without a gateway, roots must be local folders."""
    gateway = gateway or _LOCAL
    return {
        "ELT_RUN_FILE": str(run_file or ""),
        "ELT_S3_ENDPOINT": gateway.endpoint,
        "ELT_S3_USE_SSL": str(gateway.use_ssl).lower(),
        "ELT_S3_TIMEOUT": str(gateway.timeout),
        "LAKEFS_ACCESS_KEY": gateway.access_key,
        "DBT_ENV_SECRET_LAKEFS_SECRET_KEY": gateway.secret_key,
        "ELT_HTTPFS_EXTENSION": str(httpfs_extension()),
        "ELT_DUCKDB_DIR": str(engine.directory),
        # Each run needs its own: two engines would overwrite each other's temporary files.
        "ELT_DUCKDB_TEMP": str((run_file.parent if run_file else engine.directory) / "temp"),
        "ELT_DUCKDB_MEMORY": engine.memory,
        "ELT_DUCKDB_THREADS": str(engine.threads),
    }


def build(
    run: RunFile,
    manifest: Manifest,
    project: Project,
    *,
    selector: str,
    engine: Engine,
    tables: Sequence[Table] = (),
    only: Collection[str] = (),
    gateway: Gateway | None = None,
    task_runs: bool = False,
    log: Log = SILENT,
) -> BuildResult:
    """Build and test with dbt, and return the results. Failed data is part of the result and raises no error.

    Args:
        run: What to read and where to write.
        manifest: The manifest of `project`'s target, from `load_manifest`. It may serve any number of runs.
        project: The project. Its work directory takes this run's run file, target and log folders.
        selector: The dbt selector of what to build.
        engine: Resources that DuckDB may use.
        tables: The declared source tables, if the caller has read them; default: they are read here.
        only: Names of models; of what the selector selects, only these and the tests of nothing else are built.
        gateway: The gateway for `s3://` roots.
        task_runs: See `session.invoke`.
        log: Takes dbt's log lines.

    Raises:
        UsageError: `run` has no list of pages for a source table that is read.
        PlatformFailed: dbt itself failed, or another build is in progress in this process.
        DiskFailed: The run file or dbt's files could not be written.
    """
    models = [name for name in models_of(manifest, selector) if not only or name.split(".")[-1] in only]
    require_pages(run, manifest, models)
    versions = {name: version(name) for name in ("dbt-core", "dbt-duckdb", "duckdb")}
    if not models:
        # dbt refuses a selector that the project lacks.
        return BuildResult((), (), accounting={}, rows={}, versions=versions, raw_root=run.raw_root)
    with dbt_session(environment(engine, gateway, write_run_file(run, project))):
        # Results and manifest are in memory: their JSON files would be deleted with the work directory.
        selected: tuple[str, ...] = ("--selector", selector)
        if only:
            selected = ("--select", *only, "--exclude", "test_type:unit", "--indirect-selection", "cautious")
        arguments = project.arguments("build", *selected, "--no-write-json")
        outcome = invoke(project, arguments, manifest=manifest, task_runs=task_runs, log=log)
        results = results_of(outcome)
        nodes = read_nodes(results)
        built = {node.unique_id for node in nodes if node.status == "success"}
        with open_results() as query:
            return BuildResult(
                nodes=nodes,
                failed_tests=read_failed_tests(query, nodes, results),
                accounting=read_accounting(query, manifest, built, tables or read_tables(project.project_dir)),
                across_dates=read_across_dates(query, manifest, built),
                versions=versions,
                rows=read_rows(query, run.lake_root, _written(manifest, selector, run, built)),
                raw_root=run.raw_root,
            )


def write_run_file(run: RunFile, project: Project) -> Path:
    """Write what the plugin reads into a project's work directory, and return its path.

    Raises:
        DiskFailed: It could not be written.
    """
    run_file = project.work_dir / "run.json"
    with translate_disk_errors(run_file):
        project.work_dir.mkdir(parents=True, exist_ok=True)
        run_file.write_text(json.dumps(asdict(run)), encoding="utf-8")
    return run_file


def require_pages(run: RunFile, manifest: Manifest, models: Sequence[str]) -> None:
    """Require that a run has a list of pages for each source table that its models read.

    Raises:
        UsageError: It has none for a table.
    """
    read = {name for model in models for name in manifest.nodes[model].depends_on_nodes}
    tables = {f"{source.source_name}.{source.name}" for name, source in manifest.sources.items() if name in read}
    if unnamed := tables - run.raw.keys():
        raise UsageError(f"no list of raw pages for {', '.join(sorted(unnamed))}")


def _written(manifest: Manifest, selector: str, run: RunFile, built: set[str]) -> list[str]:
    """Return the keys of the Parquet that was written."""
    published = published_models(manifest, selector, run.execution_date, run.dated_files.written)
    return [key for key, unique_id in published.items() if unique_id in built]
