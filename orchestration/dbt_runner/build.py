"""Run one dbt build in this process: a date from raw pages to curated rows, or the marts from all published dates."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.manifest import models_of, published_models
from orchestration.dbt_runner.results import BuildResult, FailedTest, Kind, NodeResult, Row, TableAccounting
from orchestration.dbt_runner.session import Project, Query, dbt_session, invoke, open_results
from orchestration.errors import PlatformFailed, UsageError
from orchestration.lake.s3 import Gateway, httpfs_extension
from orchestration.log import SILENT, Log
from orchestration.source.columns import Column
from orchestration.source.config import Table, read_tables
from orchestration.sql import literal, literals
from orchestration.text import EXAMPLES, LINE_LIMIT, NAME_LIMIT, TEXT_LIMIT
from orchestration.workdir import translate_disk_errors

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_ACCOUNTING, _ACROSS_DATES = "_accounting", "_across_dates"
_DRIFT_NAMES = 20
"""How many undeclared fields the receipt and the run's artifact name: the most frequent ones."""

_BEFORE_VALUE = 60
"""Characters shown of a long rejected record before the name of the value that failed."""


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
    if unnamed := _sources_of(manifest, models) - run.raw.keys():
        raise UsageError(f"no list of raw pages for {', '.join(sorted(unnamed))}")
    versions = {name: version(name) for name in ("dbt-core", "dbt-duckdb", "duckdb")}
    if not models:
        # dbt refuses a selector that the project lacks.
        return BuildResult((), (), accounting={}, rows={}, versions=versions, raw_root=run.raw_root)
    files = run.dated_files.written
    with dbt_session(environment(engine, gateway, write_run_file(run, project))):
        # Results and manifest are in memory: their JSON files would be deleted with the work directory.
        selected: tuple[str, ...] = ("--selector", selector)
        if only:
            selected = ("--select", *only, "--exclude", "test_type:unit", "--indirect-selection", "cautious")
        arguments = project.arguments("build", *selected, "--no-write-json")
        outcome = invoke(project, arguments, manifest=manifest, task_runs=task_runs, log=log)
        results = getattr(outcome.result, "results", None)
        if outcome.exception is not None or results is None:
            raise PlatformFailed(f"dbt failed: {outcome.exception}") from outcome.exception
        nodes = tuple(_node_result(result) for result in results)
        built = {node.unique_id for node in nodes if node.status == "success"}
        with open_results() as query:
            return BuildResult(
                nodes=nodes,
                failed_tests=tuple(
                    _failed_test(query, node, result.node.compiled_code)
                    for node, result in zip(nodes, results, strict=True)
                    if _has_rows(node)
                ),
                accounting=_accounting(query, manifest, built, tables or read_tables(project.project_dir)),
                across_dates=_across_dates(query, manifest, built),
                versions=versions,
                rows=_rows(query, run, published_models(manifest, selector, run.execution_date, files), built),
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


def _sources_of(manifest: Manifest, models: Sequence[str]) -> set[str]:
    read = {name for model in models for name in manifest.nodes[model].depends_on_nodes}
    return {f"{source.source_name}.{source.name}" for name, source in manifest.sources.items() if name in read}


def _node_result(result: Any) -> NodeResult:
    unique_id = result.node.unique_id
    kinds: dict[str, Kind] = {"model": "model", "test": "test", "unit_test": "unit_test", "operation": "hook"}
    return NodeResult(
        unique_id=unique_id,
        kind=kinds[unique_id.split(".")[0]],
        status=str(result.status),
        failures=result.failures,
        seconds=round(result.execution_time, 3),
        # Cut, because a message may have any size and is searched with patterns.
        message=(result.message or "")[:TEXT_LIMIT],
    )


def _has_rows(node: NodeResult) -> bool:
    return node.kind == "test" and node.status in ("fail", "warn")


def _failed_test(query: Query, node: NodeResult, compiled: str) -> FailedTest:
    rows = query(f"select * from ({compiled}) as failing limit {EXAMPLES}")  # noqa: S608
    return FailedTest(node.unique_id, node.name, node.status, node.failures or 0, tuple(map(_cut, rows)))


def _cut(row: Row) -> Row:
    return {name: value[: LINE_LIMIT + 1] if isinstance(value, str) else value for name, value in row.items()}


def _rows(query: Query, run: RunFile, published: Mapping[str, str], built: set[str]) -> dict[str, int]:
    """Return the rows of each written Parquet file by key, from the file's footer."""
    uris = {f"{run.lake_root}/{key}": key for key, unique_id in published.items() if unique_id in built}
    if not uris:
        return {}
    rows = query(f"select file_name, num_rows from parquet_file_metadata({literals(list(uris))})")  # noqa: S608
    return {uris[row["file_name"]]: row["num_rows"] for row in rows}


def _accounting(
    query: Query, manifest: Manifest, built: set[str], declared: Sequence[Table]
) -> dict[str, TableAccounting]:
    """Return the accounting of each table whose `<table>_accounting` model was built."""
    counted: dict[str, Any] = {
        id_: manifest.nodes[id_] for id_ in sorted(built) if manifest.nodes[id_].name.endswith(_ACCOUNTING)
    }
    columns = {table.name: table.columns for table in declared}
    tables = {}
    for unique_id, node in counted.items():
        name = node.name.removesuffix(_ACCOUNTING)
        rejected: Any = manifest.nodes[unique_id.replace(_ACCOUNTING, "_rejected")]
        tables[name] = _table_accounting(query, node.relation_name, rejected.relation_name, columns[name])
    return tables


def _across_dates(query: Query, manifest: Manifest, built: set[str]) -> dict[str, Mapping[str, int]]:
    """Return the single row of each `<table>_across_dates` model that was built, by table."""
    counted = (manifest.nodes[unique_id] for unique_id in sorted(built))
    return {
        node.name.removesuffix(_ACROSS_DATES): query(f"select * from {node.relation_name}")[0]  # noqa: S608
        for node in counted
        if node.name.endswith(_ACROSS_DATES)
    }


def _table_accounting(query: Query, accounting: str, rejected: str, columns: Sequence[Column]) -> TableAccounting:
    summed = f"select part, count(name) as names, sum(row_count)::bigint as row_count from {accounting} group by part"  # noqa: S608
    sums = {row["part"]: (row["names"], row["row_count"]) for row in query(summed)}

    def count(part: str) -> int:
        return int(sums.get(part, (0, 0))[1])

    drift = _names(query, accounting, "undeclared", _DRIFT_NAMES)
    reasons = _names(query, accounting, "rejected")
    return TableAccounting(
        raw=count("raw"),
        curated=count("curated"),
        identical=count("identical"),
        conflicting=count("conflicting"),
        accepted_keys=count("accepted_keys"),
        curated_keys=count("curated_keys"),
        rejected=reasons,
        drift=drift,
        missing=_names(query, accounting, "missing"),
        conflicting_keys=tuple(_names(query, accounting, "conflicting", EXAMPLES)),
        rejects=_rejects(query, rejected, {reason: _sought(reason, columns) for reason in reasons}) if reasons else {},
        drift_fields=sums.get("undeclared", (0, 0))[0],
        conflicting_key_count=sums.get("conflicting", (0, 0))[0],
        other_dates=count("other_dates"),
    )


def _names(query: Query, accounting: str, part: str, limit: int | None = None) -> dict[str, int]:
    """Return the rows by name within a part, highest counts first: at most `limit` names, long ones cut.

    Names come from the data, in any number and of any length. DuckDB cuts them before they are fetched.
    """
    rows = query(
        f"""
        select
            case
                when length(name) > {NAME_LIMIT}
                    then left(name, {NAME_LIMIT}) || '… (' || length(name) || ' characters)'
                else name
            end as shown,
            row_count
        from {accounting}
        where part = '{part}'
        order by row_count desc, name
        {f"limit {limit}" if limit else ""}
        """  # noqa: S608
    )
    found: dict[str, int] = {}
    for row in rows:
        found[str(row["shown"])] = found.get(str(row["shown"]), 0) + row["row_count"]
    return found


def _sought(reason: str, columns: Sequence[Column]) -> str:
    """Return the name, as JSON, that precedes the value that a reason is about; empty if it is about none."""
    about = [column for column in columns if reason.startswith(f"{column.name}_") and not column.record_name]
    if not about:
        return ""
    names = [step for step in max(about, key=lambda column: len(column.name)).place if isinstance(step, str)]
    return json.dumps(names[-1], ensure_ascii=False) if names else ""


def _rejects(query: Query, rejected: str, sought: Mapping[str, str]) -> dict[str, tuple[Row, ...]]:
    """Return the first rejected rows by reason, ordered by page and record. Long records are cut around their value."""
    place = " ".join(f"when {literal(reason)} then instr(record, {literal(name)})" for reason, name in sought.items())
    numbered = f"select *, row_number() over (partition by reason order by page, record) as n from {rejected}"  # noqa: S608
    placed = f"select *, greatest(1, case reason {place} end - {_BEFORE_VALUE}) as start from ({numbered}) as numbered"  # noqa: S608
    rows = query(
        "select reason, page, case when length(record) > "  # noqa: S608
        f"{LINE_LIMIT} and start > 1 then '…' || substr(record, start, {LINE_LIMIT}) "
        f"else left(record, {LINE_LIMIT + 1}) end as record from ({placed}) as placed "
        f"where n <= {EXAMPLES} order by reason, n"
    )
    found: dict[str, tuple[Row, ...]] = {}
    for row in rows:
        found[row["reason"]] = (*found.get(row["reason"], ()), {"page": row["page"], "record": row["record"]})
    return found
