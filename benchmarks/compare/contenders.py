"""The contenders: the pipeline, and what a user would write instead of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from benchmarks.compare.stage import GATED, MEMORY, UNGATED, Day, Stage
from benchmarks.run import ELT
from examples.events_api.options import Form
from orchestration.dbt_runner.build import Engine
from orchestration.dbt_runner.build import environment as dbt_environment
from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.session import Project
from orchestration.framework import MACROS_VARIABLE, macro_path
from orchestration.lake import keys
from orchestration.lake.client import MAIN
from orchestration.lake.s3 import gateway_of, httpfs_extension
from orchestration.plan import TARGET
from orchestration.settings import PROJECT_DIR

RunType = Literal["daily", "backfill"]


@dataclass(frozen=True)
class Command:
    """A command that publishes a date.

    Attributes:
        arguments: The command line.
        environment: Its environment.
        repository: Where it publishes.
        ref: The branch on which its result can be read.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str]
    repository: str
    ref: str = MAIN


@dataclass(frozen=True)
class Contender:
    """One way to publish a day.

    Attributes:
        name: Its short name.
        title: Its name in the report.
        forms: The forms of the source that it is run with.
        prepare: Returns its command for a date; what it does first is not measured.
        memory_per_row: The bytes that it needs for each event of the day, if it keeps them all in memory.
        missing: Why it cannot run on this machine; empty if it can.
        parses: What its first run parses and keeps for later ones, which share the name; empty for nothing.
    """

    name: str
    title: str
    forms: tuple[Form, ...]
    prepare: Callable[[Stage, Day, str], Command]
    memory_per_row: int = 0
    missing: str = ""
    parses: str = ""

    def obstacle(self, rows: int, available: int) -> str:
        """Return why it cannot publish a day of so many events with so much memory; empty if it can."""
        needed = self.memory_per_row * rows
        if not self.missing and needed > available:
            return f"not run: needs about {needed / 1e9:.0f} GB of memory, {available / 1e9:.0f} GB are available"
        return self.missing


BARE = "bare"
"""The contender that all others are compared with."""


def contenders(python: Path | None, problem: str = "") -> tuple[Contender, ...]:
    """Return all contenders.

    Args:
        python: The interpreter of the environment with pandas, polars and dlt.
        problem: Why that environment does not exist.
    """
    both: tuple[Form, ...] = ("ndjson", "array")
    other = str(python or "")
    return (
        Contender("backfill", "`elt run --run-type backfill`", both, partial(_elt, "backfill"), parses="elt"),
        Contender("daily", "`elt run --run-type daily`", ("ndjson",), partial(_elt, "daily"), parses="elt"),
        Contender(BARE, "bare script: httpx and one `COPY` of DuckDB", both, partial(_script, sys.executable, "bare")),
        Contender("dbt", "`dbt build` of the same models, raw landed before", ("ndjson",), _dbt, parses="dbt"),
        Contender("pandas", "pandas", ("ndjson",), partial(_script, other, "pandas_way"), 3_000, problem),
        Contender("polars", "polars", ("ndjson",), partial(_script, other, "polars_way"), 700, problem),
        Contender("dlt", "dlt, then the `COPY`", ("array",), partial(_script, other, "dlt_way"), 2_000, problem),
    )


def _elt(run_type: RunType, stage: Stage, day: Day, execution_date: str) -> Command:
    environment = {**stage.environment, "ELT_PROJECT_DIR": str(day.project), "SHOP_API_URL": day.source}
    return Command((*ELT, "run", execution_date, "--run-type", run_type, "--json"), environment, GATED)


def _script(python: str, module: str, stage: Stage, day: Day, execution_date: str) -> Command:
    access = stage.access
    job = {
        "source": day.source,
        "form": day.form,
        "date": execution_date,
        "repository": UNGATED,
        "lake": access.endpoint,
        "access_key": access.access_key.get_secret_value(),
        "secret_key": access.secret_key.get_secret_value(),
        "memory": MEMORY,
        "httpfs": str(httpfs_extension()),
        "folder": str(stage.job_folder()),
    }
    environment = {
        **stage.environment,
        **{f"BENCH_{name.upper()}": value for name, value in job.items()},
        "PYTHONPATH": str(PROJECT_DIR),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }
    return Command((python, "-m", f"benchmarks.contenders.{module}"), environment, UNGATED)


def _dbt(stage: Stage, day: Day, execution_date: str) -> Command:
    """Land raw as the pipeline does, and return the build that a user would start in a shell."""
    lake, branch = stage.gated, f"dbt-{execution_date}"
    lake.create_branch(branch, lake.head(MAIN))
    raw = {table: keys.raw_page("shop", table, execution_date, 1) for table in ("events", "products")}
    for table, key in raw.items():
        lake.put(branch, key, day.folder / table, keys.RAW_CONTENT_TYPE)
    commit = lake.commit(branch, "raw", {})
    run = RunFile(
        execution_date,
        lake_root=f"s3://{lake.repository}/{branch}",
        raw_root=f"s3://{lake.repository}/{commit}",
        raw={f"shop.{table}": [key] for table, key in raw.items()},
    )
    # The same files for each run, so that dbt keeps what it has parsed.
    work = stage.folder / f"dbt-{day.form}"
    work.mkdir(exist_ok=True)
    run_file = work / "run.json"
    run_file.write_text(json.dumps(asdict(run)))
    engine = Engine(stage.folder / "state" / "duckdb", MEMORY)
    environment = {
        **stage.environment,
        **dbt_environment(engine, gateway_of(lake), run_file),
        MACROS_VARIABLE: str(macro_path()),
    }
    arguments = Project(day.project, TARGET, work).arguments("build", "--selector", "date")
    return Command((str(Path(sys.executable).with_name("dbt")), *arguments), environment, lake.repository, branch)
