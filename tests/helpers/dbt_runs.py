"""Run `dbt` as an analyst does, in a project folder."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path

from orchestration.settings import PROJECT_DIR

DBT = Path(sys.executable).with_name("dbt")
# Importing these takes as long as a build: a process forked from one that has them starts at once.
_WARM = ("dbt.cli.main", "dbt.adapters.duckdb.impl", "orchestration.dbt_runner.plugin", "lakefs_sdk")
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


@cache
def _warm() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_WARM))
    return context


def _forked(project: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> DbtEnded:
    printed = project / "home" / "printed"
    process = _warm().Process(target=_run, args=(project, tuple(arguments), dict(environment), printed))
    process.start()
    process.join(_LIMIT)
    if process.exitcode is None:
        process.kill()
        raise TimeoutError(f"dbt {' '.join(arguments)} took more than {_LIMIT:.0f} s")
    return DbtEnded(process.exitcode, printed.read_text(encoding="utf-8", errors="replace"))


def _run(project: Path, arguments: tuple[str, ...], environment: Mapping[str, str], printed: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(project)
    out = os.open(printed, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(out, stream)
    sys.argv = ["dbt", *arguments]
    from dbt.cli.main import cli

    cli()
