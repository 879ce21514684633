"""A sandbox: production data for an analyst's dbt, on a branch that is never merged."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from examples.events_api import Options, create_app, serving
from orchestration.analyst.sandbox import create, differences, drop, list_sandboxes, variables
from orchestration.cli.app import app
from orchestration.cli.output import format_table
from orchestration.errors import GateRefused, UsageError
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.run import run_date
from tests.helpers.dbt_runs import DbtEnded, dbt
from tests.helpers.own_lake import repository_of, variables_of
from tests.helpers.projects import copy_project, request_for, settings_of

DATES = ("2015-07-01", "2015-07-02")
BY_DATE = ("daily_invoices", "daily_products", "daily_sales", "event_dates")
EVENTS = f"curated/events/date={DATES[1]}/data.parquet"


@dataclass(frozen=True)
class Analyst:
    """A copy of the project, the environment of a sandbox, and its lake."""

    project: Path
    state: Path
    lake: Lake
    environment: Mapping[str, str]

    def dbt(self, *arguments: str, **further: str) -> DbtEnded:
        return dbt(self.project, *arguments, "--target", "sandbox", environment={**self.environment, **further})


@pytest.fixture(scope="module")
def sandbox_lake(access: LakeAccess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A repository with two published dates."""
    project = copy_project(tmp_path_factory.mktemp("published"))
    with (
        repository_of(access, "sandboxes") as lake,
        serving(create_app(Options(rows=200))) as shop,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        settings = settings_of(monkeypatch, project, SHOP_API_URL=shop)
        for date in DATES:
            run_date(request_for(lake, settings, date))
        yield lake


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The analyst's project; it and the sandbox's folder stay the same, so that dbt parses it once."""
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def analyst(sandbox_lake: Lake, access: LakeAccess, project: Path) -> Iterator[Analyst]:
    state = project / "state"
    environment = {
        **variables_of(access),
        **variables(create(sandbox_lake, state, "mine")),
    }
    yield Analyst(project, state, sandbox_lake, environment)
    drop(sandbox_lake, state, "mine")


def tree_of(lake: Lake, ref: str) -> dict[str, str]:
    return {stored.key: stored.checksum for stored in lake.objects(ref)}


def test_a_build_reads_published_data_and_writes_its_branch_only(analyst: Analyst) -> None:
    main, head = tree_of(analyst.lake, MAIN), analyst.lake.head(MAIN)
    published = tree_of(analyst.lake, "sandbox-mine")
    assert published == main

    built = analyst.dbt("build")

    assert built.code == 0, built.out
    changed = [one.key for one in differences(analyst.lake, "mine")]
    assert changed == [
        "marts/customer_features/data.parquet",
        *(f"marts/{name}/{date}.parquet" for name in BY_DATE for date in DATES),
        "marts/product_sales/data.parquet",
    ]
    assert (tree_of(analyst.lake, MAIN), analyst.lake.head(MAIN)) == (main, head)
    with duckdb.connect(analyst.environment["ELT_SANDBOX"] + "/sandbox.duckdb", read_only=True) as connection:
        dates = connection.execute("select distinct execution_date::varchar from all_events order by 1").fetchall()
    assert [date for (date,) in dates] == list(DATES)


def test_a_changed_model_shows_in_the_diff_and_in_the_marts(analyst: Analyst, tmp_path: Path) -> None:
    analyst = replace(analyst, project=copy_project(tmp_path))
    checked = analyst.project / "models" / "curated" / "events.sql"
    checked.write_text(
        checked.read_text().replace("where _reject_reason is null", "where _reject_reason is null and price < 1")
    )

    built = analyst.dbt("run")

    assert built.code == 0, built.out
    found = {one.key: one for one in differences(analyst.lake, "mine")}
    events = found[EVENTS]
    assert events.rows_before is not None
    assert events.rows_after is not None
    assert events.rows_after < events.rows_before
    assert (events.type, events.rows_gone, events.rows_new) == ("changed", events.rows_before - events.rows_after, 0)
    shown = analyst.dbt(
        "show",
        "--output",
        "json",
        "--inline",
        "select execution_date, max(revenue / quantity) as price from {{ ref('all_events') }} group by 1 order by 1",
    )
    rows = json.loads(shown.out[shown.out.index("{") :])["show"]
    assert [row["price"] < 1 for row in rows] == [False, True]


def test_a_later_command_reads_what_was_built(analyst: Analyst) -> None:
    assert analyst.dbt("build").code == 0

    tested = analyst.dbt("test", "--select", "events")
    selected = analyst.dbt("run", "--select", "daily_sales")

    assert tested.code == 0, tested.out
    assert selected.code == 0, selected.out
    assert "1 of 1 OK created sql dated_lake_parquet model main.daily_sales" in selected.out


def test_any_published_date_can_be_built(analyst: Analyst) -> None:
    built = analyst.dbt("run", "--select", "+events", ELT_DEV_DATE=DATES[0])
    other = analyst.dbt("run", "--select", "+events", ELT_DEV_DATE="2015-07-03")

    assert built.code == 0, built.out
    assert other.code == 2
    assert "ELT_DEV_DATE=2015-07-03: sandbox-mine has no such date" in other.out
    assert "2 dates, 2015-07-01 to 2015-07-02" in other.out


def test_empty_runs_and_retries_are_refused_on_the_lake(analyst: Analyst) -> None:
    tree = tree_of(analyst.lake, "sandbox-mine")

    empty = analyst.dbt("run", "--empty")
    retried = analyst.dbt("retry")

    assert empty.code != 0
    assert retried.code != 0
    assert "--empty would write empty files over the lake's" in empty.out
    assert "dbt retry would mix two builds on the lake" in retried.out
    assert tree_of(analyst.lake, "sandbox-mine") == tree


def test_the_gate_refuses_a_sandbox(analyst: Analyst) -> None:
    assert analyst.dbt("build").code == 0
    tree = tree_of(analyst.lake, MAIN)
    commit = analyst.lake.commit("sandbox-mine", "by mistake", {})

    with pytest.raises(GateRefused, match=r"is not listed in _receipts/marts\.json"):
        analyst.lake.merge(commit, "by mistake", {})

    assert tree_of(analyst.lake, MAIN) == tree


def test_the_error_for_a_locked_file_names_the_process(analyst: Analyst) -> None:
    with duckdb.connect(analyst.environment["ELT_SANDBOX"] + "/sandbox.duckdb"):
        locked = analyst.dbt("run", "--select", "stg_shop__events")

    assert locked.code == 2
    assert "sandbox.duckdb is open in another process, " in locked.out
    assert "(PID " in locked.out
    assert "Traceback" not in locked.out


@pytest.mark.parametrize("name", ["a b", "", "-a", "a/b", "ä", "a" * 61, "a.b"])
def test_the_error_for_an_invalid_name_has_the_allowed_form(sandbox_lake: Lake, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as error:
        create(sandbox_lake, tmp_path, name)

    assert error.value.cause == f"{name!r} is not a valid sandbox name"
    assert "letters, digits, '-' and '_'" in error.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_names_are_created_listed_and_dropped(sandbox_lake: Lake, tmp_path: Path) -> None:
    folder = create(sandbox_lake, tmp_path, "a_1")
    with pytest.raises(UsageError, match="sandbox a_1 exists already"):
        create(sandbox_lake, tmp_path, "a_1")
    create(sandbox_lake, tmp_path / "elsewhere", "b-2")

    found = {one.name: one.folder for one in list_sandboxes(sandbox_lake, tmp_path)}

    assert found == {"a_1": str(folder), "b-2": ""}
    drop(sandbox_lake, tmp_path, "a_1")
    drop(sandbox_lake, tmp_path, "b-2")
    assert not folder.exists()
    assert list(list_sandboxes(sandbox_lake, tmp_path)) == []
    with pytest.raises(UsageError, match="there is no sandbox a_1"):
        drop(sandbox_lake, tmp_path, "a_1")
    with pytest.raises(UsageError, match="there is no sandbox a_1"):
        list(differences(sandbox_lake, "a_1"))


def test_a_folder_without_a_sandbox_is_refused(tmp_path: Path) -> None:
    project = copy_project(tmp_path)

    refused = dbt(project, "run", "--target", "sandbox", environment={"ELT_SANDBOX": str(tmp_path / "home")})
    unset = dbt(project, "run", "--target", "sandbox")

    assert refused.code == unset.code == 2
    assert "is not a sandbox folder" in refused.out
    assert "Env var required but not provided: 'ELT_SANDBOX'" in unset.out


def test_the_command_prints_the_environment_and_writes_it_to_a_file(
    sandbox_lake: Lake, access: LakeAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_of(
        monkeypatch,
        copy_project(tmp_path / "project"),
        LAKEFS_ENDPOINT=access.endpoint,
        LAKEFS_ACCESS_KEY=access.access_key.get_secret_value(),
        LAKEFS_SECRET_KEY=access.secret_key.get_secret_value(),
        ELT_REPOSITORY="sandboxes",
        ELT_STATE_DIR=tmp_path / "the analyst's $(touch state)",
    )
    env = tmp_path / "sandbox.env"
    folder = tmp_path / "the analyst's $(touch state)" / "sandboxes" / "from-cli"

    made = CliRunner().invoke(app, ["sandbox", "create", "from-cli", "--env", str(env)])
    again = CliRunner().invoke(app, ["sandbox", "create", "other", "--env", str(env)])
    shown = CliRunner().invoke(app, ["sandbox", "list", "--json"])
    differing = CliRunner().invoke(app, ["sandbox", "diff", "from-cli"])
    dropped = CliRunner().invoke(app, ["sandbox", "drop", "from-cli"])

    for text in (made.stdout, f"set -a\n{env.read_text()}"):
        show = 'eval "$1"; env | grep -E "^(DBT|ELT_SANDBOX)"'
        evaluated = subprocess.check_output(["sh", "-c", show, "sh", text], text=True, cwd=tmp_path)
        assert sorted(evaluated.splitlines()) == ["DBT_PROFILES_DIR=profiles", f"ELT_SANDBOX={folder}"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project", "sandbox.env", folder.parts[-3]]
    assert access.secret_key.get_secret_value() not in made.stdout + env.read_text()
    assert isinstance(again.exception, UsageError)
    assert [one["name"] for one in json.loads(shown.stdout)["sandboxes"]] == ["from-cli"]
    assert differing.stdout == "sandbox from-cli does not differ from its commit of main\n"
    assert dropped.exit_code == 0


def parquet_of(rows: int, folder: Path) -> bytes:
    file = folder / f"{rows}.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"copy (select i from range({rows}) r(i)) to '{file}' (format parquet)")
    return file.read_bytes()


def test_keys_of_other_clients_are_listed_in_a_diff_and_not_executed(sandbox_lake: Lake, tmp_path: Path) -> None:
    written = tmp_path / "written"
    injected = (
        "curated/events/date=2025-05-20/data.parquet', hive_partitioning=false); copy (select 'attacker') to "
        f"'{written}' (format csv, header false); select count({{}}) from (select 1) --.parquet"
    )
    good = parquet_of(3, tmp_path)
    files = {
        "it's.parquet": good,
        'a"b #%41 {c,d}.parquet': good,
        injected.format("*"): good,
        injected.format("1"): good,
        "a/data.parquet": good,
        "*/data.parquet": good,
        "x?s3_endpoint=127.0.0.1:9.parquet": good,
        "new\nline \x1b]0;x\x07.parquet": good,
        "empty.parquet": b"",
        "text.parquet": b"no Parquet at all",
        "cut.parquet": good[: len(good) // 2] + good[-8:],
        "notes\u202e.txt": b"text",
    }
    create(sandbox_lake, tmp_path, "foreign")
    try:
        for key, body in files.items():
            sandbox_lake.put("sandbox-foreign", key, body, "application/octet-stream")
        found = {one.key: one for one in differences(sandbox_lake, "foreign")}
    finally:
        drop(sandbox_lake, tmp_path, "foreign")

    assert not written.exists()
    assert found.keys() == files.keys()
    counted = {key for key, one in found.items() if one.rows_after == 3}
    assert counted == {"it's.parquet", 'a"b #%41 {c,d}.parquet', injected.format("1"), "a/data.parquet"}
    assert all(
        found[key].problem.startswith("rows not counted: ") for key in files.keys() - counted - {"notes\u202e.txt"}
    )
    assert "too small to be a Parquet file" in found["empty.parquet"].problem
    assert "would interpret" in found["*/data.parquet"].problem
    table = format_table(("change", "key", "problem"), [(one.type, one.key, one.problem) for one in found.values()])
    lines = table.splitlines()
    assert len(lines) == 2 + len(files)
    assert all(line.isprintable() for line in lines)
    assert r"added   new\nline \x1b]0;x\x07.parquet " in table
