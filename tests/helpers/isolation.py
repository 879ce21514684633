"""Isolate the suite from the developer's settings, `.env`, local servers and Prefect profile.

Imported before anything of the project. The session's project folder links to all of the checkout but `.env` and the
state folder, and is the working folder, since Prefect reads the `.env` there. An audit hook refuses the real ones.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from threading import Event

CHECKOUT = Path(__file__).resolve().parents[2]
PERSONAL = ("ELT_", "LAKEFS_", "PREFECT_", "SHOP_", "DBT_", "STACK_", "INGEST_CLEAN_", "SPARK_", "PYSPARK_")
"""Prefixes of the variables that hold the developer's settings."""

_LEFT_OUT = {".env", ".elt", ".venv", "target", "logs"}
_REFUSED = tuple(
    str(path)
    for path in (
        CHECKOUT / ".env",
        CHECKOUT / ".elt",
        Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect").expanduser().absolute(),
    )
)


_ended = Event()


def _session_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="ingest-clean-tests-")).resolve()
    project = folder / "project"
    project.mkdir()
    for path in CHECKOUT.iterdir():
        if path.name not in _LEFT_OUT:
            (project / path.name).symlink_to(path)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_SESSION = _session_folder()
ENVIRONMENT = {
    "ELT_PROJECT_DIR": str(_SESSION / "project"),
    "PREFECT_HOME": str(_SESSION / "prefect"),
    "PREFECT_PROFILES_PATH": str(_SESSION / "prefect" / "profiles.toml"),
}
"""The settings of every process of the suite, instead of the developer's."""
PROJECT = Path(ENVIRONMENT["ELT_PROJECT_DIR"])
"""The session's project folder, in which a process that reads `.env` may run."""


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if _ended.is_set():
        return
    if event in ("open", "os.listdir") and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 (a link to these is not followed)
        if path in _REFUSED or path.startswith(tuple(f"{refused}{os.sep}" for refused in _REFUSED)):
            raise AssertionError(f"a test must not touch {path}: it belongs to the developer")


def release() -> None:
    """Stop refusing files: pytest returns to its first folder, and removes old temporary ones by relative names."""
    _ended.set()


def isolate() -> None:
    """Give this process the session's settings and working folder."""
    for name in list(os.environ):
        if name.startswith(PERSONAL):
            del os.environ[name]
    os.environ.update(ENVIRONMENT)
    os.chdir(_SESSION / "project")
    sys.addaudithook(_refuse)
