"""Run `dbt` as an analyst does, in a project folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from orchestration.settings import PROJECT_DIR
from tests.helpers.warm import Forked

DBT = Path(sys.executable).with_name("dbt")
_LIMIT = 300.0


@dataclass(frozen=True)
class DbtEnded:
    """The end of a dbt process; `out` is everything that it printed."""

    code: int
    out: str


def dbt(
    project: Path, *arguments: str, environment: Mapping[str, str] | None = None, within: Sequence[str] = ()
) -> DbtEnded:
    """Run dbt in a process of its own, with no setting but those given and `DBT_PROFILES_DIR`, as README says.

    Args:
        project: The working folder.
        arguments: Its command line.
        environment: More variables.
        within: A command that runs the executable `dbt`; without one, the process is forked with dbt imported.
    """
    home = project / "home"
    home.mkdir(exist_ok=True)
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "DO_NOT_TRACK": "1",
        "PYTHONPATH": str(PROJECT_DIR),
        "DBT_PROFILES_DIR": "profiles",
        **(environment or {}),
    }
    command = ("--no-use-colors", *arguments)
    return _executed(project, command, variables, within) if within else _forked(project, command, variables)


def _executed(
    project: Path, arguments: Sequence[str], environment: Mapping[str, str], within: Sequence[str]
) -> DbtEnded:
    ended = subprocess.run(
        [*within, DBT, *arguments],
        env=dict(environment),
        cwd=project,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_LIMIT,
        check=False,
    )
    return DbtEnded(ended.returncode, ended.stdout)


def _forked(project: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> DbtEnded:
    printed = project / "home" / "printed"
    printed.unlink(missing_ok=True)
    forked = Forked(partial(_run, tuple(arguments)), folder=project, environment=environment, out=printed, err=printed)
    return DbtEnded(forked.wait(_LIMIT), forked.out)


def _run(arguments: tuple[str, ...]) -> None:
    sys.argv = ["dbt", *arguments]
    from dbt.cli.main import cli

    cli()
