"""Clean: one dbt build of the date, from the raw commit to Parquet on the branch, judged by its tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.clean import CleanRun, Engine, build, environment
from orchestration.dbt_manifest import code_digest, load_manifest, models_of_a_run, published_models
from orchestration.dbt_results import BuildResult
from orchestration.dbt_session import Project
from orchestration.gateway import gateway_of
from orchestration.request import Request
from orchestration.steps import step

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

    from orchestration.land import Landed

TARGET = "run"


def current_code(request: Request) -> str:
    """The digest of the SQL and macros that a run would use now."""
    manifest = _manifest(request)
    return code_digest(manifest, models_of_a_run(manifest))


def outputs_of(request: Request) -> frozenset[str]:
    """The keys of the Parquet that a run of the date writes."""
    return frozenset(published_models(_manifest(request), request.execution_date))


def clean(request: Request, landed: Landed, spool: Path) -> BuildResult:
    """Builds and tests the date, reading raw by its commit and writing the branch.

    Raises:
        DataFailed: A test failed, a contract broke, the accounting does not close or a limit is passed.
        SourceBodyInvalid: A page is not the JSON its source declares, which only the full parse finds.
        PlatformFailed: dbt, DuckDB or the gateway failed.
    """
    settings = request.settings
    repository = request.lake.repository
    run = CleanRun(
        execution_date=request.execution_date,
        lake_root=f"s3://{repository}/{landed.branch}",
        raw_root=f"s3://{repository}/{landed.commit}",
        raw=landed.inputs,
    )
    with step("clean", request.execution_date, request.report, branch=landed.branch):
        built = build(
            run,
            _manifest(request),
            Project(settings.project_dir, TARGET, spool / "dbt"),
            engine=_engine(request),
            gateway=gateway_of(request.lake),
            task_runs=request.task_runs,
            report=request.report,
        )
        built.require_passed()
    return built


def _manifest(request: Request) -> Manifest:
    settings = request.settings
    return load_manifest(
        Project(settings.project_dir, TARGET, settings.state_dir / "dbt" / "parse"),
        state_dir=settings.state_dir,
        environment=environment(_engine(request), gateway_of(request.lake)),
        report=request.report,
    )


def _engine(request: Request) -> Engine:
    elt = request.settings.elt
    return Engine(request.settings.state_dir / "duckdb", elt.duckdb_memory, elt.duckdb_threads)
