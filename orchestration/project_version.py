"""Which version of this package made a project's files: `ingest-clean.json`, by `elt new` and `elt upgrade`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from orchestration.errors import UsageError

RECORD = "ingest-clean.json"


@dataclass(frozen=True)
class ProjectRecord:
    """What made the files of a project.

    Attributes:
        version: The version of this package that wrote them last.
        files: The SHA-256 of each file that `elt upgrade` replaces, as it was written, by path below the project.
    """

    version: str
    files: Mapping[str, str]

    def to_text(self) -> str:
        """Return the content of the project's file."""
        return json.dumps({"version": self.version, "files": dict(sorted(self.files.items()))}, indent=2) + "\n"


def package_version() -> str:
    """Return the version of this package, which pyproject.toml has."""
    return version("ingest-clean")


def read_record(project_dir: Path) -> ProjectRecord | None:
    """Return what made a project; None if nothing is recorded, as in the checkout of this package.

    Raises:
        UsageError: The file is not as this package writes it.
    """
    file = project_dir / RECORD
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        record = ProjectRecord(str(content["version"]), dict(content["files"]))
        _parts(record.version)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{file} cannot be read: {error!r}", remedy="restore it from git") from error
    return record


def require_supported(project_dir: Path) -> None:
    """Require that a project is not of a newer version than this package.

    Raises:
        UsageError: It is, or its record cannot be read.
    """
    record = read_record(project_dir)
    if record and is_newer(record.version, package_version()):
        raise UsageError(
            f"{project_dir} is a project of ingest-clean {record.version}, and {package_version()} is installed",
            remedy="install that version or a newer one: uv sync",
        )


def is_newer(one: str, other: str) -> bool:
    """Return whether a version of this package is newer than another."""
    return _parts(one) > _parts(other)


def _parts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
