"""What one run of a date is asked to do, and with what."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from orchestration.lake import Lake
from orchestration.progress import Report
from orchestration.settings import Settings

LINK = "::lakefs::Prefect::url[url:ui]"
"""The metadata key that lakeFS's pages show as a link to the flow run."""

RunType = Literal["daily", "backfill"]


@dataclass(frozen=True)
class Request:
    """One run of a date.

    Attributes:
        execution_date: The date.
        lake: The repository.
        settings: All else that is set.
        report: Takes progress, a line at a time.
        run_type: How much is shown in Prefect; never what is published.
        force: Build again although raw and code are those of the receipt.
        task_runs: Show each dbt node as a task run of the Prefect flow run we are in.
        origin: Commit metadata that says who ran: run id and link, code version.
    """

    execution_date: str
    lake: Lake
    settings: Settings
    report: Report
    run_type: RunType = "daily"
    force: bool = False
    task_runs: bool = False
    origin: Mapping[str, str] = field(default_factory=dict)

    def metadata(self, **further: str) -> dict[str, str]:
        """Metadata of a commit of this run: clocks, ids and links belong there, never into an object."""
        return {
            "execution_date": self.execution_date,
            "run_type": self.run_type,
            **self.origin,
            **{name: value for name, value in further.items() if value},
        }


def code_version(project_dir: Path) -> str:
    """The git commit of the project, with `-dirty` where files differ from it; `unknown` outside a checkout."""
    command = ["git", "-C", str(project_dir), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
