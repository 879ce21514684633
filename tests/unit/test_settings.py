"""Sources, messages of invalid settings, and file permissions."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestration import private
from orchestration import settings as settings_module
from orchestration.cli.app import app
from orchestration.errors import UsageError
from orchestration.log import log_to
from orchestration.settings import find_project, read_settings, warn_of_readable_secrets
from orchestration.source_names import source_names
from orchestration.workdir import work_directory
from tests.helpers.isolation import ENVIRONMENT
from tests.helpers.projects import events_only, settings_of, write_sources


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# sources


def test_only_dbt_sources_are_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events_only(tmp_path)
    (tmp_path / ".env").write_text("GITLAB_API_URL=not a url\n")
    settings = settings_of(
        monkeypatch,
        tmp_path,
        SHOP_API_URL="http://shop.example",
        GITHUB_API_URL="https://api.github.com",
        INTRANET_API_URL="https://a:b@c",
        SHOP_CITY_API_URL="http://city.example",
    )
    assert {name: source.url for name, source in settings.sources.items()} == {"shop": "http://shop.example"}


def test_a_source_without_an_address_is_not_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sources(tmp_path, {"events": {}}, source="open_data")
    assert settings_of(monkeypatch, tmp_path).sources == {}
    named = settings_of(monkeypatch, tmp_path, OPEN_DATA_API_URL="http://data.example", OPEN_DATA_API_TOKEN="sesam")
    assert list(named.sources) == ["open_data"]
    assert named.sources["open_data"].token


@pytest.mark.parametrize(
    "text", ["sources: [", "- sources", "sources: 3", "sources: [{}]", "sources:\n  - name: 3", "\xff"]
)
def test_a_file_that_is_not_valid_names_no_source_and_stops_no_command(tmp_path: Path, text: str) -> None:
    events_only(tmp_path)
    (tmp_path / "models" / "broken.yml").write_text(text, encoding="latin-1")
    assert source_names(tmp_path) == {"shop"}


# messages


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHOP_API_URL", "https://user:pa/sesam@host"),
        ("SHOP_API_URL", "https://shop.example/?api_key=sesam"),
        ("SHOP_API_URL", "shop.example?token=sesam"),
        ("LAKEFS_ENDPOINT", "http://sesam:sesam@127.0.0.1:8000"),
        ("PREFECT_API_URL", "https://user:sesam@prefect.example/api"),
    ],
)
def test_an_invalid_address_is_named_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    events_only(tmp_path)
    with pytest.raises(UsageError) as refused:
        settings_of(monkeypatch, tmp_path, **{name: value})
    assert refused.value.cause.startswith(f"{name}: ")
    assert name in refused.value.remedy
    assert "sesam" not in refused.value.describe()


def test_another_invalid_value_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"^ELT_RETRIES='many': "):
        settings_of(monkeypatch, tmp_path, ELT_RETRIES="many")


# permissions


def test_an_env_file_with_secrets_that_others_may_read_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(monkeypatch, tmp_path)
    logged: list[str] = []
    env = tmp_path / ".env"
    env.write_text("ELT_RETRIES=1\nSHOP_API_TOKEN=\n")
    env.chmod(0o644)
    warn_of_readable_secrets(settings, log_to(logged.append))
    assert logged == []
    env.write_text("SHOP_API_TOKEN=sesam\nLAKEFS_SECRET_KEY=sesam\n")
    warn_of_readable_secrets(settings, log_to(logged.append))
    (line,) = logged
    assert line.startswith("warning: ")
    assert "LAKEFS_SECRET_KEY, SHOP_API_TOKEN" in line
    assert f"chmod 600 {env}" in line
    assert "sesam" not in line
    env.chmod(0o600)
    warn_of_readable_secrets(settings, log_to(logged.append))
    assert logged == [line]


def test_the_state_folder_is_readable_by_the_owner_only(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    (state / "kept").touch()
    before = os.umask(0o022)
    try:
        with work_directory(state, "2025-05-20") as folder:
            assert mode(folder) == 0o700
        assert mode(state) == 0o700
        private.private_folder(tmp_path / "new" / "state")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new" / "state") == 0o700


def test_a_folder_that_is_shared_on_purpose_is_left_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    private.private_folder(shared)
    assert mode(shared) == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that belongs to another user")
def test_another_users_folder_is_left_as_it_is(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    os.chown(theirs, 65534, 65534)
    private.private_folder(theirs)
    assert mode(theirs) == 0o755


def test_every_command_makes_files_that_only_the_owner_can_read(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom orchestration.cli.app import main\nsys.argv = ['elt', '--help']\n"
        "try: main()\nexcept SystemExit: Path('written').touch()"
    )
    made = {"PATH": os.environ["PATH"], **ENVIRONMENT}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=made, check=True, capture_output=True, umask=0o022)
    assert mode(tmp_path / "written") == 0o600


def test_the_sessions_settings_name_no_source() -> None:
    assert read_settings().sources == {}


# the project


def test_the_project_is_found_from_a_folder_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = tmp_path / "quakes" / "models" / "staging"
    below.mkdir(parents=True)
    (tmp_path / "quakes" / "dbt_project.yml").touch()
    monkeypatch.delenv("ELT_PROJECT_DIR")
    monkeypatch.chdir(below)

    assert find_project() == tmp_path / "quakes"
    assert read_settings().state_dir == tmp_path / "quakes" / ".elt"


def test_a_folder_outside_of_any_project_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ELT_PROJECT_DIR")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings_module, "PROJECT_DIR", tmp_path / "site-packages")

    with pytest.raises(UsageError, match=re.escape(f"{tmp_path} is not in a project")) as refused:
        read_settings()

    assert "elt new" in refused.value.remedy


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_project_folder_that_is_not_a_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ELT_PROJECT_DIR", str(tmp_path / name))

    with pytest.raises(UsageError, match=rf"ELT_PROJECT_DIR={re.escape(str(tmp_path / name))} is not a folder"):
        read_settings()


def test_a_deleted_working_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "deleted"
    folder.mkdir()
    monkeypatch.delenv("ELT_PROJECT_DIR")
    monkeypatch.chdir(folder)
    folder.rmdir()

    with pytest.raises(UsageError, match="the working folder was deleted"):
        read_settings()


def test_the_models_of_a_folder_without_a_project_are_not_up_to_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ELT_PROJECT_DIR", str(tmp_path))

    ended = CliRunner().invoke(app, ["models", "--check"])

    assert isinstance(ended.exception, UsageError)
    assert "there is no dbt_project.yml" in ended.exception.cause
