"""Plan: what the current code would build. Made once at the start of a run, before anything is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestration.context import RunContext
from orchestration.dbt_runner.build import Engine, environment
from orchestration.dbt_runner.manifest import DATE_SELECTOR, code_digest, load_manifest, models_of, published_models
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
        manifest: The parsed dbt project.
        engine: Resources that DuckDB may use.
        code: The digest of the SQL and macros that the run uses.
        outputs: The keys of the Parquet that the run writes.
    """

    tables: tuple[Table, ...]
    manifest: Manifest
    engine: Engine
    code: str
    outputs: frozenset[str]

    def of_date(self, execution_date: str) -> Plan:
        """Return the plan of another date under the same code."""
        return replace(self, outputs=frozenset(published_models(self.manifest, DATE_SELECTOR, execution_date)))


def make_plan(run: RunContext, execution_date: str = "") -> Plan:
    """Read the declared sources, load the dbt manifest and derive the code digest and the outputs.

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
        manifest = load_manifest(
            Project(settings.project_dir, TARGET, settings.state_dir / "dbt" / "parse"),
            state_dir=settings.state_dir,
            environment=environment(engine, gateway_of(run.lake)),
            log=run.log,
        )
        code = code_digest(manifest, models_of(manifest, run.selector))
        outputs = frozenset(published_models(manifest, run.selector, execution_date))
    return Plan(tables, manifest, engine, code, outputs)
