"""`elt upgrade`: bring a project's files to the installed version, and leave what its people changed."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from orchestration.errors import UsageError
from orchestration.models.generate import write_models
from orchestration.private import make_project_folder
from orchestration.project_version import RECORD, ProjectRecord, package_version, read_record, require_supported
from orchestration.scaffold.files import owned_files, recorded, rights_of
from orchestration.workdir import translate_disk_errors

BESIDE = ".new"
"""What is appended to the name of a file that an upgrade writes beside a changed one."""


@dataclass(frozen=True)
class Upgraded:
    """What an upgrade did.

    Attributes:
        before: The version that wrote the project's files last.
        version: The installed version, which they are of now.
        replaced: The files that were replaced, or written for the first time.
        compare: The files that the project has changed, and that this version has changed too. They are left, and
            this version's are beside them.
        deleted: The files that this version has changed, and that the project has deleted.
        models: The generated models that were written.
    """

    before: str
    version: str
    replaced: tuple[str, ...]
    compare: tuple[str, ...]
    deleted: tuple[str, ...]
    models: tuple[str, ...]


def upgrade_project(folder: Path) -> Upgraded:
    """Bring the files of a project to the installed version. Again, it changes nothing.

    The record is written last. Until then, a file has its former content or its new one, so running it again after an
    interruption completes it.

    Raises:
        UsageError: The project has no record or one of a newer version, or a source's declaration is not valid.
        DiskFailed: A file could not be written.
    """
    require_supported(folder)
    record = read_record(folder)
    if record is None:
        raise UsageError(
            f"{folder} has no {RECORD}: it is not a project of `elt new`, or one of ingest-clean 0.1",
            remedy="follow docs/upgrading.md of ingest-clean, From 0.1",
        )
    files = owned_files()
    outdated = {name: content for name, content in files.items() if _needs(folder, name, content, record)}
    unchanged = {name for name in outdated if not _is_changed(folder, name, record)}
    compare = {name for name in outdated.keys() - unchanged if (folder / name).exists()}
    with translate_disk_errors(folder):
        for name, content in outdated.items():
            if name in unchanged:
                _replace(folder / name, content, rights_of(name))
            elif name in compare:
                _replace(folder / f"{name}{BESIDE}", content, rights_of(name))
        models = write_models(folder)
        text = recorded(files).to_text().encode()
        if (folder / RECORD).read_bytes() != text:
            _replace(folder / RECORD, text, rights_of(RECORD))
    replaced, changed, deleted = sorted(unchanged), sorted(compare), sorted(outdated.keys() - unchanged - compare)
    return Upgraded(record.version, package_version(), tuple(replaced), tuple(changed), tuple(deleted), tuple(models))


def changed_files(folder: Path, record: ProjectRecord) -> tuple[str, ...]:
    """Return the files that are not as the version of the record wrote them, without those that were deleted."""
    return tuple(name for name in record.files if (folder / name).is_file() and _is_changed(folder, name, record))


def left_beside(folder: Path, record: ProjectRecord) -> tuple[str, ...]:
    """Return the files that an upgrade has written beside changed ones, and that are still there."""
    return tuple(f"{name}{BESIDE}" for name in record.files if (folder / f"{name}{BESIDE}").exists())


def _needs(folder: Path, name: str, content: bytes, record: ProjectRecord) -> bool:
    """Return whether this version has something new for a file, which the project does not have yet."""
    return _digest(content) != record.files.get(name) and _content(folder / name) != content


def _is_changed(folder: Path, name: str, record: ProjectRecord) -> bool:
    """Return whether the project changed or deleted a file since the record was written."""
    there = _content(folder / name)
    return (None if there is None else _digest(there)) != record.files.get(name)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _replace(path: Path, content: bytes, rights: int) -> None:
    """Write a file so that it never has a part of its content, even after a power cut."""
    make_project_folder(path.parent)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 (a file descriptor)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(unfinished).chmod(rights)
        Path(unfinished).replace(path)
    except BaseException:
        Path(unfinished).unlink(missing_ok=True)
        raise
