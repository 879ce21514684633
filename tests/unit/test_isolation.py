"""The settings and files of the developer are out of reach of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.settings import get_current_settings

from orchestration.settings import read_settings
from tests.helpers.isolation import CHECKOUT, ENVIRONMENT, PROJECT


@pytest.mark.parametrize("path", [CHECKOUT / ".env", CHECKOUT / ".elt" / "run" / "lakefs.json", CHECKOUT / ".elt"])
def test_files_of_the_developer_are_refused_to_every_test(path: Path) -> None:
    with pytest.raises(AssertionError, match="belongs to the developer"):
        path.open("rb")
    with pytest.raises(AssertionError, match="belongs to the developer"):
        list(path.iterdir())


def test_settings_and_prefect_are_those_of_the_session() -> None:
    assert read_settings().project_dir == PROJECT
    assert str(get_current_settings().home) == ENVIRONMENT["PREFECT_HOME"]
    assert (PROJECT / "dbt_project.yml").is_file()
    assert not (PROJECT / ".env").exists()
