"""`elt new`: begin a project in a folder of its own, with a first table if an answer of its API is at hand."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from orchestration.declare.add import Added, add, draft
from orchestration.declare.draft import Draft
from orchestration.declare.options import NewTable
from orchestration.errors import UsageError
from orchestration.lake.owner import EARLIER
from orchestration.log import Log
from orchestration.project import NAME_RULE, is_name
from orchestration.scaffold.files import installed_from, project_files, write_files
from orchestration.settings import read_settings
from orchestration.source.columns import snake_case
from orchestration.workdir import translate_disk_errors, work_directory

_TAKEN = frozenset({"dbt", "dbt_duckdb", EARLIER})
"""Names of dbt's own packages, and of the repository that earlier versions gave to every project."""


@dataclass(frozen=True)
class Created:
    """A project that was begun.

    Attributes:
        folder: Where.
        name: Its name.
        drafted: Its first table; None without one.
        added: What was written of that table.
    """

    folder: Path
    name: str
    drafted: Draft | None = None
    added: Added | None = None


def name_of(folder: Path) -> str:
    """Return the name of a project in a folder: the folder's own, with underscores.

    dbt, the lakeFS repository and Prefect's deployments take it as it is, or with hyphens.

    Raises:
        UsageError: They would not accept it.
    """
    name = folder.name.replace("-", "_")
    if not is_name(name) or name in _TAKEN:
        raise UsageError(
            f"{folder.name!r} is not the name of a project: dbt or lakeFS would not accept it",
            remedy=f"name the folder by {NAME_RULE}; - becomes _. {', '.join(sorted(_TAKEN))} are taken",
        )
    return name


def table_name(url: str, path: str, sample: Path | None) -> str:
    """Return the name of a table, from the last part of its address, else from the name of its saved answer."""
    last = (path or urlsplit(url).path).split("?")[0].rstrip("/").rpartition("/")[2]
    name = snake_case(last.split(".")[0] or (sample.name.split(".")[0] if sample else ""))
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise UsageError("the table has no name", remedy="give --table NAME")
    return name


def require_empty(folder: Path) -> None:
    """Require that a folder does not exist, or is empty.

    Raises:
        UsageError: It is not.
    """
    if blocking := next((parent for parent in folder.parents if parent.exists() and not parent.is_dir()), None):
        raise UsageError(f"{blocking} is not a folder", remedy="give a new folder")
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise UsageError(
            f"{folder} exists and is not an empty folder", remedy="give a new folder; `elt source add` adds a table"
        )


def create_project(folder: Path, first: NewTable | None, log: Log, *, force: bool = False) -> Created:
    """Write a new project. Its first table is built and tested before.

    The files are made in a folder beside it, which is renamed at the end: a failure leaves nothing.

    Args:
        folder: The folder of the project.
        first: Its first table; None for a project without one.
        log: Takes progress lines.
        force: Write the project although the sample breaks a test.

    Raises:
        UsageError: The folder is not empty, a name is not allowed, or the answer cannot be declared.
        SourceFailed: The API gave no usable answer.
        DataFailed: The sample breaks a test, and `force` is not set.
        DiskFailed: A file could not be written.
    """
    folder = folder.absolute()
    name = name_of(folder)
    require_empty(folder)
    with _made_beside(folder) as made:
        named = {"source": first.wanted.source, "table": first.wanted.table, "url": first.asked.url} if first else {}
        with translate_disk_errors(made):
            write_files(made, project_files(name, installed_from(), **named))
        created = Created(folder, name)
        if first:
            settings = read_settings(made)
            with work_directory(settings.state_dir, "new") as work:
                drafted = draft(settings, first, work, log)
                created = Created(folder, name, drafted, add(settings, drafted, work, log, force=force))
            shutil.rmtree(settings.state_dir, ignore_errors=True)
        # Another `elt new` may have been faster.
        require_empty(folder)
        with translate_disk_errors(folder):
            if folder.exists():
                _fill(folder, made)
            else:
                made.rename(folder)
    return created


def _fill(folder: Path, made: Path) -> None:
    """Move what was made into an existing folder, which keeps its rights and may be somebody's working folder."""
    moved: list[Path] = []
    try:
        for path in sorted(made.iterdir()):
            target = folder / path.name
            moved.append(target)
            shutil.move(path, target)
    except BaseException:
        for target in moved:
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
        raise


@contextmanager
def _made_beside(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside another one. What was made for it is deleted at the end, unless it was renamed."""
    missing = [parent for parent in folder.parents if not parent.exists()]
    with translate_disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        # Otherwise nobody else could read it.
        made.chmod(0o755)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if not folder.exists():
            for parent in missing:
                parent.rmdir()
