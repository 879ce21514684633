"""The Parquet that a Spark build wrote, moved to its keys.

Spark names its files itself and writes them to a folder for each model. They are moved when dbt has tested them, as
they are, by a copy inside lakeFS. A table with more rows than one file has gets numbered files: `data-00001.parquet`.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath

from orchestration.errors import PlatformFailed
from orchestration.lake.client import Lake

FOLDER = "_spark/"
"""Below the root of a run's branch. Nothing of it is committed."""

_AT_ONCE = 8


def place_files(lake: Lake, branch: str, models: Mapping[str, str]) -> dict[str, str]:
    """Move what Spark wrote, and return the name of its model by key.

    What an interrupted or failed build wrote incompletely is deleted with the folder. A former file at the key of a
    table that has numbered files now is deleted too.

    Args:
        lake: The repository.
        branch: The run's branch.
        models: The name of each model that was built, by the key of its file.

    Raises:
        PlatformFailed: A file is missing.
    """
    written = [stored.key for stored in lake.objects(branch, FOLDER)]
    files = [key for key in written if key.endswith(".parquet") and "/_temporary/" not in key]
    moves: dict[str, str] = {}
    placed: dict[str, str] = {}
    replaced: list[str] = []
    for key, name in models.items():
        parts = sorted(part for part in files if part.startswith(_folder(name, key)))
        if not parts:
            raise PlatformFailed(f"dbt reported that {name} was built, but Spark wrote no file for {key}")
        targets = [key]
        if len(parts) > 1:
            targets = [_numbered(key, number) for number, _ in enumerate(parts, 1)]
            replaced.append(key)
        moves |= dict(zip(parts, targets, strict=True))
        placed |= dict.fromkeys(targets, name)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for _ in pool.map(lambda part: lake.copy(branch, part, moves[part]), moves):
            pass
    lake.delete(branch, [*written, *replaced])
    return placed


def _folder(name: str, key: str) -> str:
    """Return the folder that the macro `spark__lake_uri` names."""
    return f"{FOLDER}{name}/{PurePosixPath(key).stem}/"


def _numbered(key: str, number: int) -> str:
    return f"{key.removesuffix('.parquet')}-{number:05d}.parquet"
