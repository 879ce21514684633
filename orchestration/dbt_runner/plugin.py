"""dbt-duckdb plugin: passes a build's roots and inputs to SQL as DuckDB variables.

Variables are set on every cursor, so the parsed manifest is the same for all builds:

lake_root                the root of outputs, without a trailing slash
lake_date                the date
lake_date_<table>        the date of a table's raw pages, if it is another one, which only the raw sample has
raw_root                 the URI prefix of the raw pages
raw_<source>__<table>    the raw pages of a table
published_<table>        the Parquet of a table, of all published dates
built_<table>            the same of the dates that marts by date are built for (see `lake.dated_files`)
dates_built              these dates
dated_files              the names of all their files
written_files            those that the build writes
former_files             those of the former build, from which the rows of other dates are taken
former_root              the root of the former build's files
source_problem           an error in a source's YAML, for dbt's on-run-start

The values come from the run file (`dbt_runner.inputs`). On target `dev` they come from the raw sample and what was
built from it, on target `sandbox` from the sandbox's folder.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig
from dbt.flags import get_flags
from dbt_common.exceptions import DbtRuntimeError

from orchestration.dbt_runner.inputs import open_sandbox, read_run_file, sample_run, set_statement, variables
from orchestration.errors import IngestCleanError, UsageError
from orchestration.lake.s3 import gateway_of, open_gateway
from orchestration.models.generate import require_declared
from orchestration.source.config import Table, read_tables

_LOCKED = re.compile(r'set lock on file "(?P<file>[^"]+)": Conflicting lock is held in (?P<holder>.+?\(PID \d+\))')


def _require_no_retry() -> None:
    # dbt passes the plugin the repeated command, and not the fact that it is repeated.
    if "retry" in sys.argv and not {"build", "run", "test", "show", "compile", "seed", "snapshot"} & set(sys.argv):
        raise UsageError("dbt retry would mix two builds on the lake", remedy="dbt build")


def _declared(project_dir: Path) -> tuple[Sequence[Table], str]:
    tables: Sequence[Table] = ()
    try:
        tables = read_tables(project_dir)
        require_declared(project_dir, tables)
    except UsageError as error:
        return tables, error.describe()
    return tables, ""


class Plugin(BasePlugin):
    """Sets a build's variables on each cursor, opens a sandbox's lake and creates the folders of a local lake.

    Its configuration gives a `run_file`. Otherwise it gives a `date`, and the folder of a `sandbox` or none for the raw
    sample.
    """

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Read the build's inputs once. Cursors follow in many threads."""
        project_dir = Path(str(get_flags().PROJECT_DIR)).resolve()  # type: ignore[no-untyped-call]
        date = str(plugin_config.get("date", ""))
        self._sandbox = bool(plugin_config.get("sandbox"))
        try:
            if run_file := plugin_config.get("run_file"):
                run = read_run_file(Path(run_file))
            elif self._sandbox:
                _require_no_retry()
                run = open_sandbox(Path(plugin_config["sandbox"])).run_of(date)
            else:
                run = sample_run(date, project_dir)
        except UsageError as error:
            raise DbtRuntimeError(error.describe()) from error
        tables, problem = _declared(project_dir)
        pages = {table.label: run.raw.get(table.label, ()) for table in tables}
        named = {**variables(replace(run, raw={**run.raw, **pages})), "source_problem": problem}
        # One script: a build opens some 40 cursors, and each statement of its own costs a round trip through DuckDB.
        self._script = ";".join(set_statement(name, value) for name, value in named.items())

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Report which process holds the database file, before dbt fails on it with a traceback."""
        try:
            duckdb.connect(creds.path, config=config).close()
        except duckdb.IOException as error:
            held = _LOCKED.search(str(error))
            if held is None:
                raise
            raise DbtRuntimeError(
                f"{held['file']} is open in another process, {held['holder']}, and DuckDB allows only one writer: "
                "close it there, or set ELT_DUCKDB_PATH to another file"
            ) from error

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Open the lake of a sandbox with the keys that `elt` uses, so that its user configures them once."""
        if self._sandbox:
            from orchestration.endpoints import open_lake
            from orchestration.settings import read_settings

            try:
                open_gateway(conn, gateway_of(open_lake(read_settings())))
            except IngestCleanError as error:
                raise DbtRuntimeError(error.describe()) from error

    def configure_cursor(self, cursor: Any) -> None:
        """Set the variables. They belong to a cursor, not to the database."""
        cursor.execute(self._script)

    def store(self, target_config: TargetConfig) -> None:
        """Create the folder that `lake_parquet` is about to write to. An object store has no folders."""
        location = target_config.location
        if location and "://" not in location.path:
            Path(location.path).parent.mkdir(parents=True, exist_ok=True)
