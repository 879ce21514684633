"""`elt models`: write the files generated from the declarations, or compare them.

Generated SQL begins with `MARK`. A file with that beginning is reported if it differs or belongs to no table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestration.errors import UsageError
from orchestration.models.contracts import contract_of, contract_path
from orchestration.models.sql import digest, sql_of, staging_path
from orchestration.private import write_project_file
from orchestration.source.config import Table, declared_tables

MARK = "-- Generated from "
_DIGEST = re.compile(r"Declaration ([0-9a-f]{12})\.")


def generated_files(project_dir: Path) -> dict[str, str]:
    """Return the text of every generated file by its path below the project.

    Raises:
        UsageError: A declaration is invalid, two tables have a model of the same name, a YAML cannot be updated, or a
            file remains of a table that is no longer declared.
    """
    tables = declared_tables(project_dir)
    files: dict[str, str] = {}
    made_by: dict[str, str] = {}
    for table in tables:
        path = contract_path(table)
        there = project_dir / path
        text = there.read_text(encoding="utf-8") if there.exists() else None
        for made, content in {**sql_of(table, project_dir), path: contract_of(table, text, project_dir)}.items():
            model = Path(made).stem
            if made_by.setdefault(model, table.label) != table.label:
                raise UsageError(
                    f"{made_by[model]} and {table.label} both make a model {model}",
                    remedy="give one of the tables another name",
                )
            files[made] = content
    _require_no_leftover(project_dir, files)
    return files


def _require_no_leftover(project_dir: Path, files: Mapping[str, str]) -> None:
    paths = {path.relative_to(project_dir).as_posix(): path for path in sorted(project_dir.glob("models/**/*.sql"))}
    left = [
        name for name, path in paths.items() if name not in files and path.read_text(encoding="utf-8").startswith(MARK)
    ]
    if left:
        raise UsageError(
            f"generated from a table that is not declared any more: {', '.join(left)}",
            remedy=f"rm {' '.join(left)}, and the table's YAML in models/curated",
        )


def outdated_files(project_dir: Path, files: Mapping[str, str]) -> list[str]:
    """Return the paths of generated files that are missing or differ from their declaration."""
    return [
        name
        for name, content in files.items()
        if not (path := project_dir / name).exists() or path.read_text(encoding="utf-8") != content
    ]


def write_models(project_dir: Path) -> list[str]:
    """Write the generated files that are missing or out of date, and return their paths.

    Raises:
        UsageError: See `generated_files`.
    """
    files = generated_files(project_dir)
    outdated = outdated_files(project_dir, files)
    for name in outdated:
        write_project_file(project_dir / name, files[name].encode())
    return outdated


def require_current(project_dir: Path) -> int:
    """Require that every generated file is up to date, and return how many there are.

    Raises:
        UsageError: A file is out of date; the message names all of them. See also `generated_files`.
    """
    files = generated_files(project_dir)
    outdated = outdated_files(project_dir, files)
    if outdated:
        raise UsageError(f"out of date with the sources' YAML: {', '.join(outdated)}", remedy="elt models")
    return len(files)


def require_declared(project_dir: Path, tables: Sequence[Table]) -> None:
    """Require that the models were generated from the current declarations. Changes by hand are not detected.

    Raises:
        UsageError: A staging model is out of date or missing.
    """
    for table in tables:
        path = project_dir / staging_path(table)
        found = _DIGEST.search(path.read_text(encoding="utf-8")) if path.exists() else None
        if found is None or found[1] != digest(table):
            raise UsageError(
                f"{staging_path(table)} was not generated from what {table.file} declares of {table.label} now",
                remedy="elt models",
            )
