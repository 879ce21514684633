"""`elt source add`: from an answer to a project whose `dbt build` passes, and what it refuses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from examples.apis.usgs import api as usgs
from examples.events_api import serving
from orchestration.errors import DataFailed, DiskFailed, SourceFailed, UsageError
from orchestration.models.generate import require_current
from tests.helpers.dbt_runs import dbt
from tests.helpers.projects import copy_project, settings_of
from tests.helpers.tables import SOURCES, elt_source

DAY = "2013-01-10"
PUSHES: list[dict[str, Any]] = [
    {
        "id": f"16528577{at:02}",
        "type": "PushEvent",
        "created_at": f"{DAY}T07:58:{at:02}Z",
        "actor": {"id": 1000 + at, "login": f"user{at}", "url": f"https://example.com/users/{at}"},
        "repo": {"id": 7, "name": "octo/shop"},
        "public": True,
        "payload": {"size": at, "commits": [{"sha": "05570a", "distinct": True}]},
        **({"org": {"id": 5, "login": "octo"}} if at % 3 == 0 else {}),
    }
    for at in range(12)
]


def files(project: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for folder in ("models", "examples")
        for path in (project / folder).rglob("*")
        if path.is_file()
    }


def saved(folder: Path, records: Any, name: str = "answer.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(records))
    return file


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = copy_project(tmp_path / "project")
    settings_of(monkeypatch, copy, ELT_RETRIES=0)
    return copy


def test_new_sources_build_on_target_dev(project: Path, tmp_path: Path) -> None:
    packed = tmp_path / "events.json.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps(PUSHES).encode()))
    shop = (project / SOURCES).read_text()

    pushed = elt_source("add", "github", "pushes", "--sample", packed, "--path", "/events", "--yes", "--json")
    with serving(usgs.app()) as url:
        query = "format=geojson&starttime=2025-05-20T00:00:00.000Z&endtime=2025-05-20T23:59:59.999Z&limit=3&offset=1"
        quakes = elt_source("add", "usgs", "quakes", "--url", f"{url}/fdsnws/event/1/query?{query}", "--yes")
    appended = elt_source("add", "shop", "pushes_2", "--sample", packed, "--yes")
    ended = dbt(project, "--warn-error", "build", "--exclude", "test_type:unit")

    for result in (pushed, quakes, appended):
        assert result.exit_code == 0, result.output
    assert ended.code == 0, ended.out
    assert require_current(project) > 0
    shown = json.loads(pushed.stdout)
    assert shown["date"] == DAY
    # A request without a day gives what is current, so no other date can be run.
    assert shown["next"][-1] == "elt run"
    assert shown["accounting"]["curated"] == 12
    assert "properties.time" in quakes.stdout
    assert "  elt run 2025-05-20\n" in quakes.stdout
    assert "SourceFailed" not in quakes.output
    assert f"export USGS_API_URL={url}\n" in quakes.stdout
    # The file of an existing source is as it was, with one more table.
    assert (project / SOURCES).read_text().startswith(shop.rstrip("\n"))
    assert (project / f"examples/raw_sample/raw/github/pushes/date={DAY}/page-00001.json").read_text()[0] == "["
    with duckdb.connect(project / "dev.duckdb", read_only=True) as connection:
        pushes = connection.execute("select id, actor_id, org_login, payload_size from pushes order by id").fetchall()
        times = connection.execute("select properties_time::varchar, properties_mag from quakes order by 1").fetchall()
        (events,) = connection.execute("select count(*) from events").fetchall()
    assert pushes[:2] == [("1652857700", 1000, "octo", 0), ("1652857701", 1001, None, 1)]
    assert times == [("2025-05-20 00:00:00+00", 2.5), ("2025-05-20 00:00:10+00", 3.5), ("2025-05-20 00:10:00+00", 4.5)]
    assert events[0] > 0


def test_without_yes_and_without_a_terminal_nothing_is_written(project: Path, tmp_path: Path) -> None:
    before = files(project)

    shown = elt_source("add", "github", "pushes", "--sample", saved(tmp_path, PUSHES))

    assert shown.exit_code == 0
    assert "key: [id]" in shown.stdout
    assert "repeat the command with --yes" in shown.stdout
    assert files(project) == before


@pytest.mark.parametrize(
    ("source", "table", "says"),
    [
        ("GitHub", "pushes", "'GitHub' is not the name of a source"),
        ("github", "2024", "'2024' is not the name of a table"),
        ("github", "cost_accounting", "ends like a model that every table has"),
        ("shop", "events", "shop.events is declared in"),
        ("github", "events", "shop.events is declared in"),
        ("github", "daily_sales", "there is a model daily_sales already, in models/marts/by_date/daily_sales.sql"),
    ],
)
def test_a_name_that_is_taken_or_not_allowed_is_refused(
    project: Path, tmp_path: Path, source: str, table: str, says: str
) -> None:
    before = files(project)

    refused = elt_source("add", source, table, "--sample", saved(tmp_path, PUSHES), "--yes")

    assert isinstance(refused.exception, UsageError)
    assert says in str(refused.exception)
    assert refused.exception.remedy
    assert files(project) == before


def test_a_sample_that_breaks_a_test_is_not_written_unless_forced(project: Path, tmp_path: Path) -> None:
    before = files(project)
    arguments = ("add", "github", "pushes", "--sample", saved(tmp_path, [*PUSHES, 5]), "--yes")

    refused = elt_source(*arguments)
    unchanged = files(project) == before
    forced = elt_source(*arguments, "--force")

    assert isinstance(refused.exception, DataFailed)
    assert "pushes rejected for record_not_object: 1 of 13 rows" in str(refused.exception)
    assert unchanged
    assert forced.exit_code == 0, forced.output
    assert (project / "models/staging/github/_github__sources.yml").exists()


def test_a_failure_in_the_middle_leaves_the_project_as_it_was(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, write = files(project), Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.name == "pushes.yml" and project in path.parents and ".elt" not in path.parts:
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    failed = elt_source("add", "shop", "pushes", "--sample", saved(tmp_path, PUSHES), "--yes")

    assert isinstance(failed.exception, DiskFailed)
    assert files(project) == before


def test_yaml_that_cannot_be_appended_to_is_refused(project: Path, tmp_path: Path) -> None:
    file = project / SOURCES
    file.write_text(json.dumps(yaml.safe_load(file.read_text())))

    refused = elt_source("add", "shop", "pushes", "--sample", saved(tmp_path, PUSHES), "--yes")

    assert isinstance(refused.exception, UsageError)
    assert "tables is no list with a line for each table" in str(refused.exception)


def test_an_api_that_does_not_answer_or_has_no_address_is_reported(project: Path) -> None:
    before = files(project)

    nowhere = elt_source("add", "github", "pushes", "--path", "/events", "--yes")
    silent = elt_source("add", "github", "pushes", "--url", "http://127.0.0.1:9/events?date=2025-05-20", "--yes")

    assert isinstance(nowhere.exception, UsageError)
    assert nowhere.exception.remedy == "give --url, or set GITHUB_API_URL"
    assert isinstance(silent.exception, SourceFailed)
    assert files(project) == before
