"""Checks of the project's files: which of them an earlier version made, and which settings nothing reads."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.doctor.checks import Check, Result, ok, warning
from orchestration.errors import UsageError
from orchestration.framework import MACROS_VARIABLE
from orchestration.project_version import RECORD, ProjectRecord, package_version, read_record
from orchestration.settings import PROJECT_FILE, EltSettings

if TYPE_CHECKING:
    from orchestration.settings import Settings

_DIST = "ingest-clean"
_FROM_0_1 = "follow docs/upgrading.md of ingest-clean, From 0.1"


def project_checks(settings: Settings) -> Iterator[Check]:
    """Return the checks of the project's files and settings, which ask no server."""
    folder = settings.project_dir
    yield Check("project version", partial(_version, folder))
    if record := _record(folder):
        yield Check("project files", partial(_files, folder, record))
    yield Check("macros", partial(_macros, folder))
    yield Check("generated models", partial(_models, folder))
    if (lock := folder / "uv.lock").exists():
        yield Check("locked version", partial(_lock, lock))
    yield Check("settings", partial(_settings, folder))


def _record(folder: Path) -> ProjectRecord | None:
    try:
        return read_record(folder)
    except UsageError:
        # The check of the version reports it.
        return None


def _version(folder: Path) -> Result:
    """Compare the version that wrote the files. A newer one is refused before any check."""
    record = read_record(folder)
    if record is None:
        return ok(f"no {RECORD}: no file of the project is replaced by elt upgrade")
    if record.version == package_version():
        return ok(record.version)
    return warning(f"its files are of {record.version}, and {package_version()} is installed", "elt upgrade")


def _files(folder: Path, record: ProjectRecord) -> Result:
    from orchestration.scaffold.upgrade import BESIDE, changed_files, left_beside

    if left := left_beside(folder, record):
        return warning(
            f"elt upgrade left {', '.join(left)}, because the files without {BESIDE} were changed by hand",
            f"take over what is new in each, then delete the one with {BESIDE}",
        )
    if changed := changed_files(folder, record):
        return ok(f"changed by hand, and left so by elt upgrade: {', '.join(changed)}")
    return ok("those that elt upgrade replaces are as it wrote them")


def _macros(folder: Path) -> Result:
    text = (folder / PROJECT_FILE).read_text(encoding="utf-8")
    declared = re.search(r"^macro-paths:(.*(?:\n[ \t-].*)*)", text, re.MULTILINE)
    if declared and MACROS_VARIABLE in declared[1]:
        return ok("those of ingest-clean come from the installed package")
    return warning(
        f"macro-paths in {PROJECT_FILE} does not have {MACROS_VARIABLE}: the project has macros of an earlier version",
        _FROM_0_1,
    )


def _models(folder: Path) -> Result:
    from orchestration.models.generate import generated_files, outdated_files

    files = generated_files(folder)
    if outdated := outdated_files(folder, files):
        return warning(f"not as this version writes them: {', '.join(outdated)}", "elt models")
    return ok(f"{len(files)} files are as this version writes them")


def _lock(lock: Path) -> Result:
    """Compare the installed version of this package with that of the lock file."""
    packages = tomllib.loads(lock.read_text(encoding="utf-8")).get("package", ())
    locked = next((one.get("version", "") for one in packages if one.get("name") == _DIST), "")
    if not locked or locked == package_version():
        return ok(f"{_DIST} {package_version()} is installed")
    return warning(f"{lock.name} has {_DIST} {locked}, and {package_version()} is installed", "uv sync")


def _settings(folder: Path) -> Result:
    """Find variables that nothing reads: misspelled ones, and those of an earlier version."""
    known = known_variables(folder)
    unknown = {name: place for name, place in _named(folder).items() if name.startswith("ELT_") and name not in known}
    if not unknown:
        return ok("each ELT_ variable is one of a setting")
    shown = ", ".join(f"{name} in {place}{_meant(name, known)}" for name, place in sorted(unknown.items()))
    return warning(f"nothing reads {shown}", "correct or remove it; .env.example of ingest-clean has every setting")


def known_variables(folder: Path) -> frozenset[str]:
    """Return the ELT_ variables that are read: those of settings, and those that the project's dbt files name."""
    texts = (path.read_text(encoding="utf-8") for path in (folder / PROJECT_FILE, *folder.glob("profiles/*.yml")))
    of_dbt = {name for text in texts for name in re.findall(r"env_var\(\s*['\"](ELT_\w+)", text)}
    return frozenset({"ELT_PROJECT_DIR", *(f"ELT_{name}".upper() for name in EltSettings.model_fields), *of_dbt})


def _named(folder: Path) -> dict[str, str]:
    """Return the names of all variables, with where each one is set."""
    from dotenv import dotenv_values

    places: dict[str, Mapping[str, str | None]] = {
        ".env": dotenv_values(folder / ".env"),
        "the environment": os.environ,
    }
    return {name.upper(): place for place, values in places.items() for name, value in values.items() if value}


def _meant(name: str, known: frozenset[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1, cutoff=0.85)
    return f" (is it {near[0]}?)" if near else ""
