"""`elt show`, `log`, `sql --at`, `audit` and `rollback` as commands: their output, exit codes, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.events_api import Options, accounting, create_app, serving
from orchestration.cli.app import app
from orchestration.errors import UsageError
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR
from tests.helpers.projects import copy_project, request_for, settings_of

DATE = "2025-05-20"
Elt = Callable[..., Any]


@pytest.fixture(scope="module")
def lake(open_repository: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A repository with a date of two versions."""
    lake = open_repository("commands")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    project = copy_project(tmp_path_factory.mktemp("project"))
    for rows in (200, 300):
        with serving(create_app(Options(rows=rows))) as url, pytest.MonkeyPatch.context() as monkeypatch:
            run_date(request_for(lake, settings_of(monkeypatch, project, SHOP_API_URL=url), DATE))
    return lake


@pytest.fixture
def elt(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Elt:
    """Runs a command in this process; an error of the project is raised."""
    # A command leaves its connections to the end of its process.
    monkeypatch.setattr("orchestration.endpoints.open_lake", lambda settings: lake)

    def run(*arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, arguments)
        if isinstance(result.exception, Exception):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    return run


def test_show_lists_the_versions_of_a_date(elt: Elt) -> None:
    lines = elt("show", DATE).splitlines()
    found = json.loads(elt("show", DATE, "--json"))

    assert [line.split()[3] for line in lines[2:]] == ["superseded", "published"]
    assert found["date"] == DATE
    assert [version["rows"]["events"] for version in found["versions"]] == [
        accounting(300).curated,
        accounting(200).curated,
    ]


def test_log_filters_by_date_and_time(elt: Elt) -> None:
    assert len(elt("log", "--date", DATE).splitlines()) == 4
    assert elt("log", "--date", "2025-05-21") == "no publication is like that\n"
    assert elt("log", "--since", "2999-01-01") == "no publication is like that\n"


def test_sql_reads_an_earlier_commit(elt: Elt) -> None:
    former = json.loads(elt("show", DATE, "--json"))["versions"][1]["commit"]

    assert json.loads(elt("sql", "select count(*) from events", "--at", former, "--json"))["rows"] == [
        [accounting(200).curated]
    ]


def test_audit_of_a_sound_lake_ends_with_0(elt: Elt) -> None:
    assert elt("audit", "--deep").endswith(": nothing is wrong\n")
    assert json.loads(elt("audit", "--json"))["findings"] == []


def test_a_rollback_is_shown_first_and_done_with_yes(elt: Elt, lake: Lake) -> None:
    head = lake.head(MAIN)

    shown = elt("rollback", "--date", DATE)
    assert shown.endswith("nothing is changed; do it with --reason TEXT --yes\n")
    assert lake.head(MAIN) == head
    done = json.loads(elt("rollback", "--date", DATE, "--reason", "too many rows", "--yes", "--json"))

    assert lake.head(MAIN) == done["commit"]
    assert "too many rows" in elt("show", DATE).splitlines()[2]
    assert elt("log", "--limit", "1").splitlines()[2].startswith(f"{DATE}  rolled back")
    assert "back to" in elt("rollback", "--to", head)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("rollback",), "give either --to or --date"),
        (("rollback", "--to", "main", "--date", DATE), "give either --to or --date"),
        (("rollback", "--date", DATE, "--yes"), "a rollback needs a reason"),
        (("rollback", "--date", DATE, "--yes", "--reason", " "), "a rollback needs a reason"),
        (("rollback", "--date", "2025-13-01"), "'2025-13-01' is not a date"),
        (("rollback", "--to", "no-such-tag"), "there is no commit or tag no-such-tag"),
        (("show", "2025-05-21"), "2025-05-21 was never published"),
        (("show", "yesterday"), "'yesterday' is not a date"),
        (("log", "--since", "yesterday"), "'yesterday' is not a time"),
        (("sql", "select 1", "--at", "no-such-tag"), "there is no commit or tag no-such-tag"),
    ],
)
def test_a_wrong_argument_is_refused_and_changes_nothing(
    elt: Elt, lake: Lake, arguments: tuple[str, ...], problem: str
) -> None:
    head = lake.head(MAIN)

    with pytest.raises(UsageError) as error:
        elt(*arguments)

    assert problem in error.value.cause
    assert error.value.remedy
    assert lake.head(MAIN) == head


def test_findings_end_with_5_and_name_the_remedy(elt: Elt, lake: Lake) -> None:
    lake.create_branch("past", lake.head(MAIN))
    lake.delete("past", [keys.GATE, keys.curated("events", DATE)])
    lake.merge(lake.commit("past", "past the gate", {}), "past the gate", {})

    shown = elt("audit", code=5)
    found = json.loads(elt("audit", "--json", code=5))

    assert f"elt run {DATE} --force" in shown
    assert shown.splitlines()[-1].endswith(": 3 findings")
    assert {one["subject"] for one in found["findings"]} == {
        keys.GATE,
        keys.curated("events", DATE),
        lake.head(MAIN),
    }
