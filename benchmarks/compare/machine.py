"""The machine, the versions, and the environment of the contenders that the pipeline does not install."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from orchestration.context import code_version
from orchestration.servers.build import LAKEFS_VERSION
from orchestration.settings import PROJECT_DIR

_LOCKED = PROJECT_DIR / "benchmarks" / "contenders"
"""The folder of the lock file that pins pandas, polars and dlt."""

_VERSIONS = """
import json, sys
from importlib.metadata import version
print(json.dumps({name: version(name) for name in sys.argv[1:]}))
"""


def install_contenders(environment: Path) -> tuple[Path | None, str]:
    """Install pandas, polars and dlt in an environment of their own.

    Return its interpreter and an empty text, or None and why there is no such environment.
    """
    uv = os.environ.get("UV") or str(PROJECT_DIR / "tools" / "uv")
    # Without byte code, the first run would compile it.
    variables = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment), "UV_COMPILE_BYTECODE": "1"}
    variables.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        [uv, "sync", "--locked", "--quiet", "--project", str(_LOCKED)], env=variables, capture_output=True, text=True
    )
    if done.returncode:
        return None, f"not installed: {(done.stderr.strip() or 'uv failed').splitlines()[-1]}"
    folder = environment / ("Scripts" if os.name == "nt" else "bin")
    return folder / "python", ""


def describe(python: Path | None) -> dict[str, Any]:
    """Return the machine, its load now, the commit, and the versions of what is compared."""
    versions = {name: version(name) for name in ("duckdb", "dbt-core", "dbt-duckdb", "prefect", "httpx")}
    if python:
        command = (str(python), "-c", _VERSIONS, "pandas", "polars", "dlt")
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        versions |= json.loads(found.stdout)
    return {
        "commit": code_version(PROJECT_DIR),
        "system": platform.system(),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load": round(os.getloadavg()[0], 1),
        "versions": {"python": platform.python_version(), **versions, "lakefs": LAKEFS_VERSION},
    }


def sentence(machine: dict[str, Any]) -> str:
    """Return what a reader of the figures must know about the machine."""
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"{machine['cores']} cores, {machine['memory_bytes'] / 1e9:.0f} GB, {machine['system']} "
        f"{machine['architecture']}; load {machine['load']} at the start; commit {machine['commit']}; {versions}."
    )
