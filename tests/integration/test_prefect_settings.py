"""Prefect's own settings, as a fresh process reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.helpers.isolation import PROJECT


def test_prefects_profile_is_read(tmp_path: Path) -> None:
    profiles = tmp_path / "profiles.toml"
    profiles.write_text('active = "x"\n[profiles.x]\nPREFECT_API_URL = "http://profile.example/api"\n')
    code = "from orchestration.servers import prefect; found = prefect._profile(); print(found.url if found else None)"
    for name, said in [("profiles.toml", "http://profile.example/api"), ("none.toml", "None")]:
        answer = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PREFECT_PROFILES_PATH": str(tmp_path / name), "PREFECT_HOME": str(tmp_path)},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert answer.stdout.strip() == said


def test_invalid_prefect_settings_are_a_usage_error(tmp_path: Path) -> None:
    code = (
        "from orchestration.errors import UsageError\nfrom orchestration.servers import prefect\n"
        "try: prefect._profile()\nexcept UsageError as error: print(error.describe())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PREFECT_HOME": str(tmp_path), "PREFECT_SERVER_API_PORT": "many"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Prefect's own settings are invalid" in answer.stdout
    assert "many" in answer.stdout
