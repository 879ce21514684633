"""Keeps the suite away from what the person at the keyboard has: settings, `.env`, local servers, Prefect's profile.

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

CHECKOUT = Path(__file__).resolve().parents[1]
PERSONAL = ("ELT_", "LAKEFS_", "PREFECT_", "SHOP_", "DBT_")
"""Variables that begin so are the person's own."""

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
"""What every process of the suite has instead of the person's settings."""
PROJECT = Path(ENVIRONMENT["ELT_PROJECT_DIR"])
"""The session's project folder: where a process may run that reads a `.env`."""


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if _ended.is_set():
        return
    if event in ("open", "os.listdir") and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100 (a link to these is not followed)
        if path in _REFUSED or path.startswith(tuple(f"{refused}{os.sep}" for refused in _REFUSED)):
            raise AssertionError(f"a test must not touch {path}: it belongs to the person at the keyboard")


def release() -> None:
    """Refuse no more: pytest goes back to its first folder, and removes old temporary ones by relative names."""
    _ended.set()


def isolate() -> None:
    """Gives this process the session's settings and working folder."""
    for name in list(os.environ):
        if name.startswith(PERSONAL):
            del os.environ[name]
    os.environ.update(ENVIRONMENT)
    os.chdir(_SESSION / "project")
    sys.addaudithook(_refuse)
