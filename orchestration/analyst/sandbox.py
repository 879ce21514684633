"""Sandboxes: branches of `main`, cut without a copy, where an analyst's dbt reads published data and writes.

A sandbox also has a folder on the analyst's machine, with its DuckDB file and a file that describes it to dbt. Nothing
in a sandbox can reach `main`: no receipt covers what dbt writes there, so the gate refuses it.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.analyst.removal import read_warning
from orchestration.dbt_runner.inputs import SANDBOX_FILE, Sandbox
from orchestration.errors import LakeExists, LakeNotFound, UsageError
from orchestration.lake.catalog import read_catalog
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.listed import Change
from orchestration.lake.s3 import open_duckdb
from orchestration.private import private_folder
from orchestration.sql import names_one_object, read_parquet
from orchestration.workdir import translate_disk_errors

if TYPE_CHECKING:
    import duckdb

PREFIX = "sandbox-"
"""The prefix of the branches of sandboxes."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")


@dataclass(frozen=True)
class SandboxListing:
    """A sandbox as `list` shows it.

    Attributes:
        name: Its name.
        branch: Its branch.
        base: The commit of `main` that it was cut from.
        folder: Its local folder; empty if it was created on another machine.
        removed_after: When housekeeping may remove it; None if it gave no warning.
    """

    name: str
    branch: str
    base: str
    folder: str
    removed_after: datetime | None = None


@dataclass(frozen=True)
class Difference:
    """A key that differs between a sandbox and the commit it was cut from.

    Attributes:
        key: The key.
        type: The change: added, changed or removed.
        rows_before: The rows at the commit; None if there is no Parquet to count.
        rows_after: The same in the sandbox.
        rows_gone: The rows that only the commit has.
        rows_new: The rows that only the sandbox has.
        problem: The reason if rows could not be counted.
    """

    key: str
    type: str
    rows_before: int | None
    rows_after: int | None
    rows_gone: int | None
    rows_new: int | None
    problem: str = ""


def create(lake: Lake, state_dir: Path, name: str) -> Path:
    """Create the branch at the head of `main`, without a copy, and return the sandbox's local folder.

    Raises:
        UsageError: The name is taken or invalid, or nothing is published yet.
    """
    branch, folder = _branch(name), folder_of(state_dir, name)
    base = lake.head(MAIN)
    dates = read_catalog(lake, base)
    if not dates.receipts:
        raise UsageError("no date is published yet, so a sandbox would be empty", remedy="elt run DATE")
    raw = {date: receipt.inputs for date, receipt in dates.receipts.items()}
    sandbox = Sandbox(lake.repository, branch, base, raw, dates.files)
    if branch in lake.branches(branch):
        raise _taken(name)
    with translate_disk_errors(folder):
        private_folder(state_dir)
        # Remove what a dropped sandbox of the same name has left.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / SANDBOX_FILE).write_text(json.dumps(asdict(sandbox)), encoding="utf-8")
    try:
        lake.create_branch(branch, base)
    except LakeExists as error:
        raise _taken(name) from error
    return folder


def variables(folder: Path) -> dict[str, str]:
    """Return the environment variables that dbt needs for the sandbox. It reads lakeFS's keys as `elt` does."""
    return {"DBT_PROFILES_DIR": "profiles", "ELT_SANDBOX": str(folder)}


def list_sandboxes(lake: Lake, state_dir: Path) -> Iterator[SandboxListing]:
    """Yield all sandboxes of the repository, by name."""
    for branch in lake.branches(PREFIX):
        name = branch.removeprefix(PREFIX)
        folder = folder_of(state_dir, name)
        warned = read_warning(lake, branch)
        yield SandboxListing(
            name,
            branch,
            lake.merge_base(branch),
            str(folder) if folder.exists() else "",
            warned.removed_after if warned else None,
        )


def differences(lake: Lake, name: str) -> Iterator[Difference]:
    """Yield each key that dbt changed in the sandbox since it was cut, with row counts if it is Parquet.

    Raises:
        UsageError: There is no such sandbox.
        PlatformFailed: The lake cannot be reached.
    """
    branch = _branch(name)
    try:
        base = lake.merge_base(branch)
        changes = list(lake.changes(base, branch))
    except LakeNotFound:
        raise _missing(lake, name) from None
    with open_duckdb(lake, base, branch) as connection:
        for change in changes:
            yield _difference(lake, connection, base, branch, change)


def drop(lake: Lake, state_dir: Path, name: str) -> None:
    """Delete the sandbox's branch, with everything written on it, and its local folder.

    Raises:
        UsageError: There is no such sandbox.
    """
    branch, folder = _branch(name), folder_of(state_dir, name)
    if branch not in lake.branches(branch) and not folder.exists():
        raise _missing(lake, name)
    lake.delete_branch(branch)
    with translate_disk_errors(folder):
        if folder.exists():
            shutil.rmtree(folder)


def _branch(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is not a valid sandbox name",
            remedy="use up to 60 letters, digits, '-' and '_', beginning with a letter or digit",
        )
    return PREFIX + name


def folder_of(state_dir: Path, name: str) -> Path:
    """Return the local folder of a sandbox, which exists on the machine that created it."""
    return state_dir / "sandboxes" / name


def _taken(name: str) -> UsageError:
    return UsageError(f"sandbox {name} exists already", remedy=f"choose another name, or elt sandbox drop {name}")


def _missing(lake: Lake, name: str) -> UsageError:
    names = [branch.removeprefix(PREFIX) for branch in lake.branches(PREFIX)]
    return UsageError(
        f"there is no sandbox {name}", remedy=f"there are {', '.join(names)}" if names else "elt sandbox create NAME"
    )


def _difference(
    lake: Lake, connection: duckdb.DuckDBPyConnection, base: str, branch: str, change: Change
) -> Difference:
    import duckdb

    unread = Difference(change.key, change.type, None, None, None, None)
    if not change.key.endswith(".parquet"):
        return unread
    if not names_one_object(change.key):
        return replace(unread, problem="rows not counted: DuckDB would interpret parts of this key, such as a pattern")
    try:
        return _counted(lake, connection, base, branch, change)
    except duckdb.Error as error:
        # This raises if the lake fails, and not only this file.
        lake.head(branch)
        cause = str(error).partition("\n")[0]
        return replace(unread, problem=f"rows not counted: {cause}")


def _counted(lake: Lake, connection: duckdb.DuckDBPyConnection, base: str, branch: str, change: Change) -> Difference:
    before, after = (read_parquet([f"s3://{lake.repository}/{ref}/{change.key}"]) for ref in (base, branch))

    def count(sql: str) -> int:
        (found,) = connection.execute(f"select count(*) from {sql}").fetchall()  # noqa: S608
        return int(found[0])

    def columns(sql: str) -> list[tuple[str, str]]:
        return [(row[0], row[1]) for row in connection.execute(f"describe select * from {sql}").fetchall()]  # noqa: S608

    was, now = change.type != "added", change.type != "removed"
    alike = was and now and columns(before) == columns(after)
    return Difference(
        change.key,
        change.type,
        rows_before=count(before) if was else None,
        rows_after=count(after) if now else None,
        rows_gone=count(f"(from {before} except all from {after})") if alike else None,
        rows_new=count(f"(from {after} except all from {before})") if alike else None,
    )
