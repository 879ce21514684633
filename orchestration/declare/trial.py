"""Build a table's models on raw pages in local folders, as a run does, without lakeFS."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestration.dbt_runner.build import Engine, build, environment
from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.manifest import DATE_SELECTOR, load_manifest
from orchestration.dbt_runner.results import BuildResult
from orchestration.dbt_runner.session import Project
from orchestration.models.sql import model_names
from orchestration.settings import Settings
from orchestration.source.config import Table
from orchestration.workdir import translate_disk_errors

_FOLDERS = ("models", "macros", "profiles", "tests/data")
_FILES = ("dbt_project.yml", "selectors.yml")
_TARGET = "run"


def copy_project(project_dir: Path, folder: Path) -> Path:
    """Copy what dbt needs of the project, without its unit tests, so that a table can be tried in the copy."""
    with translate_disk_errors(folder):
        for name in _FOLDERS:
            if not (project_dir / name).is_dir():
                continue
            ignored = shutil.ignore_patterns("*_unit_tests.yml")
            shutil.copytree(project_dir / name, folder / name, ignore=ignored)
        for name in _FILES:
            shutil.copy(project_dir / name, folder / name)
    return folder


def build_tables(
    settings: Settings,
    project_dir: Path,
    tables: Sequence[Table],
    pages: Mapping[str, Sequence[str]],
    raw_root: Path,
    date: str,
    folder: Path,
) -> BuildResult:
    """Build and test the models of some tables, and return the results. Failed data raises no error.

    Args:
        settings: The settings, for the engine.
        project_dir: The project, or a copy of it.
        tables: The tables.
        pages: The keys of their pages, by `source.table`.
        raw_root: The folder of the pages.
        date: The date.
        folder: A folder for dbt's files and for what is built.

    Raises:
        UsageError: The project does not parse.
        PlatformFailed: dbt itself failed.
    """
    elt = settings.elt
    engine = Engine(settings.state_dir / "duckdb", elt.duckdb_memory, elt.duckdb_threads)
    project = Project(project_dir, _TARGET, folder / "dbt")
    state = settings.state_dir if project_dir == settings.project_dir else folder
    manifest = load_manifest(project, state_dir=state, environment=environment(engine))
    names = [name for table in tables for name in model_names(table, project_dir)]
    run = RunFile(date, str(folder / "lake"), str(raw_root), pages)
    return build(run, manifest, project, selector=DATE_SELECTOR, engine=engine, only=names)
