"""`elt new`: names, folders, files, and what a failure leaves. Real projects: tests/integration/test_new_project.py."""

from __future__ import annotations

import errno
import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from orchestration import project_version
from orchestration.cli.app import app
from orchestration.errors import DiskFailed, UsageError
from orchestration.log import SILENT
from orchestration.project_version import RECORD, ProjectRecord, package_version
from orchestration.scaffold.create import create_project, name_of, table_name
from orchestration.scaffold.files import OWNED, Package, installed_from, owned_files, project_files
from orchestration.scaffold.sample import sample_dates
from orchestration.settings import EltSettings, LakeSettings, PrefectSettings, read_settings
from orchestration.source.config import read_tables
from tests.helpers.projects import write_sources

READINGS = [{"id": f"r-{number}", "at": f"2025-05-20T{number:02}:00:00Z", "value": number} for number in range(20)]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    file = tmp_path / "readings.json"
    file.write_text(json.dumps(READINGS))
    return file


@pytest.fixture(autouse=True)
def _nothing_is_left_beside(tmp_path: Path) -> Iterator[None]:
    """Checks that no unfinished project remains beside the new one."""
    yield
    assert [path.name for path in tmp_path.rglob(".*-*") if path.is_dir()] == []


def elt_new(*arguments: str | Path) -> tuple[int, str, str]:
    ended = CliRunner().invoke(app, ["new", *map(str, arguments)])
    if isinstance(ended.exception, UsageError):
        return 2, ended.stdout, ended.exception.describe()
    return ended.exit_code, ended.stdout, ended.stderr


@pytest.mark.parametrize(("folder", "name"), [("quakes", "quakes"), ("open-data", "open_data"), ("a1_b", "a1_b")])
def test_a_project_has_the_name_of_its_folder(folder: str, name: str) -> None:
    assert name_of(Path("/somewhere") / folder) == name


@pytest.mark.parametrize(
    "folder",
    [
        "ab",
        "1st",
        "Quakes",
        "my project",
        "bücher",
        "a.b",
        "dbt",
        "dbt-duckdb",
        "project",
        "_x1",
        "a__b",
        "a-",
        "x" * 41,
        "-abc",
    ],
)
def test_a_name_that_dbt_or_lakefs_forbids_is_refused(tmp_path: Path, folder: str) -> None:
    code, _, error = elt_new(tmp_path / folder)

    assert code == 2
    assert f"{folder!r} is not the name of a project" in error
    assert not (tmp_path / folder).exists()


@pytest.mark.parametrize(
    ("url", "path", "sample", "name"),
    [
        ("https://api.example.com/v1/Daily-Readings?day=2025-05-20", "", None, "daily_readings"),
        ("https://api.example.com", "/fdsnws/event/1/query?format=geojson", None, "query"),
        ("", "", "readings.json.gz", "readings"),
        ("https://api.example.com/", "", "My Data.json", "my_data"),
    ],
)
def test_the_table_is_named_after_the_address_or_the_file(url: str, path: str, sample: str | None, name: str) -> None:
    assert table_name(url, path, Path(sample) if sample else None) == name


@pytest.mark.parametrize(("url", "sample"), [("https://api.example.com", None), ("", "2025.json")])
def test_a_table_without_a_name_needs_one(url: str, sample: str | None) -> None:
    with pytest.raises(UsageError, match="the table has no name"):
        table_name(url, "", Path(sample) if sample else None)


