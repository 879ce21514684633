"""What a dbt-duckdb profile loads so that a run's place and pages reach SQL as DuckDB variables.

Variables, set on every cursor, keep the parsed manifest the same for all runs: `lake_root` (where outputs go, no
trailing slash), `raw_root` (what pages are below of), `lake_date`, and `raw_<source>__<table>`, the list of a table's
raw pages. They come from the run file (`orchestration.clean`); with none, as on target `dev`, from the raw sample.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import TargetConfig

PROJECT_DIR = Path(__file__).resolve().parents[1]
RAW_SAMPLE = PROJECT_DIR / "examples" / "raw_sample"
DEV_LAKE = PROJECT_DIR / ".elt" / "dev"

# DuckDB reads no empty list of files; a file of no bytes holds no record in any form.
_NO_PAGES = Path(__file__).with_name("no_pages.json")


def sample_run(date: str, sample: Path = RAW_SAMPLE, lake: Path = DEV_LAKE) -> dict[str, Any]:
    """The run, in the form of a run file, that reads all pages of `date` below `sample` and writes below `lake`."""
    raw: dict[str, list[str]] = {}
    for table in sorted(sample.glob("raw/*/*")):
        pages = sorted(table.glob(f"date={date}/page-*.json"))
        raw[f"{table.parent.name}.{table.name}"] = [page.relative_to(sample).as_posix() for page in pages]
    return {"execution_date": date, "lake_root": str(lake), "raw_root": str(sample), "raw": raw}


def variables(run: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """The DuckDB variables that describe `run`, a run file's content."""
    raw_root = str(run["raw_root"]).rstrip("/")
    named: dict[str, str | list[str]] = {
        "lake_root": str(run["lake_root"]).rstrip("/"),
        "lake_date": str(run["execution_date"]),
        "raw_root": raw_root,
    }
    for table, keys in run["raw"].items():
        pages = [f"{raw_root}/{key}" for key in keys] or [str(_NO_PAGES)]
        named[f"raw_{table.replace('.', '__')}"] = pages
    return named


def set_statement(name: str, value: str | Sequence[str]) -> str:
    """The statement that sets one variable on one cursor."""
    text = _literal(value) if isinstance(value, str) else f"[{', '.join(map(_literal, value))}]"
    return f"set variable {name} = {text}"


def _literal(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


class Plugin(BasePlugin):
    """Sets a run's variables on each cursor, and makes the folders of a lake that is a local folder.

    Its configuration names the `run_file` or, where that is empty, the `date` of the raw sample.
    """

    def initialize(self, plugin_config: dict[str, Any]) -> None:
        """Read the run once; cursors follow in many threads."""
        run_file = plugin_config.get("run_file")
        if run_file:
            run = json.loads(Path(run_file).read_text(encoding="utf-8"))
        else:
            run = sample_run(str(plugin_config["date"]))
        self._statements = [set_statement(name, value) for name, value in variables(run).items()]

    def configure_cursor(self, cursor: Any) -> None:
        """Set the variables: they belong to a cursor, not to the database."""
        for statement in self._statements:
            cursor.execute(statement)

    def store(self, target_config: TargetConfig) -> None:
        """Make the folder that `external` is about to write into; an object store has none."""
        location = target_config.location
        if location and "://" not in location.path:
            Path(location.path).parent.mkdir(parents=True, exist_ok=True)
