"""The checks of the project's files: what an earlier version made, what was changed by hand, what nothing reads."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from orchestration.doctor.checks import Finding, carry_out
from orchestration.doctor.project import known_variables, project_checks
from orchestration.log import SILENT
from orchestration.project_version import RECORD, package_version
from orchestration.scaffold.create import create_project
from orchestration.settings import PROJECT_DIR, read_settings
from tests.helpers.isolation import PROJECT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    create_project(folder, None, SILENT)
    return folder


def found(project: Path, check: str) -> Finding:
    (finding,) = carry_out([one for one in project_checks(read_settings(project)) if one.name == check])
    assert (finding.remedy != "") == (finding.state != "ok")
    return finding


def test_a_new_project_has_nothing_old(project: Path) -> None:
    findings = carry_out(tuple(project_checks(read_settings(project))))

    assert [one.check for one in findings] == [
        "project version",
        "project files",
        "macros",
        "generated models",
        "settings",
    ]
    assert {one.state for one in findings} == {"ok"}


def test_this_checkout_has_nothing_old() -> None:
    findings = carry_out(tuple(project_checks(read_settings(PROJECT))))

    assert [one.check for one in findings] == [
        "project version",
        "macros",
        "generated models",
        "locked version",
        "settings",
    ]
    assert {one.state for one in findings} == {"ok"}
    assert RECORD in findings[0].seen


def test_files_of_an_earlier_version_need_an_upgrade(project: Path) -> None:
    record = json.loads((project / RECORD).read_text())
    (project / RECORD).write_text(json.dumps(record | {"version": "0.1.9"}))

    finding = found(project, "project version")

    assert (finding.state, finding.remedy) == ("warning", "elt upgrade")
    assert finding.seen == f"its files are of 0.1.9, and {package_version()} is installed"


def test_a_record_that_cannot_be_read_fails(project: Path) -> None:
    settings = read_settings(project)
    (project / RECORD).write_text("{}")

    findings = {one.check: one for one in carry_out(tuple(project_checks(settings)))}

    assert findings["project version"].state == "failed"
    assert "project files" not in findings


def test_files_changed_by_hand_are_named(project: Path) -> None:
    (project / "profiles" / "profiles.yml").write_text("changed: true\n")
    (project / "tools" / "uv").unlink()

    finding = found(project, "project files")

    assert (finding.state, finding.seen) == (
        "ok",
        "changed by hand, and left so by elt upgrade: profiles/profiles.yml",
    )


def test_a_file_that_an_upgrade_left_beside_is_a_warning(project: Path) -> None:
    (project / "docker-compose.yml.new").write_text("new\n")

    finding = found(project, "project files")

    assert (finding.state, "docker-compose.yml.new" in finding.seen) == ("warning", True)


@pytest.mark.parametrize("paths", ["[macros]", "\n  - macros", "[macros] # not INGEST_CLEAN"])
def test_macros_of_an_earlier_version_are_a_warning(project: Path, paths: str) -> None:
    file = project / "dbt_project.yml"
    file.write_text(re.sub(r"^macro-paths: .*$", f"macro-paths: {paths}", file.read_text(), flags=re.MULTILINE))

    finding = found(project, "macros")

    assert (finding.state, "docs/upgrading.md" in finding.remedy) == ("warning", True)


def test_a_macro_path_in_a_list_on_lines_of_its_own_is_found(project: Path) -> None:
    file = project / "dbt_project.yml"
    path = "macro-paths:\n  - \"{{ env_var('INGEST_CLEAN_MACROS', 'x') }}\"\n  - macros"
    file.write_text(re.sub(r"^macro-paths: .*$", path, file.read_text(), flags=re.MULTILINE))

    assert found(project, "macros").state == "ok"


def test_generated_models_that_are_out_of_date_are_named(project: Path) -> None:
    shutil.copytree(PROJECT_DIR / "models", project / "models", dirs_exist_ok=True)
    assert found(project, "generated models").state == "ok"
    model = project / "models" / "curated" / "events.sql"
    model.write_text(model.read_text() + "\n")

    finding = found(project, "generated models")

    assert (finding.state, finding.remedy) == ("warning", "elt models")
    assert finding.seen == "not as this version writes them: models/curated/events.sql"


@pytest.mark.parametrize(("version", "state"), [(package_version(), "ok"), ("0.0.9", "warning")])
def test_a_lock_file_with_another_version_is_reported(project: Path, version: str, state: str) -> None:
    (project / "uv.lock").write_text(f'[[package]]\nname = "ingest-clean"\nversion = "{version}"\n')

    finding = found(project, "locked version")

    assert (finding.state, finding.remedy) == (state, "uv sync" if state == "warning" else "")


def test_a_variable_that_nothing_reads_is_named_with_what_may_be_meant(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".env").write_text("ELT_BUCKET=lakefs\nELT_RUN_TIME_OUT=60\nelt_old=1\nELT_EMPTY=\nOTHER_X=1\n")
    monkeypatch.setenv("ELT_DEV_DATE", "2025-05-20")
    monkeypatch.setenv("ELT_PROJECT_DIR", str(project))
    monkeypatch.setenv("ELT_OLDER", "secret-value")

    finding = found(project, "settings")

    assert finding.state == "warning"
    assert finding.seen == (
        "nothing reads ELT_OLD in .env, ELT_OLDER in the environment, ELT_RUN_TIME_OUT in .env (is it ELT_RUN_TIMEOUT?)"
    )


def test_each_variable_of_the_examples_and_of_the_containers_is_known() -> None:
    texts = [(PROJECT_DIR / name).read_text() for name in (".env.example", "docker-compose.yml", "Dockerfile")]
    named = {name for text in texts for name in re.findall(r"\b(ELT_[A-Z_]+)\b", text)}

    assert named - known_variables(PROJECT_DIR) == set()
    assert "ELT_STATE_DIR" in named
