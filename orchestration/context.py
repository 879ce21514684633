"""What one run is asked to do, and with what: a date's, or the marts'."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orchestration.dbt_runner.build import Engine, environment
from orchestration.dbt_runner.manifest import load_manifest
from orchestration.dbt_runner.session import Project
from orchestration.lake.client import Lake
from orchestration.lake.s3 import gateway_of
from orchestration.progress import Report
from orchestration.settings import Settings
from orchestration.steps import UNTOUCHED, step

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

    from orchestration.dbt_runner.results import BuildResult

TARGET = "run"
"""dbt's target of all runs."""

LINK = "::lakefs::Prefect::url[url:ui]"
"""The metadata key that lakeFS's pages show as a link to the flow run."""

RunType = Literal["daily", "backfill"]


@dataclass(frozen=True, kw_only=True)
class Request(ABC):
    """One run that publishes something.

    Attributes:
        lake: The repository.
        settings: All else that is set.
        report: Takes progress, a line at a time.
        force: Build again although neither what is read nor the code changed.
        task_runs: Show each dbt node as a task run of the Prefect flow run we are in.
        origin: Commit metadata that says who ran: run id and link, code version.
        keep: Takes what dbt built, before it is judged.
    """

    lake: Lake
    settings: Settings
    report: Report
    force: bool = False
    task_runs: bool = False
    origin: Mapping[str, str] = field(default_factory=dict)
    keep: Callable[[BuildResult], None] = lambda built: None

    @cached_property
    def manifest(self) -> Manifest:
        """The parsed dbt project, loaded once: the run builds what it has decided about."""
        folder = self.settings.state_dir / "dbt"
        return load_manifest(
            Project(self.settings.project_dir, TARGET, folder / "parse"),
            state_dir=self.settings.state_dir,
            environment=environment(self.engine, gateway_of(self.lake)),
            report=self.report,
        )

    @property
    def engine(self) -> Engine:
        """What DuckDB may use."""
        elt = self.settings.elt
        return Engine(self.settings.state_dir / "duckdb", elt.duckdb_memory, elt.duckdb_threads)

    @property
    @abstractmethod
    def subject(self) -> str:
        """What is published, as messages name it."""

    @property
    @abstractmethod
    def command(self) -> str:
        """What to type to run it again."""

    def metadata(self, **further: str) -> dict[str, str]:
        """Metadata of a commit of this run: clocks, ids and links belong there, never into an object."""
        return {**self.origin, **{name: value for name, value in further.items() if value}}

    def step(self, name: str, *, main: str = UNTOUCHED, branch: str = "") -> AbstractContextManager[None]:
        """A step of this run's protocol: see `steps.step`."""
        return step(name, self.subject, self.command, self.report, main=main, branch=branch)


@dataclass(frozen=True, kw_only=True)
class DateRequest(Request):
    """One run of a date.

    Attributes:
        execution_date: The date.
        run_type: How much is shown in Prefect, and how patient the source is asked; never what is published.
    """

    execution_date: str
    run_type: RunType = "daily"

    @property
    def subject(self) -> str:
        """The date."""
        return self.execution_date

    @property
    def command(self) -> str:
        """`elt run` with the date."""
        return f"elt run {self.execution_date}"

    def metadata(self, **further: str) -> dict[str, str]:
        """The same, with the date and the run type."""
        return {"execution_date": self.execution_date, "run_type": self.run_type, **super().metadata(**further)}


@dataclass(frozen=True, kw_only=True)
class MartsRequest(Request):
    """One run of the marts."""

    @property
    def subject(self) -> str:
        """`marts`."""
        return "marts"

    @property
    def command(self) -> str:
        """`elt marts`."""
        return "elt marts"


def code_version(project_dir: Path) -> str:
    """The git commit of the project, with `-dirty` where files differ from it; `unknown` outside a checkout."""
    command = ["git", "-C", str(project_dir), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
