"""The plan of a run: one manifest, and errors that name the date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestration import plan as plan_module
from orchestration.context import MartsRun
from orchestration.dbt_runner.manifest import load_manifest
from orchestration.errors import PlatformFailed
from orchestration.lake.client import Lake
from orchestration.log import SILENT
from orchestration.marts import run_marts
from orchestration.run import run_date
from orchestration.settings import Settings
from orchestration.steps import UNTOUCHED
from tests.helpers.projects import request_for

MakeSettings = Callable[..., Settings]


def test_a_run_loads_the_manifest_once(
    lake: Lake, settings: MakeSettings, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Any] = []

    def load(*arguments: Any, **options: Any) -> Any:
        loaded.append(load_manifest(*arguments, **options))
        return loaded[-1]

    monkeypatch.setattr(plan_module, "load_manifest", load)
    assert run_date(request_for(lake, settings(), execution_date)).outcome == "published"
    assert len(loaded) == 1


def test_a_manifest_without_what_a_run_needs_is_an_error_of_the_date(
    lake: Lake, settings: MakeSettings, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise PlatformFailed("the manifest is broken")

    monkeypatch.setattr(plan_module, "published_models", broken)
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
