"""The project's name, what is named by it, and what prefect.yaml becomes for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import UsageError
from orchestration.flows.deploy import tagged
from orchestration.prefect_file import PrefectFile
from orchestration.project import dashed, is_of_another, own_name, project_name, tag_of
from orchestration.settings import PROJECT_DIR
from tests.helpers.projects import NAME, name_project, settings_of


def test_this_checkout_has_the_name_of_its_dbt_project() -> None:
    assert project_name(PROJECT_DIR) == "ingest_clean"


@pytest.mark.parametrize("name", ["city", "city_till", "a1_b2", "x" * 40])
def test_a_project_has_the_name_that_dbt_has_for_it(tmp_path: Path, name: str) -> None:
    assert project_name(name_project(tmp_path, name)) == name


@pytest.mark.parametrize("name", ["it", "x" * 41, "City", "city__till", "_city", "city_", "city-till", "2_city", "", 7])
def test_a_name_that_servers_cannot_have_or_keep_apart_is_refused(tmp_path: Path, name: Any) -> None:
    name_project(tmp_path, name)

    with pytest.raises(UsageError) as refused:
        project_name(tmp_path)

    assert refused.value.cause == f"{tmp_path / 'dbt_project.yml'}: name {name!r} is not the name of a project"
    assert "3 to 40 of a-z" in refused.value.remedy


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "there is no dbt_project.yml in"),
        (b"name: [", "cannot be read"),
        (b"name: \xff", "cannot be read"),
        (b"- name: city", "name None is not the name of a project"),
    ],
    ids=["no file", "no YAML", "no text", "a list"],
)
def test_a_file_without_a_name_is_refused_with_its_path(tmp_path: Path, content: bytes | None, cause: str) -> None:
    if content is not None:
        (tmp_path / "dbt_project.yml").write_bytes(content)

    with pytest.raises(UsageError, match=cause) as refused:
        project_name(tmp_path)

    assert str(tmp_path) in refused.value.cause
    assert refused.value.remedy


def test_the_repository_has_the_projects_name_unless_another_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_project(tmp_path, "city_till")

    assert settings_of(monkeypatch, tmp_path).repository == "city-till"
    assert settings_of(monkeypatch, tmp_path, ELT_REPOSITORY="elsewhere").repository == "elsewhere"


def test_names_of_two_projects_never_meet() -> None:
    assert own_name("city", "till-api-token") != own_name("city_till", "api-token")
    assert own_name("city_till", "notify-url") == "city-till--notify-url"
    assert dashed("city_till") == "city-till"


def test_only_the_tag_of_another_project_is_of_another() -> None:
    assert is_of_another(["ingest", tag_of("city")], "city_till")
    assert not is_of_another(["ingest", tag_of("city")], "city")
    # Earlier versions had no such tag.
    assert not is_of_another(["ingest", "nightly"], "city")


def test_deployments_and_triggers_get_the_project_and_the_file_is_not_changed() -> None:
    trigger = {"name": "after", "expect": ["prefect.flow-run.Published"], "match_related": {"role": "flow"}}
    other = {"name": "file", "expect": ["file.arrived"], "match_related": {"role": "file"}}
    content: dict[str, Any] = {
        "deployments": [{"name": "marts", "tags": ["marts"], "triggers": [trigger, other]}, {"name": "bare"}]
    }

    found = tagged(PrefectFile("pool", {}, (), content), NAME)

    marts, bare = found["deployments"]
    assert (marts["tags"], bare["tags"]) == (["marts", "project:ingest_clean"], ["project:ingest_clean"])
    of_runs, of_files = marts["triggers"]
    assert (of_runs["name"], of_files["name"]) == ("ingest-clean: after", "ingest-clean: file")
    assert of_runs["match_related"] == [
        {"role": "flow"},
        {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.project:ingest_clean"},
    ]
    assert of_files["match_related"] == {"role": "file"}
    assert content["deployments"][0]["tags"] == ["marts"]
    assert trigger["match_related"] == {"role": "flow"}
