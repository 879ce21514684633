"""Build projects with a source, and settings, for several test modules."""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from examples.apis.imitation import DAY
from examples.apis.usgs import api as usgs
from orchestration.context import DateRun
from orchestration.dbt_runner.results import BuildResult, NodeResult
from orchestration.framework import MACROS_VARIABLE
from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.log import SILENT
from orchestration.models.generate import write_models
from orchestration.project import project_name
from orchestration.settings import PROJECT_DIR, Settings, read_settings
from tests.helpers.isolation import PROJECT

NAME = project_name(PROJECT_DIR)
"""The project of this checkout, and of its copies."""

RETAIL = PROJECT_DIR.parent / "shared" / "retail"
needs_retail = pytest.mark.skipif(not RETAIL.exists(), reason="no folder ../shared/retail beside this checkout")

MACROS = "orchestration/dbt/ingest_clean/macros"
"""The framework's macros, in the checkout and in a copy."""

EVENTS = {"path": "/events", "parameters": {"date": "{date}"}, "form": "array"}
PAGED = {
    "form": "envelope",
    "records": "data",
    "paging": {"style": "page", "parameter": "page", "next": "next_page"},
}
PRODUCTS = {"path": "/products", "parameters": {"date": "{date}"}, "form": "array"}


def write_sources(project: Path, tables: dict[str, Any], *, source: str = "shop") -> Path:
    """Write the YAML of one source into a project folder; a value of `tables` is that table's `config.meta`."""
    file = project / "models" / "staging" / source / f"_{source}__sources.yml"
    file.parent.mkdir(parents=True, exist_ok=True)
    described = [
        {"name": name, "config": {"meta": meta}, "columns": [{"name": field} for field in meta.get("key", ())]}
        for name, meta in tables.items()
    ]
    file.write_text(yaml.safe_dump({"sources": [{"name": source, "tables": described}]}))
    return file


def events_only(project: Path, **fetch: Any) -> Path:
    """Write a source with the one table `events`; `fetch` changes its declaration."""
    return write_sources(project, {"events": {"key": ["Event ID"], "fetch": {**EVENTS, **fetch}}})


def name_project(folder: Path, name: str = NAME) -> Path:
    """Give a project folder its name in dbt_project.yml, and return the folder."""
    (folder / "dbt_project.yml").write_text(yaml.safe_dump({"name": name}))
    return folder


def share_manifests(project: Path) -> None:
    """Let a copy of the project use the manifests that this process has parsed, which takes 5 s for each content.

    A saved manifest's name has the digest of everything that it was parsed from, and no path is part of it.
    """
    saved = project / ".elt" / "dbt"
    if (project / "dbt_project.yml").exists() and not saved.exists():
        saved.parent.mkdir(exist_ok=True)
        shared = PROJECT / ".elt" / "dbt"
        shared.mkdir(parents=True, exist_ok=True)
        saved.symlink_to(shared)


def settings_of(monkeypatch: pytest.MonkeyPatch, project: Path, **environment: object) -> Settings:
    """Return the settings of a user of `project` with this environment, and with a short retry wait."""
    share_manifests(project)
    monkeypatch.setenv("ELT_PROJECT_DIR", str(project))
    monkeypatch.setenv(MACROS_VARIABLE, str(project / MACROS) if (project / MACROS).is_dir() else "")
    monkeypatch.setenv("ELT_RETRY_WAIT", "0.05")
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    return read_settings()


def copy_project(folder: Path) -> Path:
    """Copy the dbt project, its raw sample and the framework's macros, so that a test can change them.

    dbt finds the copied macros, and so do commands with `settings_of`.
    """
    copy_dbt_project(PROJECT_DIR, folder)
    shutil.copytree(PROJECT_DIR / "examples/raw_sample", folder / "examples/raw_sample")
    return folder


def copy_dbt_project(project: Path, folder: Path) -> None:
    """Copy what dbt parses of a project, without the raw sample."""
    ignored = shutil.ignore_patterns("__pycache__", "*.py")
    for name in ("models", "macros", MACROS, "profiles", "tests/data"):
        shutil.copytree(project / name, folder / name, ignore=ignored)
    for name in ("dbt_project.yml", "selectors.yml"):
        shutil.copy(project / name, folder / name)


def quakes_project(folder: Path) -> Path:
    """Return this project without any file of the shop: with one public API, what `elt models` writes, and no marts.

    It has no selector, no settings and no exposure of marts either. The raw sample is the day of the imitation.
    """
    project = copy_project(folder)
    for part in ("staging", "intermediate", "curated", "marts"):
        shutil.rmtree(project / "models" / part)
    for file in ("exposures.yml", "overview.md"):
        (project / "models" / file).unlink()
    shutil.rmtree(project / "macros")
    declared = project / "models" / "staging" / "usgs" / "_usgs__sources.yml"
    declared.parent.mkdir(parents=True)
    shutil.copy(PROJECT_DIR / "examples" / "apis" / "usgs" / "sources.yml", declared)
    drop_marts_selector(project)
    described = yaml.safe_load((project / "dbt_project.yml").read_text())
    del described["models"][described["name"]]["marts"]
    (project / "dbt_project.yml").write_text(yaml.safe_dump(described, sort_keys=False))
    shutil.rmtree(project / "examples" / "raw_sample" / "raw" / "shop")
    page = project / "examples" / "raw_sample" / keys.raw_page("usgs", "earthquakes", DAY, 1)
    page.parent.mkdir(parents=True)
    page.write_text(json.dumps({"features": usgs.RECORDS}))
    shutil.copy(PROJECT_DIR / "prefect.yaml", project / "prefect.yaml")
    write_models(project)
    return project


def drop_marts_selector(project: Path) -> None:
    """Remove the selector `marts` from a project."""
    file = project / "selectors.yml"
    described = yaml.safe_load(file.read_text())
    described["selectors"] = [one for one in described["selectors"] if one["name"] != "marts"]
    file.write_text(yaml.safe_dump(described, sort_keys=False))


@cache
def type_named(name: str | None) -> str:
    """Return DuckDB's own name of a type: `timestamptz` is `TIMESTAMP WITH TIME ZONE`."""
    with duckdb.connect() as connection:
        (row,) = connection.execute(f"select typeof(cast(null as {name}))").fetchall()
    return str(row[0])


def fetched_in_pages(project: Path, source: str = "shop") -> Path:
    """Declare the source's tables as envelopes with pages by number."""
    file = project / "models" / "staging" / source / f"_{source}__sources.yml"
    described = yaml.safe_load(file.read_text())
    for table in described["sources"][0]["tables"]:
        table["config"]["meta"]["fetch"] |= PAGED
    file.write_text(yaml.safe_dump(described, sort_keys=False))
    return project


def built(*nodes: NodeResult, **values: Any) -> BuildResult:
    """Return the result of a build of these nodes."""
    defaults: dict[str, Any] = {
        "failed_tests": (),
        "accounting": {},
        "rows": {},
        "versions": {},
        "raw_root": "s3://project/abc",
    }
    return BuildResult(nodes=nodes, **(defaults | values))


def request_for(lake: Lake, settings: Settings, execution_date: str, **further: Any) -> DateRun:
    """Return the run context of a date, without progress lines."""
    return DateRun(
        execution_date=execution_date, lake=lake, settings=settings, log=further.pop("log", SILENT), **further
    )


def keys_of(lake: Lake, ref: str, execution_date: str) -> dict[str, str]:
    """Return the checksums of a date's objects at a ref by key, including the receipt."""
    return {found.key: found.checksum for found in lake.objects(ref) if f"date={execution_date}" in found.key}
