"""`elt upgrade`: files nobody changed are replaced, changed ones are left, and an interruption is completed."""

from __future__ import annotations

import json
import os
import re
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration.cli.app import app
from orchestration.errors import UsageError
from orchestration.log import SILENT
from orchestration.project_version import RECORD, package_version
from orchestration.scaffold import upgrade
from orchestration.scaffold.create import create_project
from orchestration.scaffold.files import OWNED, owned_files
from orchestration.scaffold.upgrade import Upgraded, upgrade_project
from orchestration.settings import PROJECT_DIR

BEFORE = "0.1.9"
SAME = {"tools/uv.txt"}
"""Files that are equal in both versions."""
NEW = sorted(set(OWNED) - SAME)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of an earlier version, whose files had another content."""
    folder = tmp_path / "mine"
    create_project(folder, None, SILENT)
    for name in NEW:
        (folder / name).write_text(f"{name} of {BEFORE}\n")
    digests = {name: sha256((folder / name).read_bytes()).hexdigest() for name in OWNED}
    (folder / RECORD).write_text(json.dumps({"version": BEFORE, "files": digests}))
    return folder


def files_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mode & 0o777)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_that_nobody_changed_are_replaced_and_the_record_is_of_this_version(
    project: Path, tmp_path: Path
) -> None:
    assert upgrade_project(project) == Upgraded(BEFORE, package_version(), tuple(NEW), (), (), ())

    create_project(tmp_path / "fresh" / "mine", None, SILENT)
    assert files_of(project) == files_of(tmp_path / "fresh" / "mine")


def test_again_it_changes_nothing(project: Path) -> None:
    (project / "tools" / "uv").write_text("changed\n")
    upgrade_project(project)
    before = files_of(project)
    times = {path: path.stat().st_mtime_ns for path in project.rglob("*")}

    assert upgrade_project(project) == Upgraded(package_version(), package_version(), (), (), (), ())

    assert files_of(project) == before
    assert {path: path.stat().st_mtime_ns for path in project.rglob("*")} == times


def test_a_changed_file_is_left_and_the_new_one_is_beside_it(project: Path) -> None:
    (project / "tools" / "uv").write_text("changed\n")

    done = upgrade_project(project)

    assert (done.compare, done.deleted) == (("tools/uv",), ())
    assert "tools/uv" not in done.replaced
    assert (project / "tools" / "uv").read_text() == "changed\n"
    assert (project / "tools" / "uv.new").read_bytes() == owned_files()["tools/uv"]
    assert (project / "tools" / "uv.new").stat().st_mode & 0o777 == 0o755


def test_a_changed_file_of_which_this_version_has_nothing_new_is_left_alone(project: Path) -> None:
    (name,) = SAME
    (project / name).write_text("changed\n")

    done = upgrade_project(project)

    assert (done.compare, (project / name).read_text()) == ((), "changed\n")
    assert not (project / f"{name}.new").exists()


def test_a_file_that_has_this_versions_content_already_is_not_a_changed_one(project: Path) -> None:
    (project / "docker-compose.yml").write_bytes(owned_files()["docker-compose.yml"])

    assert upgrade_project(project).compare == ()
    assert not (project / "docker-compose.yml.new").exists()


def test_a_deleted_file_is_left_out(project: Path) -> None:
    (project / "docker-compose.yml").unlink()

    assert upgrade_project(project).deleted == ("docker-compose.yml",)
    assert not list(project.glob("docker-compose.yml*"))


def test_a_file_that_this_version_adds_is_written_but_not_over_another(project: Path) -> None:
    record = json.loads((project / RECORD).read_text())
    for name in ("tools/uv", "deploy/lakefs.yaml", "profiles/profiles.yml"):
        del record["files"][name]
    (project / RECORD).write_text(json.dumps(record))
    (project / "tools" / "uv").unlink()
    shutil.rmtree(project / "profiles")
    os.umask(0o077)

    done = upgrade_project(project)

    assert {"tools/uv", "profiles/profiles.yml"} <= set(done.replaced)
    assert done.compare == ("deploy/lakefs.yaml",)
    assert (project / "profiles").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("writes", range(len(NEW) + 2))
def test_an_interrupted_upgrade_is_completed_by_another(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    (project / "tools" / "uv").write_text("changed\n")
    whole = tmp_path / "whole" / "mine"
    shutil.copytree(project, whole)
    upgrade_project(whole)
    left = iter(range(writes))
    write = upgrade._replace

    def interrupted(path: Path, content: bytes, rights: int) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        write(path, content, rights)

    monkeypatch.setattr(upgrade, "_replace", interrupted)
    if writes < len(NEW) + 1:
        with pytest.raises(KeyboardInterrupt):
            upgrade_project(project)
        assert json.loads((project / RECORD).read_text())["version"] == BEFORE
    monkeypatch.undo()
    upgrade_project(project)

    assert files_of(project) == files_of(whole)


def test_a_write_that_fails_leaves_the_former_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: Path, target: Path) -> None:
        raise KeyboardInterrupt

    before = files_of(project)
    monkeypatch.setattr(Path, "replace", failing)

    with pytest.raises(KeyboardInterrupt):
        upgrade_project(project)

    assert files_of(project) == before


def test_generated_models_are_written_again(project: Path) -> None:
    shutil.copytree(PROJECT_DIR / "models", project / "models", dirs_exist_ok=True)
    model = project / "models" / "curated" / "events.sql"
    right = model.read_text()
    model.write_text(right.replace("select", "SELECT"))

    assert upgrade_project(project).models == ("models/curated/events.sql",)
    assert model.read_text() == right


def test_a_declaration_that_is_not_valid_leaves_the_record_as_it_was(project: Path) -> None:
    shutil.copytree(PROJECT_DIR / "models", project / "models", dirs_exist_ok=True)
    sources = project / "models" / "staging" / "shop" / "_shop__sources.yml"
    right = sources.read_text()
    sources.write_text(re.sub("data_type: bigint", "data_type: number", right))

    with pytest.raises(UsageError, match="number"):
        upgrade_project(project)

    assert json.loads((project / RECORD).read_text())["version"] == BEFORE
    sources.write_text(right)
    assert upgrade_project(project).before == BEFORE


def test_a_project_without_a_record_is_left_and_says_what_to_do(project: Path) -> None:
    (project / RECORD).unlink()
    before = files_of(project)

    with pytest.raises(UsageError) as error:
        upgrade_project(project)

    assert error.value.cause == (
        f"{project} has no {RECORD}: it is not a project of `elt new`, or one of ingest-clean 0.1"
    )
    assert "docs/upgrading.md" in error.value.remedy
    assert files_of(project) == before


def test_a_project_of_a_newer_version_is_refused(project: Path) -> None:
    record = json.loads((project / RECORD).read_text())
    (project / RECORD).write_text(json.dumps(record | {"version": "99.0.0"}))

    with pytest.raises(UsageError, match=r"is a project of ingest-clean 99\.0\.0"):
        upgrade_project(project)


def test_the_command_says_what_it_did_a_line_each(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ELT_PROJECT_DIR", str(project))
    (project / "tools" / "uv").write_text("changed\n")
    (project / "docker-compose.yml").unlink()

    lines, again, as_json = (CliRunner().invoke(app, ["upgrade", *more]).stdout for more in ([], [], ["--json"]))

    assert lines.splitlines() == [
        "replaced deploy/lakefs.yaml",
        "replaced profiles/profiles.yml",
        "kept tools/uv, which you changed: tools/uv.new is this version's",
        "left out docker-compose.yml, which you deleted",
        f"the project is of version {package_version()}, and was of {BEFORE}",
        "",
        "next:",
        "  elt init",
        "  elt doctor",
    ]
    assert again == f"the project is of version {package_version()}\n"
    assert json.loads(as_json)["before"] == package_version()
