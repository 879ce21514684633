"""The suite passes with any servers and settings of the developer."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.helpers.isolation import CHECKOUT

POISON = "poison-of-the-developer"
UNREACHABLE = "http://127.0.0.1:9"
# One test of each kind that reads settings: settings, pid files, a profile, `elt` as a process, a real lakeFS.
SLICE = (
    "tests/unit/test_worker.py",
    "tests/unit/test_notify.py",
    "tests/unit/servers/test_lake_access.py::test_the_local_lake_is_used_while_it_runs",
    "tests/integration/test_cli.py::test_wrong_keys_are_exit_code_5_and_not_printed",
    "tests/integration/test_setup.py::test_the_lake_has_the_gate_of_this_version",
)


def poisoned_checkout(folder: Path) -> Path:
    """A copy of the checkout whose `.env`, state folder and Prefect settings would each make a test fail."""
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=CHECKOUT, text=True
    )
    for name in listed.split("\0"):
        if name and (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, folder / name)
    (folder / ".env").write_text(
        f"ELT_RETRIES={POISON}\nLAKEFS_ENDPOINT={UNREACHABLE}\nPREFECT_API_URL={UNREACHABLE}/api\nPREFECT_SERVER_API_PORT={POISON}\n"
    )
    run = folder / ".elt" / "run"
    run.mkdir(parents=True)
    for name, port in (("lakefs", 8000), ("prefect", 4200)):
        url = f"http://127.0.0.1:{port}{'/api' if name == 'prefect' else ''}"
        (run / f"{name}.json").write_text(json.dumps({"pid": 1, "created": 0.0, "port": port, "url": url}))
    return folder


def test_the_suite_passes_with_any_settings_of_the_developer(tmp_path: Path) -> None:
    checkout, home = poisoned_checkout(tmp_path / "checkout"), tmp_path / "home"
    (home / ".prefect").mkdir(parents=True)
    (home / ".prefect" / "profiles.toml").write_text(
        f'active = "x"\n[profiles.x]\nPREFECT_SERVER_API_PORT = "{POISON}"\n'
    )
    caches = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "-p",
            "no:cacheprovider",
            f"--basetemp={tmp_path / 'tmp'}",
            *SLICE,
        ],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_CACHE_HOME": caches,
            "PYTHONPATH": str(checkout),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ELT_STATE_DIR": POISON,
            "LAKEFS_ACCESS_KEY": POISON,
            "PREFECT_API_URL": f"{UNREACHABLE}/api",
            "ELT_SOURCE_TIMEOUT": POISON,
        },
        cwd=checkout,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert " passed" in ended.stdout
