"""The release: what wheel and sdist contain, and a project of one's own from the wheel to a published date."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from examples.apis.imitation import DAY
from examples.apis.usgs.api import RECORDS, app
from examples.events_api import serving
from orchestration.framework import macro_path
from orchestration.lake.access import LakeAccess
from orchestration.project_version import RECORD
from orchestration.servers.background import LocalServer
from orchestration.settings import PROJECT_DIR
from tests.helpers.elt_runs import prefect_environment
from tests.helpers.isolation import CHECKOUT
from tests.helpers.own_lake import variables_of
from tests.helpers.tables import edit_yaml

UV = CHECKOUT / "tools" / "uv"
_LIMIT = 600.0
UNTRACKED = {".venv", ".home", ".elt", "target", "logs", "dev.duckdb", ".pytest_cache", "__pycache__", ".user.yml"}
WINDOW = f"format=geojson&starttime={DAY}T00:00:00.000Z&endtime={DAY}T23:59:59.999Z&orderby=time-asc&limit=20000"


def run(*command: str | Path, folder: Path, **environment: str) -> str:
    """Runs a command as somebody without this checkout, and returns what it printed to stdout."""
    home = folder / ".home"
    home.mkdir(exist_ok=True)
    kept = {name: os.environ[name] for name in ("PATH", "UV_CACHE_DIR", "XDG_CACHE_HOME") if name in os.environ}
    cache = {"UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv")}
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**cache, **kept, "HOME": str(home), "DO_NOT_TRACK": "1", **_packages(), **environment},
        text=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_LIMIT,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def _packages() -> dict[str, str]:
    """Returns the settings of the person who runs the suite that say where packages come from."""
    return {name: value for name, value in os.environ.items() if name.startswith(("UV_", "PIP_", "SSL_"))}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel that is built from the sdist, and of the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(UV, "build", "--out-dir", folder, CHECKOUT, folder=folder)
    return folder


def wheel_of(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


def test_the_wheel_has_everything_that_is_needed_and_nothing_else(built: Path) -> None:
    package = {
        path.relative_to(PROJECT_DIR).as_posix()
        for path in (PROJECT_DIR / "orchestration").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    macros = {path.relative_to(macro_path()).as_posix() for path in macro_path().rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel_of(built)) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
        gate = wheel.read("orchestration/lake/gate_main.yaml")

    of_package = {name for name in names if name.startswith("orchestration/")}
    of_environment = {name.partition(".data/data/")[2] for name in names if ".data/data/" in name}
    assert of_package == package
    assert of_environment == {f"ingest_clean/macros/{name}" for name in macros}
    others = {name.partition(".dist-info/")[2] for name in names if ".dist-info/" in name}
    assert others == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert gate == (PROJECT_DIR / "orchestration/lake/gate_main.yaml").read_bytes()


def test_the_sdist_has_what_the_wheel_is_built_from(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive if member.isfile()}

    assert {name for name in names if not name.startswith("orchestration/")} == {
        *("LICENSE", "PKG-INFO", "README.md"),
        *("pyproject.toml", "pyproject.toml.orig"),
    }


@dataclass(frozen=True)
class Installed:
    """An environment outside of the checkout with only the wheel, its dependencies and pytest."""

    folder: Path

    def program(self, name: str) -> Path:
        return self.folder / ".venv" / "bin" / name


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    locked = folder / "locked.txt"
    export = (
        "export",
        "--frozen",
        "--quiet",
        "--all-groups",
        "--no-emit-project",
        "--no-hashes",
        "--project",
        CHECKOUT,
    )
    run(UV, *export, "--output-file", locked, folder=folder)
    excluded = folder / "excluded.txt"
    excluded.write_text("dbt-core-experimental-parser\n")
    run(UV, "venv", "--quiet", "--python", sys.executable, folder / ".venv", folder=folder)
    options = ("--quiet", "--constraints", locked, "--excludes", excluded)
    run(UV, "pip", "install", *options, wheel_of(built), "pytest", folder=folder, VIRTUAL_ENV=str(folder / ".venv"))
    return Installed(folder)


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with serving(app()) as url:
        yield url


@pytest.fixture(scope="module")
def project(installed: Installed, api: str) -> Path:
    """A project that `elt new` has made from an answer of the API, in the environment of the wheel."""
    address = f"{api}/fdsnws/event/1/query?{WINDOW}"
    options = ("--source", "usgs", "--table", "earthquakes", "--date", DAY, "--json")
    run(installed.program("elt"), "new", "quake-watch", "--url", address, *options, folder=installed.folder)
    folder = installed.folder / "quake-watch"
    # The packages of the lock file, instead of the newest.
    (folder / ".venv").symlink_to(installed.folder / ".venv")
    return folder


def test_a_new_project_is_green_at_once(project: Path) -> None:
    """`make test` builds with dbt, checks the generated models, and publishes the sample on a lakeFS of its own."""
    printed = run("make", "-o", "install", "test", folder=project, XDG_CACHE_HOME=cache_home())

    assert "ERROR=0" in printed
    assert "generated files are up to date" in printed
    assert "1 passed" in printed


def cache_home() -> str:
    """Returns the folder with the lakeFS server that `make setup` has built."""
    return os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")


def test_a_new_project_publishes_its_first_date(
    project: Path, installed: Installed, api: str, access: LakeAccess, prefect_server: LocalServer
) -> None:
    environment = {
        "USGS_API_URL": api,
        "ELT_REPOSITORY": "wheel",
        **variables_of(access),
        **prefect_environment(prefect_server),
    }

    def elt(*arguments: str) -> Any:
        printed = run(installed.program("elt"), *arguments, "--json", folder=project, **environment)
        return json.loads(printed)

    elt("init")
    # One answer does not show how its pages end. The first run names the line that is missing.
    with pytest.raises(
        AssertionError, match=r"set paging\.end_status: \[204\] of usgs\.earthquakes in the source's YAML"
    ):
        elt("run", DAY)
    edit_yaml(project / "models/staging/usgs/_usgs__sources.yml", _end_with_204)
    elt("models")
    published = elt("run", DAY)
    found = elt("sql", "select count(*), count(distinct id) from earthquakes")
    audited = elt("audit")

    assert published["outcome"] == "published"
    assert published["rows"] == {"earthquakes": len(RECORDS)}
    assert found["rows"] == [[len(RECORDS), len(RECORDS)]]
    assert audited["findings"] == []


def _end_with_204(content: dict[str, Any]) -> None:
    content["sources"][0]["tables"][0]["config"]["meta"]["fetch"]["paging"]["end_status"] = [204]


def test_everybody_may_read_a_new_project_and_execute_its_scripts(project: Path) -> None:
    """The user of a container image is another one, and `elt` itself writes files that nobody else can read."""
    tracked = [path for path in project.rglob("*") if not set(path.relative_to(project).parts) & UNTRACKED]

    executable = {
        path.relative_to(project).as_posix() for path in tracked if path.is_file() and path.stat().st_mode & 1
    }
    assert executable == {".ci/run", "tools/uv"}
    assert [path for path in tracked if path.stat().st_mode & 0o044 != 0o044] == []
    assert {
        "models/curated/earthquakes.sql",
        f"examples/raw_sample/raw/usgs/earthquakes/date={DAY}/page-00001.json",
    } <= {path.relative_to(project).as_posix() for path in tracked}


def test_the_project_records_the_version_of_the_wheel(project: Path, built: Path) -> None:
    assert json.loads((project / RECORD).read_text())["version"] == wheel_of(built).name.split("-")[1]


def test_the_project_has_the_wheel_that_it_was_made_by(project: Path, built: Path) -> None:
    assert (project / "vendor" / wheel_of(built).name).read_bytes() == wheel_of(built).read_bytes()


def test_commands_find_the_project_from_a_folder_below_it(project: Path, installed: Installed) -> None:
    printed = run(installed.program("elt"), "models", "--check", folder=project / "models")

    assert "generated files are up to date" in printed


def test_a_command_outside_of_a_project_says_so(installed: Installed, tmp_path: Path) -> None:
    ended = subprocess.run(
        [installed.program("elt"), "models"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2
    assert f"{tmp_path} is not in a project" in ended.stderr
