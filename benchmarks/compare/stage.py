"""One lakeFS, one Prefect server and one source, shared by all contenders, and the check of what they published."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path

from benchmarks.contenders.job import FIELDS, column
from benchmarks.day import DAY, fetched_as, serving, write_day
from examples.events_api.forms import MEDIA_TYPES
from examples.events_api.options import Form
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import Lake
from orchestration.lake.connection import LakeConnection
from orchestration.lake.s3 import open_duckdb
from orchestration.lake.setup import ensure_repository, init_lake
from orchestration.log import SILENT
from orchestration.servers import prefect
from orchestration.settings import PROJECT_DIR
from tests.helpers.isolation import PERSONAL
from tests.helpers.own_lake import own_lake, own_server
from tests.helpers.projects import copy_project

GATED, UNGATED = "pipeline", "scripts"
"""The repositories of the pipeline and of the scripts, whose merges the pipeline's gate would refuse."""

MEMORY_MB = 2_000
MEMORY = f"{MEMORY_MB}MB"
"""DuckDB's memory limit, for every contender that uses it."""


@dataclass(frozen=True)
class Published:
    """The events that a contender published: their number, and a digest of their values in any order."""

    rows: int
    digest: str


@dataclass(frozen=True)
class Day:
    """A day that the source serves.

    Attributes:
        rows: Its events as sent.
        form: How they are sent.
        size: The bytes of their body.
        project: The pipeline's project that fetches this form.
        source: The address of the source.
        folder: The folder of the bodies.
    """

    rows: int
    form: Form
    size: int
    project: Path
    source: str
    folder: Path


@dataclass(frozen=True)
class Stage:
    """The servers of one benchmark.

    Attributes:
        folder: A folder of the benchmark's own, removed with the servers.
        access: The address and keys of lakeFS.
        gated: The pipeline's repository.
        ungated: The scripts' repository.
        environment: The environment of a contender: this process's, without settings of the user.
    """

    folder: Path
    access: LakeAccess
    gated: Lake
    ungated: Lake
    environment: dict[str, str]
    _numbers: Iterator[int] = field(default_factory=count)

    def next_date(self) -> str:
        """Return a date that no contender has published."""
        return str(DAY + timedelta(days=next(self._numbers)))

    def job_folder(self) -> Path:
        """Return an empty folder for the next job. What the former one left in it is removed."""
        folder = self.folder / "job"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def project(self, form: Form) -> Path:
        """Return a project of the pipeline that fetches a form."""
        project = self.folder / f"project-{form}"
        if not project.exists():
            project.mkdir()
            fetched_as(form, copy_project(project))
        return project

    @contextmanager
    def day(self, rows: int, form: Form) -> Iterator[Day]:
        """Generate a day and serve it for any date."""
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            folder = Path(name)
            size = write_day(rows, form, folder)
            with serving(folder, MEDIA_TYPES[form]) as source:
                yield Day(rows, form, size, self.project(form), source, folder)

    def published(self, repository: str, ref: str, execution_date: str) -> Published:
        """Read what was published for a date."""
        lake = self.gated if repository == GATED else self.ungated
        key = keys.curated("events", execution_date)
        values = ", ".join(
            f"cast({name} as {_TYPES.get(name, 'varchar')})" for name in (column(field) for field in FIELDS)
        )
        with open_duckdb(lake, ref) as connection:
            found = connection.execute(
                f"select count(*), coalesce(sum(hash({values})), 0) from read_parquet('s3://{repository}/{ref}/{key}')"
            ).fetchone()
        assert found
        return Published(int(found[0]), f"{int(found[1]):x}")


_TYPES = {"timestamp": "timestamptz", "quantity": "bigint", "price": "double"}


def without_settings(environment: dict[str, str]) -> dict[str, str]:
    """Return an environment without the user's own settings of the pipeline, lakeFS, Prefect and dbt."""
    return {name: value for name, value in environment.items() if not name.startswith(PERSONAL)}


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Start the servers with their state in a temporary folder, and stop them afterwards."""
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="ingest-clean-bench-")))
        state = folder / "state"
        access = closing.enter_context(own_lake(state)).access
        server = own_server(prefect.SPEC, state)
        closing.callback(server.stop, SILENT)
        server.start(SILENT)
        server.wait(SILENT)
        lakes = []
        for repository in (GATED, UNGATED):
            lake = Lake(LakeConnection(access, timeout=60), repository)
            closing.callback(lake.connection.close)
            lakes.append(lake)
        gated, ungated = lakes
        init_lake(gated, "lakefs", PROJECT_DIR, SILENT)
        ensure_repository(ungated, "lakefs", SILENT)
        environment = {
            **without_settings(dict(os.environ)),
            "PREFECT_HOME": str(folder / "prefect"),
            "ELT_STATE_DIR": str(state),
            "ELT_REPOSITORY": GATED,
            "ELT_DUCKDB_MEMORY": MEMORY,
            # As many as DuckDB takes in the scripts.
            "ELT_DUCKDB_THREADS": str(os.cpu_count() or 1),
        }
        yield Stage(folder, access, gated, ungated, environment)
