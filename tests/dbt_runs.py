"""`dbt` as an analyst types it, in a project folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.settings import PROJECT_DIR

DBT = Path(sys.executable).with_name("dbt")


@dataclass(frozen=True)
class DbtEnded:
    """How a dbt process ended; `out` is all that it printed."""

    code: int
    out: str


def dbt(
    project: Path, *arguments: str, environment: Mapping[str, str] | None = None, within: Sequence[str] = ()
) -> DbtEnded:
    """Runs dbt, by the command `within`, with no setting but those given and `DBT_PROFILES_DIR`, as README says."""
    home = project / "home"
    home.mkdir(exist_ok=True)
    ended = subprocess.run(
        [*within, DBT, "--no-use-colors", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "DO_NOT_TRACK": "1",
            "PYTHONPATH": str(PROJECT_DIR),
            "DBT_PROFILES_DIR": "profiles",
            **(environment or {}),
        },
        cwd=project,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
        check=False,
    )
    return DbtEnded(ended.returncode, ended.stdout)
