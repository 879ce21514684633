"""`elt verify` on a real lakeFS: a date is rebuilt from its raw, and compared with what `main` has."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.events_api import Options, create_app, serving
from orchestration.cli.app import app
from orchestration.context import MartsRun, code_version
from orchestration.errors import Cancelled, LakeUnreachable, UsageError
from orchestration.lake import keys
from orchestration.lake.catalog import published_dates
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.marts import run_marts
from orchestration.operations.verify import Verified, verify_dates, verify_marts
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR, Settings
from tests.helpers.projects import MACROS, copy_project, request_for, settings_of
from tests.helpers.tables import edit_yaml

DATES = ("2025-05-20", "2025-05-21")
PRICE_RULE = f"{MACROS}/rows/to_double.sql"


@dataclass(frozen=True)
class Published:
    """A lake with two dates and the marts, and the project that published them."""

    lake: Lake
    project: Path

    def copy(self, folder: Path) -> Path:
        """Returns a copy of the project, with the git commit that published the dates."""
        subprocess.run(["git", "clone", "--quiet", self.project, folder], check=True)
        return folder

    def settings(self, project: Path | None = None) -> Settings:
        with pytest.MonkeyPatch.context() as monkeypatch:
            return settings_of(monkeypatch, project or self.project)

    def verify(self, *dates: str, project: Path | None = None) -> list[Verified]:
        with pytest.MonkeyPatch.context() as monkeypatch:
            settings = settings_of(monkeypatch, project or self.project)
            return list(verify_dates(self.lake, settings, dates, SILENT))


@pytest.fixture(scope="module")
def published(open_repository: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory) -> Published:
    lake = open_repository("verify")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    project = copy_project(tmp_path_factory.mktemp("project"))
    _commit(project)
    origin = {"code_version": code_version(project)}
    with serving(create_app(Options(rows=300))) as url, pytest.MonkeyPatch.context() as monkeypatch:
        settings = settings_of(monkeypatch, project, SHOP_API_URL=url)
        for date in DATES:
            run_date(request_for(lake, settings, date, origin=origin))
        run_marts(MartsRun(lake=lake, settings=settings, log=SILENT, origin=origin))
    return Published(lake, project)


def _commit(project: Path) -> None:
    (project / ".gitignore").write_text(".elt\n")
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message", "Publish")):
        subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *command], cwd=project, check=True)


@pytest.fixture(autouse=True)
def _nothing_is_left(published: Published) -> Iterator[None]:
    """Checks after each test that `main` is untouched, and that the branches of the rebuilds are gone."""
    head = published.lake.head(MAIN)
    yield
    assert published.lake.head(MAIN) == head
    assert list(published.lake.branches("verify-")) == []


def test_dates_and_marts_that_the_code_builds_alike_are_identical(published: Published) -> None:
    assert [(one.subject, one.outcome) for one in published.verify(*published_dates(published.lake, MAIN))] == [
        (date, "identical") for date in DATES
    ]
    marts = verify_marts(published.lake, published.settings(), SILENT)
    assert marts is not None
    assert (marts.outcome, marts.differences, marts.reasons) == ("identical", (), ())


def test_a_changed_price_rule_names_the_table_its_models_and_the_file(published: Published, tmp_path: Path) -> None:
    project = published.copy(tmp_path / "project")
    rule = project / PRICE_RULE
    rule.write_text(rule.read_text().replace("as double)", "as double) * 100", 1))
    (project / "macros/sales_figures.sql").write_text("{# not used by a date #}")

    (found,) = published.verify(DATES[0], project=project)

    assert found.outcome == "differs"
    assert [difference.table for difference in found.differences] == ["events"]
    (events,) = found.differences
    assert events.models == ("stg_shop__events", "events_checked", "events")
    assert events.published == events.rebuilt
    assert found.reasons == (f"the code changed: {PRICE_RULE}",)


def test_data_that_the_code_would_not_publish_now_differs(published: Published, tmp_path: Path) -> None:
    project = published.copy(tmp_path / "project")
    rule = project / PRICE_RULE
    rule.write_text(rule.read_text().replace("as double)", "as double) - 200000", 1))
    file = project / "models/curated/events.yml"
    edit_yaml(file, _refuse_other_prices)

    (found,) = published.verify(DATES[0], project=project)

    assert found.outcome == "differs"
    assert found.reasons[0] == f"the code changed: {PRICE_RULE}"
    assert found.reasons[1].startswith("the code would not publish it now: events_price_in_range: ")


def _refuse_other_prices(content: dict[str, Any]) -> None:
    price = next(column for column in content["models"][0]["columns"] if column["name"] == "price")
    price["data_tests"][0]["accepted_range"]["config"]["severity"] = "error"


@pytest.mark.parametrize(
    ("part", "value", "reason"),
    [
        ("versions", {"duckdb": "0.1", "dbt-core": "0.1", "dbt-duckdb": "0.1"}, "duckdb was 0.1 and is "),
        ("status", "pass", "neither the code nor a version changed, so the build is not deterministic"),
    ],
)
def test_other_bytes_under_the_same_code_are_explained(
    published: Published, monkeypatch: pytest.MonkeyPatch, part: str, value: object, reason: str
) -> None:
    key = keys.curated("events", DATES[0])
    read = published.lake.read

    def other_receipt(ref: str, name: str) -> bytes | None:
        body = read(ref, name)
        if name != keys.date_receipt(DATES[0]) or body is None:
            return body
        content = json.loads(body)
        content["objects"][key] = "0" * 32
        return json.dumps({**content, part: value}).encode()

    monkeypatch.setattr(published.lake, "read", other_receipt)
    (found,) = published.verify(DATES[0])

    assert [difference.table for difference in found.differences] == ["events"]
    assert any(line.startswith(reason) for line in found.reasons)
    assert not any("the code changed" in line for line in found.reasons)


def test_a_date_that_fails_does_not_stop_the_others(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    read = published.lake.read

    def unreachable(ref: str, name: str) -> bytes | None:
        if name.startswith("raw/") and DATES[0] in name:
            raise LakeUnreachable("the server is gone")
        return read(ref, name)

    monkeypatch.setattr(published.lake, "read", unreachable)
    failed, identical = published.verify(*DATES)

    assert (failed.outcome, failed.reasons) == ("failed", ("the server is gone",))
    assert identical.outcome == "identical"


def test_an_interrupted_rebuild_leaves_no_branch(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        assert list(published.lake.branches(f"verify-{DATES[0]}-"))
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestration.transform.build_models", interrupt)
    with pytest.raises(Cancelled):
        published.verify(*DATES)


def test_the_command_shows_the_differences_and_ends_with_3(
    published: Published, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("orchestration.endpoints.open_lake", lambda settings: published.lake)
    project = published.copy(tmp_path / "project")
    (project / PRICE_RULE).write_text((project / PRICE_RULE).read_text().replace("as double)", "as double) * 100", 1))
    settings_of(monkeypatch, project)

    shown = CliRunner().invoke(app, ["verify", DATES[1]])
    as_json = CliRunner().invoke(app, ["verify", DATES[1], "--json"])

    assert (shown.exit_code, as_json.exit_code) == (3, 3)
    lines = shown.stdout.splitlines()
    assert lines[2].split()[:2] == [DATES[1], "events"]
    assert lines[2].endswith("stg_shop__events, events_checked, events")
    assert lines[-2:] == [f"{DATES[1]} differs: the code changed: {PRICE_RULE}", "1 differs"]
    assert json.loads(as_json.stdout)["verified"][0]["differences"][0]["table"] == "events"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((), "give either dates or --all"),
        ((DATES[0], "--all"), "give either dates or --all"),
        ((DATES[0], "2025-13-01"), "'2025-13-01' is not a date"),
        ((DATES[0], "2025-05-22", "2025-05-23"), "main does not have 2025-05-22, 2025-05-23"),
    ],
)
def test_what_cannot_be_verified_is_refused(
    published: Published, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], problem: str
) -> None:
    monkeypatch.setattr("orchestration.endpoints.open_lake", lambda settings: published.lake)

    refused = CliRunner().invoke(app, ["verify", *arguments])

    assert isinstance(refused.exception, UsageError)
    assert refused.exception.cause == problem
