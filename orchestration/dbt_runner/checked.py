"""Build only the checked rows of some tables, from local folders, and count which of them are accepted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.dbt_runner.build import Engine, environment, write_run_file
from orchestration.dbt_runner.faults import body_fault, platform_fault
from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.session import Project, Query, dbt_session, invoke, open_results, results_of
from orchestration.log import SILENT, Log
from orchestration.models.sql import model_names
from orchestration.source.config import Table

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest


@dataclass(frozen=True)
class CheckedRows:
    """The checked rows of one table.

    Attributes:
        rows: All rows.
        other_dates: Accepted rows of other dates, of a table that keeps only those of its date.
        rejected: Rejected rows by the date in the key of their page.
    """

    rows: int
    other_dates: int
    rejected: Mapping[str, int]

    @property
    def accepted(self) -> int:
        """Return the rows that would be published, duplicates included."""
        return self.rows - self.other_dates - sum(self.rejected.values())


def check_rows(
    run: RunFile,
    manifest: Manifest,
    project: Project,
    tables: Sequence[Table],
    *,
    engine: Engine,
    log: Log = SILENT,
) -> dict[str, CheckedRows]:
    """Build the checked rows of tables and count them. A table whose pages cannot be read is reported and left out.

    Nothing is published or tested. The pages of a table may be of several dates, unless it keeps only rows of its date.

    Args:
        run: The pages, in local folders.
        manifest: The manifest of `project`'s target.
        project: The project, with a work directory of its own.
        tables: The tables.
        engine: Resources that DuckDB may use.
        log: Takes the tables that are left out.

    Raises:
        PlatformFailed: dbt or DuckDB failed, or another build is in progress in this process.
    """
    models = {table.label: model_names(table, project.project_dir)[:2] for table in tables}
    found: dict[str, CheckedRows] = {}
    with dbt_session(environment(engine, run_file=write_run_file(run, project))):
        names = (name for pair in models.values() for name in pair)
        outcome = invoke(project, project.arguments("run", "--select", *names, "--no-write-json"), manifest=manifest)
        results = results_of(outcome)
        faults = {
            result.node.name: result.message or ""
            for result in results
            if str(result.status) in ("error", "runtime error", "fail")
        }
        if unknown := [(name, text) for name, text in faults.items() if body_fault(text, run.raw_root) is None]:
            raise platform_fault(unknown)
        nodes = {node.name: node for node in manifest.nodes.values()}
        with open_results() as query:
            for table in tables:
                _, checked = models[table.label]
                if checked in faults:
                    fault = body_fault(faults[checked], run.raw_root)
                    log.info(f"{table.label} of {run.execution_date} cannot be read as it is declared now: {fault}")
                else:
                    relation = str(nodes[checked].relation_name)
                    found[table.label] = _counted(query, relation, keeps_date=table.rows.keep_date is not None)
    return found


def _counted(query: Query, relation: str, *, keeps_date: bool) -> CheckedRows:
    other = "count(*) filter (where _reject_reason is null and _is_other_date)" if keeps_date else "0"
    (all_rows,) = query(f"select count(*) as n, {other} as other from {relation}")  # noqa: S608
    rejected = query(
        "select regexp_extract(_page, '/date=([0-9-]+)/', 1) as of_date, count(*) as n "  # noqa: S608
        f"from {relation} where _reject_reason is not null group by 1 order by 1"
    )
    return CheckedRows(all_rows["n"], all_rows["other"], {row["of_date"]: row["n"] for row in rejected})
