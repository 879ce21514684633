"""The command line as a user sees it: real processes, their output and their exit codes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.cli.app import app
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import Lake
from orchestration.settings import PROJECT_DIR
from tests.helpers.isolation import PROJECT
from tests.helpers.own_lake import variables_of

Elt = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def elt(tmp_path: Path) -> Elt:
    """Runs `elt` with its own state folder and the given environment."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "orchestration", *arguments],
            env={**os.environ, "ELT_STATE_DIR": str(tmp_path / "elt"), **environment},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            cwd=tmp_path,
        )

    return run


@pytest.fixture
def lake_environment(lake: Lake, access: LakeAccess) -> dict[str, str]:
    return {
        "ELT_REPOSITORY": "project",
        **variables_of(access),
        "ELT_RETRY_WAIT": "0.05",
    }


def test_every_command_has_help_and_is_in_the_readme(elt: Elt) -> None:
    readme = (PROJECT_DIR / "README.md").read_text()
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    helped = elt("--help").stdout

    assert names
    for name in names:
        assert f"\n  {name} " in helped
        assert f"elt {name}" in readme


@pytest.mark.parametrize("group", [(), ("sandbox",), ("secrets",), ("source",)], ids=" ".join)
def test_help_shows_the_whole_line_of_each_command_at_80_columns(elt: Elt, group: tuple[str, ...]) -> None:
    helped = elt(*group, "--help", COLUMNS="80").stdout

    assert "Commands:" in helped
    assert "..." not in helped.partition("Commands:")[2]


def test_models_are_written_and_checked(elt: Elt, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT_DIR / "models", project / "models")
    shutil.copy(PROJECT_DIR / "dbt_project.yml", project)
    model = project / "models" / "curated" / "events.sql"
    model.write_text(model.read_text() + "-- by hand\n")

    outdated = elt("models", "--check", ELT_PROJECT_DIR=str(project))
    written = elt("models", "--json", ELT_PROJECT_DIR=str(project))
    checked = elt("models", "--check", ELT_PROJECT_DIR=str(project))

    assert (outdated.returncode, outdated.stdout) == (2, "")
    message = "UsageError: out of date with the sources' YAML: models/curated/events.sql: elt models\n"
    assert outdated.stderr == message
    assert (written.returncode, json.loads(written.stdout)) == (0, {"written": ["models/curated/events.sql"]})
    assert (checked.returncode, checked.stdout) == (0, "12 generated files are up to date\n")


def test_help_imports_no_heavy_packages() -> None:
    heavy = {"prefect", "dbt", "lakefs_sdk", "duckdb", "httpx", "pydantic", "tenacity", "psutil"}
    code = (
        "import sys\nfrom orchestration.cli.app import main\nsys.argv = ['elt', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\nprint(sorted(sys.modules), file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT)

    assert "Usage: elt" in done.stdout
    assert heavy.isdisjoint(eval(done.stderr))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", ""], "'' is not a date"),
        (["run", "2010-13-01"], "'2010-13-01' is not a date"),
        (["run", "2999-01-01"], "2999-01-01 is in the future"),
        (["rejects"], "Missing argument 'DATE'"),
        (["run", "2010-12-01", "--no-such-option"], "No such option: --no-such-option"),
        (["no-such-command"], "No such command 'no-such-command'"),
        ([], "Missing command"),
    ],
)
def test_an_invalid_call_is_one_line_and_exit_code_2(elt: Elt, tmp_path: Path, arguments: list[str], says: str) -> None:
    done = elt(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr
    assert not (tmp_path / "elt").exists()


def test_a_wrong_setting_names_its_variable(elt: Elt) -> None:
    done = elt("run", "2010-12-01", ELT_MAX_PAGES="many")

    assert done.returncode == 2
    assert done.stderr.startswith("UsageError: ELT_MAX_PAGES='many': ")


@pytest.mark.parametrize("variable", ["SHOP_API_URL", "LAKEFS_ENDPOINT", "PREFECT_API_URL"])
def test_a_password_in_an_address_is_refused_and_not_printed(elt: Elt, variable: str) -> None:
    done = elt("run", "2010-12-01", **{variable: "http://someone:sesamsesam@127.0.0.1:9"})

    assert done.returncode == 2
    assert done.stderr.startswith(f"UsageError: {variable}: ")
    assert "sesam" not in done.stderr


@pytest.mark.parametrize("query", ["", "create table x (y int)"])
def test_anything_but_one_read_only_query_is_refused(elt: Elt, lake_environment: dict[str, str], query: str) -> None:
    done = elt("sql", query, **lake_environment)

    assert done.returncode == 2
    assert f"{query!r} is not a single read-only query" in done.stderr


@pytest.mark.parametrize(
    ("ref", "says"),
    [
        ("", "'' is not a valid branch or commit"),
        ("no such", "'no such' is not a valid branch or commit"),
        ("nowhere", "there is no branch or commit nowhere"),
    ],
)
def test_an_invalid_ref_is_refused(elt: Elt, lake_environment: dict[str, str], ref: str, says: str) -> None:
    done = elt("rejects", "2010-12-01", "--ref", ref, **lake_environment)

    assert done.returncode == 2
    assert done.stderr.startswith(f"UsageError: {says}")


def test_an_unreachable_lake_is_exit_code_5(elt: Elt, lake_environment: dict[str, str]) -> None:
    done = elt("log", **{**lake_environment, "LAKEFS_ENDPOINT": "http://127.0.0.1:9"})

    assert done.returncode == 5
    assert "no answer from http://127.0.0.1:9" in done.stderr


def test_wrong_keys_are_exit_code_5_and_not_printed(elt: Elt, lake_environment: dict[str, str]) -> None:
    done = elt("log", **{**lake_environment, "LAKEFS_SECRET_KEY": "sesamsesam"})

    assert done.returncode == 5
    assert "check LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY" in done.stderr
    assert "sesamsesam" not in done.stderr


def test_without_a_lake_the_error_names_elt_up(elt: Elt) -> None:
    done = elt("log")

    assert done.returncode == 5
    assert "elt up" in done.stderr


def test_a_second_init_reports_no_changes(elt: Elt, lake_environment: dict[str, str]) -> None:
    done = elt("init", **lake_environment)

    assert done.returncode == 0
    unchanged = ", ".join(f"{part} unchanged" for part in ("repository", "owner", "gate", "protection"))
    assert done.stdout == f"local://lakefs/project: {unchanged}\n"


def test_purge_asks_first(elt: Elt, tmp_path: Path) -> None:
    data = tmp_path / "elt" / "lakefs"
    data.mkdir(parents=True)

    asked = elt("down", "--purge")

    assert asked.returncode == 130
    assert data.exists()
    assert elt("down", "--purge", "--yes").returncode == 0
    assert not data.exists()
