"""Plan: what the current code would build. Made once at the start of a run, before anything is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestration.context import RunContext
from orchestration.dbt_runner.build import Engine, environment
from orchestration.dbt_runner.parsed import ParsedProject, Selected, parsed_project
from orchestration.dbt_runner.session import Project
from orchestration.lake.s3 import gateway_of
from orchestration.settings import EngineName
from orchestration.source.config import Table, read_tables

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

    from orchestration.lake.receipt import Receipt
    from orchestration.spark.options import SparkOptions

TARGET, SPARK_TARGET = "run", "spark"
"""The dbt targets of all runs: one for each engine."""


@dataclass(frozen=True)
class Plan:
    """What a run builds, and what it builds with.

    Attributes:
        tables: The source tables, as the project's YAML declares them.
        project: The parsed dbt project.
        engine: Resources that DuckDB may use.
        selected: What the run builds.
        execution_date: The date; empty for the marts.
        spark: What Spark builds with; None if DuckDB is the engine.
    """

    tables: tuple[Table, ...]
    project: ParsedProject
    engine: Engine
    selected: Selected
    execution_date: str
    spark: SparkPlan | None = None

    @property
    def engine_name(self) -> EngineName:
        """Return the engine of the run."""
        return "spark" if self.spark else "duckdb"

    @property
    def code(self) -> str:
        """Return the digest of the SQL and macros that the run uses."""
        return self.selected.codes[self.engine_name]

    def is_code_of(self, receipt: Receipt) -> bool:
        """Return whether the project's code is that of a receipt, on the engine that built it.

        The other engine gives the same rows, so a date is not published again because of it.
        """
        return receipt.code == self.selected.codes.get(receipt.engine)

    @property
    def manifest(self) -> Manifest:
        """Return the dbt manifest, which takes a second to load: see `ParsedProject.load_ahead`."""
        return self.project.manifest

    def load_ahead(self) -> None:
        """Begin to load dbt and the manifest of the engine's target: see `ParsedProject.load_ahead`."""
        (self.spark.project if self.spark else self.project).load_ahead()

    def outputs(self, files: Iterable[str] = ()) -> frozenset[str]:
        """Return the keys of the Parquet that `main` has after the run; `files` names those of marts by date."""
        return self.selected.outputs(self.execution_date, files)

    def of_date(self, execution_date: str) -> Plan:
        """Return the plan of another date under the same code."""
        return replace(self, execution_date=execution_date)


@dataclass(frozen=True)
class SparkPlan:
    """What Spark builds with: its options, and the dbt project parsed for its target."""

    options: SparkOptions
    project: ParsedProject


def make_plan(run: RunContext, execution_date: str = "") -> Plan:
    """Read the declared sources, and find the code digest and the outputs. The dbt project is parsed if it has changed.

    Args:
        run: The run.
        execution_date: The date whose keys are written; empty for the marts, which have none.

    Raises:
        UsageError: A source's YAML lacks what fetching needs, the dbt project does not parse, or what Spark needs is
            missing.
        PlatformFailed: The master of the Spark cluster does not answer.
        DiskFailed: dbt's files could not be written.
    """
    settings = run.settings
    engine = Engine(settings.state_dir / "duckdb", settings.elt.duckdb_memory, settings.elt.duckdb_threads)
    with run.step("plan"):
        tables = read_tables(settings.project_dir)
        project = parsed_project(
            Project(settings.project_dir, TARGET, settings.state_dir / "dbt" / "parse"),
            state_dir=settings.state_dir,
            environment=environment(engine, gateway_of(run.lake)),
            log=run.log,
        )
        spark = _spark_plan(run, tables) if settings.elt.engine == "spark" else None
    return Plan(tables, project, engine, project.selected[run.selector], execution_date, spark)


def _spark_plan(run: RunContext, tables: Sequence[Table]) -> SparkPlan:
    from orchestration.spark.options import require_master, spark_options
    from orchestration.spark.rows import require_generated

    settings = run.settings
    options = spark_options(settings)
    # Before a source is asked.
    require_master(options)
    require_generated(settings.project_dir, tables)
    project = parsed_project(
        Project(settings.project_dir, SPARK_TARGET, settings.state_dir / "dbt" / "parse-spark"),
        state_dir=settings.state_dir,
        environment={},
        log=run.log,
        adapter="dbt.adapters.spark",
    )
    return SparkPlan(options, project)
