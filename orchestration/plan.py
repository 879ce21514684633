"""Plan: what the current code would build. Made once at the start of a run, before anything is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestration.context import RunContext
from orchestration.dbt_runner.build import Engine, environment
from orchestration.dbt_runner.parsed import ParsedProject, Selected, parsed_project
from orchestration.dbt_runner.session import Project
from orchestration.lake.s3 import gateway_of
from orchestration.source.config import Table, read_tables

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

TARGET = "run"
"""The dbt target of all runs."""


@dataclass(frozen=True)
class Plan:
    """What a run builds, and what it builds with.

    Attributes:
        tables: The source tables, as the project's YAML declares them.
        project: The parsed dbt project.
        engine: Resources that DuckDB may use.
        selected: What the run builds.
        execution_date: The date; empty for the marts.
    """

    tables: tuple[Table, ...]
    project: ParsedProject
    engine: Engine
    selected: Selected
    execution_date: str

    @property
    def code(self) -> str:
        """Return the digest of the SQL and macros that the run uses."""
        return self.selected.code

    @property
    def manifest(self) -> Manifest:
        """Return the dbt manifest, which takes a second to load: see `ParsedProject.load_ahead`."""
        return self.project.manifest

    def outputs(self, files: Iterable[str] = ()) -> frozenset[str]:
        """Return the keys of the Parquet that `main` has after the run; `files` names those of marts by date."""
        return self.selected.outputs(self.execution_date, files)

    def of_date(self, execution_date: str) -> Plan:
        """Return the plan of another date under the same code."""
        return replace(self, execution_date=execution_date)


def make_plan(run: RunContext, execution_date: str = "") -> Plan:
    """Read the declared sources, and find the code digest and the outputs. The dbt project is parsed if it has changed.

    Args:
        run: The run.
        execution_date: The date whose keys are written; empty for the marts, which have none.

    Raises:
        UsageError: A source's YAML lacks what fetching needs, or the dbt project does not parse.
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
    return Plan(tables, project, engine, project.selected[run.selector], execution_date)
