"""The plan of a run: one manifest, loaded beside the fetch, and errors that name the date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from orchestration import plan as plan_module
from orchestration.context import MartsRun
from orchestration.dbt_runner import parsed
from orchestration.dbt_runner.build import Engine, environment
from orchestration.dbt_runner.manifest import load_manifest, read_manifest
from orchestration.dbt_runner.session import Project
from orchestration.errors import PlatformFailed
from orchestration.extract import Extracted, extract
from orchestration.lake.client import MAIN, Lake
from orchestration.log import SILENT
from orchestration.marts import run_marts
from orchestration.plan import TARGET
from orchestration.run import PLAIN_STEPS, run_date
from orchestration.settings import Settings
from orchestration.steps import UNTOUCHED
from tests.helpers.projects import request_for

MakeSettings = Callable[..., Settings]


def loads_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that names, from now on, each way a manifest is read or parsed."""
    loaded: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def load(*arguments: Any, **options: Any) -> Any:
            loaded.append(name)
            return function(*arguments, **options)

        return load

    monkeypatch.setattr(parsed, "load_manifest", counted("parsed", load_manifest))
    monkeypatch.setattr(parsed, "read_manifest", counted("read", read_manifest))
    return loaded


@pytest.mark.usefixtures("own_state")
def test_a_run_loads_the_manifest_once(
    lake: Lake, settings: MakeSettings, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = loads_of(monkeypatch)
    assert run_date(request_for(lake, settings(), execution_date)).outcome == "published"
    assert loaded == ["parsed"]

    assert run_date(request_for(lake, settings(), execution_date, force=True)).outcome == "unchanged"
    assert loaded == ["parsed", "read"]


def test_dbt_is_loaded_while_the_source_is_asked(
    lake: Lake, settings: MakeSettings, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_date(request_for(lake, settings(), execution_date))
    begun, fetched = Event(), Event()

    def read(saved: Path) -> Any:
        begun.set()
        assert fetched.wait(60), "the fetch waited for the manifest"
        return read_manifest(saved)

    def fetch(*arguments: Any) -> Extracted:
        assert begun.wait(60), "the manifest is not loaded beside the fetch"
        extracted = extract(*arguments)
        fetched.set()
        return extracted

    monkeypatch.setattr(parsed, "read_manifest", read)
    steps = replace(PLAIN_STEPS, extract=fetch)
    assert run_date(request_for(lake, settings(), execution_date, force=True), steps).outcome == "unchanged"


def test_a_manifest_that_is_removed_during_the_run_ends_it(
    lake: Lake, settings: MakeSettings, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_date(request_for(lake, settings(), execution_date))
    before = lake.head(MAIN)

    def removed(saved: Path) -> Any:
        raise FileNotFoundError(saved)

    monkeypatch.setattr(parsed, "read_manifest", removed)
    with pytest.raises(PlatformFailed, match="removed during the run") as failed:
        run_date(request_for(lake, settings(), execution_date, force=True))
    assert (failed.value.step, failed.value.main) == ("transform", UNTOUCHED)
    assert lake.head(MAIN) == before


@pytest.mark.usefixtures("own_state")
def test_a_damaged_summary_of_the_project_is_written_again(settings: MakeSettings) -> None:
    used = settings()
    project = Project(used.project_dir, TARGET, used.state_dir / "parse")
    engine = environment(Engine(used.state_dir / "duckdb"))
    planned = parsed.parsed_project(project, state_dir=used.state_dir, environment=engine).selected
    (summary,) = (used.state_dir / "dbt").glob("manifest-*.json")
    written = summary.read_text(encoding="utf-8")

    for damage in ("", "{", "[]", '{"date": {}}'):
        summary.write_text(damage, encoding="utf-8")
        assert parsed.parsed_project(project, state_dir=used.state_dir, environment=engine).selected == planned
        assert summary.read_text(encoding="utf-8") == written, damage


def test_a_manifest_without_what_a_run_needs_is_an_error_of_the_date(
    lake: Lake, settings: MakeSettings, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise PlatformFailed("the manifest is broken")

    monkeypatch.setattr(plan_module, "parsed_project", broken)
    with pytest.raises(PlatformFailed) as failed:
        run_date(request_for(lake, settings(), execution_date))
    error = failed.value
    assert (error.subject, error.step, error.main, error.branch) == (execution_date, "plan", UNTOUCHED, "")
    assert error.command == f"elt run {execution_date}"

    with pytest.raises(PlatformFailed) as failed:
        run_marts(MartsRun(lake=lake, settings=settings(), log=SILENT))
    error = failed.value
    assert (error.subject, error.step, error.branch) == ("marts", "plan", "")
    assert list(lake.branches("etl-marts-")) == []
