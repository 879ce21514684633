"""The dbt build of a date, from the raw commit to Parquet on the branch, and that of the marts; tests judge both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.context import TARGET, DateRequest, MartsRequest, Request
from orchestration.dbt_runner.build import RunFile, build
from orchestration.dbt_runner.manifest import (
    DATE_SELECTOR,
    MARTS_SELECTOR,
    code_digest,
    models_of,
    published_models,
)
from orchestration.dbt_runner.results import BuildResult
from orchestration.dbt_runner.session import Project
from orchestration.errors import DataFailed
from orchestration.lake.s3 import gateway_of

if TYPE_CHECKING:
    from orchestration.lake.catalog import PublishedDates
    from orchestration.land import Landed


def current_code(request: Request) -> str:
    """The digest of the SQL and macros that the run would use now."""
    return code_digest(request.manifest, models_of(request.manifest, _selector(request)))


def outputs_of(request: Request) -> frozenset[str]:
    """The keys of the Parquet that the run writes."""
    date = request.execution_date if isinstance(request, DateRequest) else ""
    return frozenset(published_models(request.manifest, _selector(request), date))


def clean(request: DateRequest, landed: Landed, spool: Path) -> BuildResult:
    """Builds and tests the date, reading raw by its commit and writing the branch.

    Raises:
        DataFailed: A test failed, a contract broke, the accounting does not close or a limit is passed.
        SourceBodyInvalid: A page is not the JSON its source declares, which only the full parse finds.
        PlatformFailed: dbt, DuckDB or the gateway failed.
    """
    repository = request.lake.repository
    run = RunFile(
        execution_date=request.execution_date,
        lake_root=f"s3://{repository}/{landed.branch}",
        raw_root=f"s3://{repository}/{landed.commit}",
        raw=landed.inputs,
    )
    with request.step("clean", branch=landed.branch):
        built = _build(request, run, spool)
        try:
            return _judged(request, built)
        except DataFailed as error:
            if any(parts.rejected for parts in built.accounting.values()):
                # Again is the same again: the rows have to be looked at.
                error.command = f"elt rejects {request.execution_date} --ref {landed.branch}"
            raise


def build_marts(request: MartsRequest, dates: PublishedDates, pinned: str, branch: str, folder: Path) -> BuildResult:
    """Builds and tests the marts, reading the published dates of the pinned commit and writing the branch.

    Raises:
        DataFailed: A test failed or a contract broke.
        PlatformFailed: dbt, DuckDB or the gateway failed.
    """
    repository = request.lake.repository
    run = RunFile(
        execution_date="",
        lake_root=f"s3://{repository}/{branch}",
        published_root=f"s3://{repository}/{pinned}",
        published=dates.files,
    )
    with request.step("build", branch=branch):
        return _judged(request, _build(request, run, folder))


def _build(request: Request, run: RunFile, folder: Path) -> BuildResult:
    return build(
        run,
        request.manifest,
        Project(request.settings.project_dir, TARGET, folder / "dbt"),
        selector=_selector(request),
        engine=request.engine,
        gateway=gateway_of(request.lake),
        task_runs=request.task_runs,
        report=request.report,
    )


def _judged(request: Request, built: BuildResult) -> BuildResult:
    request.keep(built)
    built.require_passed()
    for note in built.notes():
        request.report(note)
    return built


def _selector(request: Request) -> str:
    return DATE_SELECTOR if isinstance(request, DateRequest) else MARTS_SELECTOR