def test_a_folder_with_a_file_is_left_unchanged(tmp_path: Path, sample: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("keep")

    code, _, error = elt_new(folder, "--sample", sample)

    assert code == 2
    assert "exists and is not an empty folder" in error
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_a_file_in_place_of_the_folder_is_left_unchanged(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")

    assert elt_new(tmp_path / "mine")[0] == 2
    assert (tmp_path / "mine").read_text() == "keep"


def test_an_empty_folder_is_used_and_missing_parents_are_made(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert elt_new(tmp_path / "empty")[0] == 0
    assert elt_new(tmp_path / "a" / "b" / "nested")[0] == 0
    assert (tmp_path / "empty" / "dbt_project.yml").exists()
    assert (tmp_path / "a" / "b" / "nested" / RECORD).exists()


def test_an_existing_folder_is_filled_and_keeps_its_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the working folder of a shell, and its group's."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o770)
    before = folder.stat().st_ino
    monkeypatch.chdir(folder)

    assert elt_new(".")[0] == 0
    assert (folder.stat().st_ino, folder.stat().st_mode & 0o777) == (before, 0o770)
    assert Path("dbt_project.yml").exists()


def test_a_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("keep")

    code, _, error = elt_new(tmp_path / "notes.txt" / "mine")

    assert code == 2
    assert "notes.txt is not a folder" in error


def test_an_existing_folder_is_empty_again_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").mkdir()
    move = shutil.move

    def full(source: Path, target: Path) -> None:
        if source.name == "models":
            raise OSError(errno.ENOSPC, "No space left on device")
        move(source, target)

    monkeypatch.setattr("orchestration.scaffold.create.shutil.move", full)

    with pytest.raises(DiskFailed):
        create_project(tmp_path / "mine", None, SILENT)
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [("[1, 2", "JSON"), ("[]", "without a list of records"), ('{"error": "no such day"}', "records")],
)
def test_an_answer_that_cannot_be_declared_leaves_nothing(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "answer.json").write_text(content)

    code, _, error = elt_new(tmp_path / "deep" / "mine", "--sample", tmp_path / "answer.json")

    assert code == 2
    assert problem in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answer.json"]


def test_a_source_whose_variables_prefect_reads_is_refused(tmp_path: Path, sample: Path) -> None:
    code, _, error = elt_new(tmp_path / "mine", "--source", "prefect", "--sample", sample)

    assert code == 2
    assert "PREFECT_API_URL is the address of Prefect's own API" in error
    write_sources(tmp_path, {"a": {"key": ["x"], "fetch": {"path": "/a", "form": "array"}}}, source="prefect")
    with pytest.raises(UsageError, match=r"source prefect\.a: name: PREFECT_API_URL"):
        read_tables(tmp_path)


@pytest.mark.parametrize("option", [("--source", "x"), ("--table", "x"), ("--path", "/x")])
def test_a_table_without_an_answer_is_refused(tmp_path: Path, option: tuple[str, str]) -> None:
    code, _, error = elt_new(tmp_path / "mine", *option)

    assert (code, (tmp_path / "mine").exists()) == (2, False)
    assert "give --url or --sample" in error


def test_a_project_without_a_table_has_no_placeholder_left(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    code, out, _ = elt_new(folder, "--json")

    assert code == 0
    assert json.loads(out)["next"] == [
        f"cd {folder}",
        "make test",
        ". .venv/bin/activate",
        "elt source add SOURCE TABLE",
    ]
    for name, content in project_files("mine", installed_from()).items():
        assert (folder / name).read_bytes() == content
        assert "[[" not in content.decode(), name
        assert "[%" not in content.decode(), name


def test_names_on_shared_servers_are_the_projects_own(tmp_path: Path) -> None:
    one, other = (yaml.safe_load(project_files(name, Package())["prefect.yaml"]) for name in ("one", "the_other"))

    names = [{deployment["name"] for deployment in file["deployments"]} for file in (one, other)]
    pools = [{deployment["work_pool"]["name"] for deployment in file["deployments"]} for file in (one, other)]
    assert not names[0] & names[1]
    assert pools == [{"one-pool"}, {"the-other-pool"}]


def test_a_project_may_have_the_name_of_a_package() -> None:
    """A package cannot depend on itself, and the environment of a project depends on many."""
    described = tomllib.loads(project_files("pytest", Package())["pyproject.toml"].decode())

    assert described["project"]["name"] == "pytest-elt"


def test_the_containers_run_the_projects_own_image(tmp_path: Path) -> None:
    files = project_files("quake_watch", Package(), source="usgs", table="quakes")
    base, own = (yaml.safe_load(files[f"docker-compose{end}.yml"]) for end in ("", ".override"))

    built = {name for name, service in base["services"].items() if "build" in service}
    assert own["name"] == "quake-watch"
    assert set(own["services"]) == built
    assert {service["image"] for service in own["services"].values()} == {"${STACK_IMAGE:-quake-watch:latest}"}
    assert own["services"]["prefect-worker"]["environment"] == {"USGS_API_URL": "${USGS_API_URL:-}"}
    assert "quake-watch-pool" in own["services"]["check-worker"]["command"]
    assert "quake-watch-pool" in files["Dockerfile"].decode()


def test_each_setting_of_the_example_exists() -> None:
    text = project_files("mine", Package(), source="usgs", table="quakes")[".env.example"].decode()
    named = set(re.findall(r"^#?([A-Z_]+)=", text, re.MULTILINE))
    known = {
        f"{prefix}{field}".upper()
        for prefix, kind in (("LAKEFS_", LakeSettings), ("PREFECT_", PrefectSettings), ("ELT_", EltSettings))
        for field in kind.model_fields
    }
    stack = {
        f"STACK_{name}" for name in re.findall(r"\$\{STACK_(\w+):\?", owned_files()["docker-compose.yml"].decode())
    }

    assert stack <= named
    assert named - stack - known == {"USGS_API_URL", "USGS_API_TOKEN"}


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        (None, ""),
        ({"url": "https://x.example/i.whl", "archive_info": {}}, 'url = "https://x.example/i.whl"'),
        (
            {"url": "https://x.example/i", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            'git = "https://x.example/i", rev = "abc"',
        ),
        ({"url": "file:///x/a%20b", "dir_info": {"editable": True}}, 'path = "/x/a b", editable = true'),
        ({"url": "file:///x/a-1.whl", "archive_info": {}}, 'path = "vendor/a-1.whl"'),
    ],
)
def test_a_project_gets_the_package_from_where_it_was_installed(
    monkeypatch: pytest.MonkeyPatch, origin: object, source: str
) -> None:
    class Installed:
        def read_text(self, name: str) -> str | None:
            assert name == "direct_url.json"
            return json.dumps(origin) if origin else None

    monkeypatch.setattr("orchestration.scaffold.files.distribution", lambda name: Installed())

    assert installed_from().source == source


def test_the_sample_needs_a_date_with_a_page_of_each_table(tmp_path: Path) -> None:
    one, other = {"path": "/a", "form": "array"}, {"path": "/b", "form": "array"}
    write_sources(tmp_path, {"a": {"key": ["x"], "fetch": one}, "b": {"key": ["x"], "fetch": other}}, source="api")
    for page in ("a/date=2025-05-20", "a/date=2025-05-21", "b/date=2025-05-22"):
        folder = tmp_path / "examples" / "raw_sample" / "raw" / "api" / page
        folder.mkdir(parents=True)
        (folder / "page-00001.json").write_text("[]")
    tables = read_tables(tmp_path)

    with pytest.raises(UsageError, match=r"api\.a has 2025-05-20, 2025-05-21; api\.b has 2025-05-22"):
        sample_dates(tmp_path, tables)
    assert sample_dates(tmp_path, tables[:1]) == ["2025-05-20", "2025-05-21"]


# The version of a project.


def test_a_project_of_a_newer_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create_project(tmp_path / "mine", None, SILENT)
    assert read_settings(tmp_path / "mine").project_dir == tmp_path / "mine"

    monkeypatch.setattr(project_version, "package_version", lambda: "0.0.9")

    with pytest.raises(
        UsageError, match=rf"is a project of ingest-clean {package_version()}, and 0\.0\.9 is installed"
    ):
        read_settings(tmp_path / "mine")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": "x", "files": {}}', '{"version": 1, "files": 2}'])
def test_a_record_that_is_not_valid_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / RECORD).write_text(content)

    with pytest.raises(UsageError, match=f"{RECORD} cannot be read"):
        read_settings(tmp_path)


def test_the_record_has_the_version_and_the_owned_files() -> None:
    files = project_files("mine", Package())
    record = json.loads(files[RECORD])

    assert record["version"] == package_version()
    assert sorted(record["files"]) == sorted(OWNED)
    assert ProjectRecord(**record).to_text().encode() == files[RECORD]
