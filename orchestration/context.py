"""Run context: what one run publishes, and with which settings. There is one class for a date and one for the marts."""

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.dbt_runner.manifest import DATE_SELECTOR, MARTS_SELECTOR
from orchestration.lake.client import Lake
from orchestration.log import Log
from orchestration.settings import Settings
from orchestration.source.retry import RunType
from orchestration.steps import UNTOUCHED, Step, step

if TYPE_CHECKING:
    from orchestration.dbt_runner.results import BuildResult
    from orchestration.lake.receipt import Receipt


@dataclass
class RunRecord:
    """What a run did, to be shown at its end, also if it failed. The protocol never reads it.

    Attributes:
        seconds: The seconds of each step, summed over all attempts.
        former: The receipt that `main` had before, if there was one.
        built: What dbt built, whether its tests passed or not.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    former: Receipt | None = None
    built: BuildResult | None = None


@dataclass(frozen=True, kw_only=True)
class RunContext(ABC):
    """One run that publishes something.

    Attributes:
        lake: The repository.
        settings: All other settings.
        log: Takes progress lines.
        force: Build again although neither the input nor the code changed.
        task_runs: Show each dbt node as a task run of the current Prefect flow run.
        origin: Commit metadata about the origin of the run: flow run id and link, code version.
        record: Takes what the run did.
    """

    lake: Lake
    settings: Settings
    log: Log
    force: bool = False
    task_runs: bool = False
    origin: Mapping[str, str] = field(default_factory=dict)
    record: RunRecord = field(default_factory=RunRecord)

    @property
    @abstractmethod
    def subject(self) -> str:
        """Return what is published, as messages name it."""

    @property
    @abstractmethod
    def command(self) -> str:
        """Return the command that repeats the run."""

    @property
    @abstractmethod
    def selector(self) -> str:
        """Return the dbt selector of what the run builds."""

    def metadata(self, **further: str) -> dict[str, str]:
        """Return the metadata of a commit of this run. Times, ids and links belong there, and never in an object."""
        return {**self.origin, **{name: value for name, value in further.items() if value}}

    def step(self, name: str, *, main: str = UNTOUCHED, branch: str = "") -> AbstractContextManager[Step]:
        """Return the context manager of a step of this run: see `steps.step`."""
        return step(name, self.subject, self.command, self.log, self.record.seconds, main=main, branch=branch)


@dataclass(frozen=True, kw_only=True)
class DateRun(RunContext):
    """One run of a date.

    Attributes:
        execution_date: The date, YYYY-MM-DD.
        run_type: How much Prefect shows of the run, and how often it retries requests to the source. It never changes
            what is published.
        sources: The dbt sources to fetch, if not all: the raw of the others is taken from `main`, if it has the date.
        from_raw: Fetch nothing: rebuild the date from the raw that has landed last.
    """

    execution_date: str
    run_type: RunType = "daily"
    sources: tuple[str, ...] | None = None
    from_raw: bool = False

    @property
    def subject(self) -> str:
        """Return the date."""
        return self.execution_date

    @property
    def command(self) -> str:
        """Return `elt run` with the date, or the backfill of only this date from its raw."""
        if self.from_raw:
            return f"elt backfill {self.execution_date} {self.execution_date} --from-raw"
        return f"elt run {self.execution_date}"

    @property
    def selector(self) -> str:
        """Return the selector of a date's models."""
        return DATE_SELECTOR

    def metadata(self, **further: str) -> dict[str, str]:
        """Return the metadata of a commit of this run, with the date and the run type."""
        return {"execution_date": self.execution_date, "run_type": self.run_type, **super().metadata(**further)}


@dataclass(frozen=True, kw_only=True)
class MartsRun(RunContext):
    """One run of the marts."""

    @property
    def subject(self) -> str:
        """Return `marts`."""
        return "marts"

    @property
    def command(self) -> str:
        """Return `elt marts`."""
        return "elt marts"

    @property
    def selector(self) -> str:
        """Return the selector of the marts."""
        return MARTS_SELECTOR


def code_version(project_dir: Path) -> str:
    """Return the project's git commit, with `-dirty` if files differ from it; `unknown` outside a checkout.

    The container image has no git repository: there, ELT_CODE_VERSION is the commit (see `EltSettings.code_version`).
    """
    command = ["git", "-C", str(project_dir), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
