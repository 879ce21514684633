"""Transform: one dbt build and its tests, from raw pages or published dates to Parquet on the run's branch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.context import DateRun, RunContext
from orchestration.dbt_runner.build import build
from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.results import BuildResult
from orchestration.dbt_runner.session import Project
from orchestration.errors import DataFailed
from orchestration.lake.s3 import gateway_of
from orchestration.plan import SPARK_TARGET, TARGET, Plan

if TYPE_CHECKING:
    from orchestration.land import Landed


def transform(run: DateRun, plan: Plan, landed: Landed, folder: Path) -> BuildResult:
    """Build and test the date. Raw is read at its commit, and outputs are written to the branch.

    Raises:
        DataFailed: A test failed, a contract broke, the accounting does not close or a limit is exceeded.
        SourceBodyInvalid: A page is not the JSON that its source declares, which only the full parse detects.
        PlatformFailed: dbt, DuckDB or the gateway failed.
    """
    repository = run.lake.repository
    run_file = RunFile(
        execution_date=run.execution_date,
        lake_root=f"s3://{repository}/{landed.branch}",
        raw_root=f"s3://{repository}/{landed.commit}",
        raw=landed.inputs,
    )
    with run.step("transform", branch=landed.branch):
        built = build_models(run, plan, run_file, landed.branch, folder)
        try:
            require_passed(run, built)
        except DataFailed as error:
            if any(parts.rejected for parts in built.accounting.values()):
                # A second run would fail in the same way, so suggest to look at the rows.
                error.command = f"elt rejects {run.execution_date} --ref {landed.branch}"
            raise
    return built


def build_models(run: RunContext, plan: Plan, run_file: RunFile, branch: str, folder: Path) -> BuildResult:
    """Build and test what the plan selects, on its engine. Failed data is part of the result and raises no error.

    Raises:
        PlatformFailed: dbt, the engine or the gateway failed.
    """
    if plan.spark:
        from orchestration.spark.build import SparkBuild, build_on_spark

        built = build_on_spark(
            SparkBuild(
                run=run_file,
                lake=run.lake,
                branch=branch,
                project=Project(run.settings.project_dir, SPARK_TARGET, folder / "dbt"),
                manifest=plan.spark.project.manifest,
                options=plan.spark.options,
                selector=run.selector,
                engine=plan.engine,
                tables=plan.tables,
                task_runs=run.task_runs,
                log=run.log,
            )
        )
    else:
        built = build(
            run_file,
            plan.manifest,
            Project(run.settings.project_dir, TARGET, folder / "dbt"),
            selector=run.selector,
            engine=plan.engine,
            tables=plan.tables,
            gateway=gateway_of(run.lake),
            task_runs=run.task_runs,
            log=run.log,
        )
    run.record.built = built
    return built


def require_passed(run: RunContext, built: BuildResult) -> None:
    """Report the build's warnings, or raise the error of a build that failed.

    Raises:
        DataFailed: A test failed, a contract broke or a limit is exceeded.
        SourceBodyInvalid: A raw page is not JSON of the declared form.
        PlatformFailed: Anything else failed, so the data was not tested.
    """
    built.require_passed()
    for level, note in built.notes():
        run.log.log(level, note)
