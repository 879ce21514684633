"""What a dbt-duckdb profile loads so that a build's place and inputs reach SQL as DuckDB variables.

Variables, set on every cursor, keep the parsed manifest the same for all builds: `lake_root` (where outputs go, no
trailing slash), `lake_date`, `raw_root` (what pages are below of), `raw_<source>__<table>` (a table's raw pages) and
`published_<table>` (its Parquet of all published dates). They come from the run file (`orchestration.dbt_build`); on
target `dev` from the raw sample and what was built from it, on target `sandbox` from the sandbox's folder.
`source_problem` tells dbt's on-run-start what is wrong with a source's YAML, or that the models were generated from
another one.
"""

from __future__ import annotations

import json
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

from orchestration import keys
from orchestration.dbt_build import RunFile
from orchestration.errors import IngestCleanError, UsageError
from orchestration.gateway import gateway_of, open_gateway
from orchestration.models.generate import require_declared
from orchestration.sandbox import open_sandbox
from orchestration.source import Table, read_tables
from orchestration.sql import identifier, literal, literals

_LOCKED = re.compile(r'set lock on file "(?P<file>[^"]+)": Conflicting lock is held in (?P<holder>.+?\(PID \d+\))')

# DuckDB reads no empty list of files; a file of no bytes holds no record in any form.
_NO_PAGES = Path(__file__).with_name("no_pages.json")


def sample_run(date: str, project_dir: Path) -> RunFile:
    """The build that reads all pages of `date`, the latest if it is empty, of the project's raw sample and writes below
    `.elt/dev`, where what was built before counts as published.

    Raises:
        UsageError: The sample has no page of that date.
    """
    sample, lake = project_dir / "examples" / "raw_sample", project_dir / ".elt" / "dev"
    dates = sorted({page.parent.name.removeprefix("date=") for page in sample.glob("raw/*/*/date=*/page-*.json")})
    if not dates or (date and date not in dates):
        raise UsageError(
            f"ELT_DEV_DATE={date}: the raw sample in {sample} has no page of that date",
            remedy=f"set one of {', '.join(dates)}, or none for the latest"
            if dates
            else f"put pages below {sample}/raw",
        )
    date = date or dates[-1]
    raw: dict[str, list[str]] = {}
    published: dict[str, list[str]] = {}
    for folder in sorted(sample.glob("raw/*/*")):
        table = folder.name
        pages = sorted(folder.glob(f"date={date}/page-*.json"))
        raw[f"{folder.parent.name}.{table}"] = [page.relative_to(sample).as_posix() for page in pages]
        built = {file.relative_to(lake).as_posix() for file in lake.glob(f"curated/{table}/date=*/data.parquet")}
        published[table] = sorted({*built, keys.curated(table, date)})
    return RunFile(date, str(lake), str(sample), raw, str(lake), published)


def variables(run: RunFile) -> dict[str, str | list[str]]:
    """The DuckDB variables that describe a build."""
    raw_root, published_root = run.raw_root.rstrip("/"), run.published_root.rstrip("/")
    named: dict[str, str | list[str]] = {
        "lake_root": run.lake_root.rstrip("/"),
        "lake_date": run.execution_date,
        "raw_root": raw_root,
    }
    for table, pages in run.raw.items():
        named[f"raw_{table.replace('.', '__')}"] = [f"{raw_root}/{key}" for key in pages] or [str(_NO_PAGES)]
    for table, files in run.published.items():
        named[f"published_{table}"] = [f"{published_root}/{key}" for key in files]
    return named


def _require_no_retry() -> None:
    # dbt tells the plugin the command that it repeats, and not that it repeats it.
    if "retry" in sys.argv and not {"build", "run", "test", "show", "compile", "seed", "snapshot"} & set(sys.argv):
        raise UsageError("dbt retry would leave a lake half of one build and half of another", remedy="dbt build")


def _declared(project_dir: Path) -> tuple[Sequence[Table], str]:
    tables: Sequence[Table] = ()
    try:
        tables = read_tables(project_dir)
        require_declared(project_dir, tables)
    except UsageError as error:
        return tables, error.describe()
    return tables, ""


def set_statement(name: str, value: str | Sequence[str]) -> str:
    """The statement that sets one variable on one cursor."""
    text = literal(value) if isinstance(value, str) else literals(value)
    return f"set variable {identifier(name)} = {text}"


class Plugin(BasePlugin):
    """Sets a build's variables on each cursor, opens a sandbox's lake, makes the folders of one that is local.

    Its configuration names the `run_file`; else the `sandbox`'s folder, or with none the raw sample, and the `date`.
    """

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Read once what is to be built; cursors follow in many threads."""
        project_dir = Path(str(get_flags().PROJECT_DIR)).resolve()  # type: ignore[no-untyped-call]
        date = str(plugin_config.get("date", ""))
        self._sandbox = bool(plugin_config.get("sandbox"))
        try:
            if run_file := plugin_config.get("run_file"):
                run = RunFile(**json.loads(Path(run_file).read_text(encoding="utf-8")))
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
        self._statements = [set_statement(name, value) for name, value in named.items()]

    def update_connection_config(self, creds: DuckDBCredentials, config: dict[str, Any]) -> None:
        """Say who holds the database's file, before dbt fails on it with a traceback."""
        try:
            duckdb.connect(creds.path, config=config).close()
        except duckdb.IOException as error:
            held = _LOCKED.search(str(error))
            if held is None:
                raise
            raise DbtRuntimeError(
                f"{held['file']} is open in another process, {held['holder']}, and DuckDB lets in one that writes: "
                "close it there, or set ELT_DUCKDB_PATH to another file"
            ) from error

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Open the lake with the keys that `elt` uses: a sandbox's user sets them once."""
        if self._sandbox:
            from orchestration.lake import open_lake
            from orchestration.settings import read_settings

            try:
                open_gateway(conn, gateway_of(open_lake(read_settings())))
            except IngestCleanError as error:
                raise DbtRuntimeError(error.describe()) from error

    def configure_cursor(self, cursor: Any) -> None:
        """Set the variables: they belong to a cursor, not to the database."""
        for statement in self._statements:
            cursor.execute(statement)

    def store(self, target_config: TargetConfig) -> None:
        """Make the folder that `lake_parquet` is about to write into; an object store has none."""
        location = target_config.location
        if location and "://" not in location.path:
            Path(location.path).parent.mkdir(parents=True, exist_ok=True)
