"""What a published table depends on in the project, and which of it changed since a receipt was written."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.dbt_runner.manifest import macros_of
from orchestration.framework import macro_path
from orchestration.lake.client import MAIN, Lake
from orchestration.settings import EngineName

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

_CODE_FOLDERS = ("models", "macros")
"""The folders of a project that decide what happens to its rows, besides the framework's macros."""


@dataclass(frozen=True)
class TableCode:
    """The code that builds one published table.

    Attributes:
        models: The names of its models, inputs first.
        files: The files of its models, of their macros and of their sources' declarations: below the project, or
            absolute for macros of an installed package.
    """

    models: tuple[str, ...]
    files: frozenset[str]


def code_of(manifest: Manifest, unique_id: str, project_dir: Path, engine: EngineName = "duckdb") -> TableCode:
    """Return the code that builds a model on an engine: everything that it reads or uses, directly or indirectly."""
    models: dict[str, None] = {}
    files: set[str] = set()
    _add_inputs(manifest, unique_id, models, files)
    files |= {manifest.macros[name].original_file_path for name in macros_of(manifest, models, engine)}
    names = tuple(manifest.nodes[model].name for model in models)
    return TableCode(names, frozenset(_below(project_dir, file) for file in files))


def _below(project_dir: Path, file: str) -> str:
    path = project_dir / file
    return path.relative_to(project_dir).as_posix() if path.is_relative_to(project_dir) else file


def _add_inputs(manifest: Manifest, unique_id: str, models: dict[str, None], files: set[str]) -> None:
    if unique_id in models:
        return
    node: Any = manifest.nodes[unique_id]
    for name in node.depends_on.nodes:
        if name in manifest.sources:
            files.add(manifest.sources[name].original_file_path)
        elif name in manifest.nodes:
            _add_inputs(manifest, name, models, files)
    files.add(node.original_file_path)
    models[unique_id] = None


@dataclass(frozen=True)
class CodeHistory:
    """Names the files that changed since a version was published, if git has the commit that published it.

    A receipt has only one digest for all code. The merge that published it names the project's git commit.
    """

    lake: Lake
    project_dir: Path
    _commits: dict[str, str] = field(default_factory=dict)
    _files: dict[str, frozenset[str]] = field(default_factory=dict)

    def changed_files(self, code: str) -> frozenset[str]:
        """Return the files of models and macros that differ from those with this digest; empty if git has them not."""
        if code not in self._files:
            self._files[code] = self._differing(self._commit(code))
        return self._files[code]

    def _commit(self, code: str) -> str:
        if not self._commits:
            for merge in self.lake.log(MAIN):
                said = merge.metadata
                self._commits.setdefault(said.get("code", ""), said.get("code_version", ""))
        return self._commits.get(code, "")

    def _differing(self, commit: str) -> frozenset[str]:
        # `unknown`, or a commit with `-dirty`, whose files git does not have.
        if not commit.isalnum():
            return frozenset()
        options = ["diff", "--name-only", "--relative", commit, "--", *_CODE_FOLDERS]
        if (macros := macro_path()).is_relative_to(self.project_dir):
            options.append(str(macros))
        try:
            found = subprocess.run(
                ["git", "-C", str(self.project_dir), *options], capture_output=True, text=True, check=True, timeout=60
            )
        except (OSError, subprocess.SubprocessError):
            return frozenset()
        return frozenset(found.stdout.splitlines())
