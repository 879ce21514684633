"""The parsed dbt project: saved per target, and reused until a file it was parsed from changes.

A run's roots and pages reach SQL as DuckDB variables, so one manifest serves all runs of a target. Parsing stores the
database's name in the manifest, so two targets need two manifests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.dbt_runner.session import Project, dbt_session, invoke
from orchestration.errors import UsageError
from orchestration.framework import macro_path
from orchestration.log import SILENT, Log
from orchestration.settings import EngineName
from orchestration.workdir import replace_file

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

DATE_SELECTOR, MARTS_SELECTOR = "date", "marts"
"""The selectors of selectors.yml: what a run of a date builds, and what a run of the marts builds."""

_ON_THE_LAKE = ("lake_parquet", "dated_lake_parquet")
"""The materializations that write to the lake."""

_PARSED_FILES = ("dbt_project.yml", "selectors.yml", "profiles/*.yml", "models/**/*", "macros/**/*", "tests/data/**/*")
_PARSERS = ("dbt-core", "dbt-adapters", "dbt-duckdb", "ingest-clean")
"""The packages whose versions decide what a manifest has. The last one's Python gives dbt its arguments."""

_MACROS = "{macros}"
"""In a saved manifest, the folder of the framework's macros: checkout and environment may be moved."""


def load_manifest(project: Project, *, state_dir: Path, environment: Mapping[str, str], log: Log = SILENT) -> Manifest:
    """Return the manifest of `project`, saved in `state_dir` or parsed (about 2 s) and saved there.

    Args:
        project: Project, target and a folder for dbt's files.
        state_dir: Holds `dbt/manifest-<target>-<digest>.msgpack`, which is written atomically.
        environment: The variables that the profile reads. Only the database's name enters the manifest.
        log: Takes dbt's log lines.

    Raises:
        UsageError: The project does not parse; dbt's message is the cause.
        DiskFailed: dbt's files could not be written.
    """
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumaro_encoder

    saved = saved_manifest(project, state_dir, environment)
    if saved.exists():
        return read_manifest(saved)
    with dbt_session(environment):
        parsed = invoke(project, project.arguments("parse", "--no-partial-parse", "--no-write-json"), log=log)
    if not parsed.success or not isinstance(parsed.result, Manifest):
        raise UsageError(f"the dbt project does not parse: {parsed.exception}", remedy="dbt parse")
    manifest = parsed.result
    _move_macros(manifest, str(macro_path()), _MACROS)
    replace_file(saved, manifest.to_msgpack(extended_mashumaro_encoder))
    _move_macros(manifest, _MACROS, str(macro_path()))
    return manifest


def saved_manifest(project: Project, state_dir: Path, environment: Mapping[str, str]) -> Path:
    """Return the file that has, or will have, the manifest of the project as its files are now."""
    digest = _project_digest(project, environment.get("ELT_DUCKDB_PATH", ""))
    return state_dir / "dbt" / f"manifest-{project.target}-{digest[:16]}.msgpack"


def read_manifest(saved: Path) -> Manifest:
    """Return a saved manifest."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    manifest: Manifest = Manifest.from_msgpack(saved.read_bytes(), decoder=extended_mashumuro_decoder)
    _move_macros(manifest, _MACROS, str(macro_path()))
    manifest.build_flat_graph()
    return manifest


def _move_macros(manifest: Manifest, old: str, new: str) -> None:
    """Give the framework's macros their paths in another folder. dbt has absolute paths of them."""
    for macro in manifest.macros.values():
        if macro.original_file_path.startswith(f"{old}/"):
            macro.path = macro.original_file_path = new + macro.original_file_path.removeprefix(old)


def models_of(manifest: Manifest, selector: str) -> tuple[str, ...]:
    """Return the unique ids of the models that a run builds: those in the folders that its selector names.

    Marts are optional, so a project may lack their selector.

    Raises:
        UsageError: The project has no selector for its dates.
    """
    if selector not in manifest.selectors:
        if selector == MARTS_SELECTOR:
            return ()
        raise UsageError(f"selectors.yml has no selector {selector}", remedy="add it: it names what a run builds")
    described: Any = manifest.selectors[selector]
    folders = tuple(part["value"] for part in described["definition"]["union"] if part.get("method") == "path")
    models = (node for name, node in manifest.nodes.items() if name.startswith("model."))
    return tuple(sorted(node.unique_id for node in models if node.original_file_path.startswith(folders)))


def published_models(
    manifest: Manifest, selector: str, execution_date: str = "", files: Sequence[str] = ()
) -> dict[str, str]:
    """Return the unique ids of the models whose Parquet a run writes, by key.

    Args:
        manifest: The manifest.
        selector: The selector of what the run builds.
        execution_date: The run's date; empty for the marts.
        files: The names of the files of each mart by date.
    """
    found: dict[str, str] = {}
    for unique_id in models_of(manifest, selector):
        node: Any = manifest.nodes[unique_id]
        if node.config.materialized in _ON_THE_LAKE:
            found |= dict.fromkeys(expand(key_on_lake(node), execution_date, files), unique_id)
    return found


def key_on_lake(node: Any) -> str:
    """Return the key of what a model writes, with `{date}` or `{file}` in it where it has one for each of them."""
    key: str = node.config.meta["key_on_lake"].replace("{name}", node.alias)
    return key


def expand(key: str, execution_date: str, files: Iterable[str]) -> tuple[str, ...]:
    """Return the keys of what a model writes: that of the date, or one for each file of a mart by date."""
    if "{file}" in key:
        return tuple(key.replace("{file}", file) for file in files)
    return (key.replace("{date}", execution_date),)


def code_digest(manifest: Manifest, models: Iterable[str], engine: EngineName = "duckdb") -> str:
    """Return the SHA-256 of the code that decides what happens to a run's rows.

    It covers the SQL of `models` (unique ids), each macro of the project and the framework that they use,
    directly or indirectly, and the declarations of their sources: how pages are read, and which rows and days are
    acceptable. Of marts by date, it covers types, constraints and order. A build on Spark uses the macros of DuckDB for
    cleaning, and those of Spark besides.

    Tool versions and descriptions are not included. Runs with equal digests treated their rows alike.
    """
    code: dict[str, Any] = {}
    built = sorted(models)
    for unique_id in built:
        node: Any = manifest.nodes[unique_id]
        code[unique_id] = node.raw_code
        if node.config.materialized == "dated_lake_parquet":
            code[f"{unique_id} declared"] = _declared_by_date(node)
        code |= {name: _declared(manifest.sources[name]) for name in node.depends_on.nodes if name in manifest.sources}
        if engine == "spark":
            # Marts are in one file.
            rows = node.config.meta.get("rows_per_file")
            if rows and "{date}" in (node.config.meta.get("key_on_lake") or ""):
                code[f"{unique_id} rows_per_file"] = rows
    code |= {name: manifest.macros[name].macro_sql for name in macros_of(manifest, built, engine)}
    return hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()


def macros_of(manifest: Manifest, models: Iterable[str], engine: EngineName) -> tuple[str, ...]:
    """Return the unique ids of the macros of the project and the framework that models use, directly or indirectly."""
    waiting: list[str] = []
    for unique_id in models:
        node: Any = manifest.nodes[unique_id]
        waiting += node.depends_on.macros
        # dbt does not list the macro of the materialization itself.
        waiting += _materializations(manifest, node, "duckdb")
        if engine == "spark":
            waiting += _materializations(manifest, node, engine)
    found: dict[str, None] = {}
    while waiting:
        name = waiting.pop()
        macro = manifest.macros.get(name)
        if macro is None or macro.package_name != manifest.metadata.project_name or name in found:
            continue
        found[name] = None
        waiting += macro.depends_on.macros
        if engine == "spark":
            waiting.append(name.replace(".duckdb__", ".spark__"))
    return tuple(found)


def _declared(source: Any) -> dict[str, Any]:
    return {"": source.config.meta, **{name: column.config.meta for name, column in source.columns.items()}}


def _declared_by_date(node: Any) -> dict[str, Any]:
    """Return what the YAML of a mart by date decides: a build keeps files only if all of it is as it was."""
    meta = {name: node.config.meta.get(name) for name in ("key_on_lake", "order_by", "repeats")}
    columns = {
        name: [column.data_type, sorted(str(constraint.type) for constraint in column.constraints)]
        for name, column in node.columns.items()
    }
    return {"meta": meta, "columns": columns}


def _materializations(manifest: Manifest, node: Any, engine: EngineName) -> list[str]:
    """Return the macro of a model's materialization on an engine."""
    prefix = f"macro.{manifest.metadata.project_name}.materialization_{node.config.materialized}_{engine}"
    return [name for name in manifest.macros if name.startswith(prefix)]


def _project_digest(project: Project, database: str) -> str:
    """Return the SHA-256 of everything that parsing reads.

    It covers the files of project and framework by path and content, the target, the database's name, the versions of
    the parsers, and this module, whose digest of the code is saved with the manifest.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes())
    parsers = (*_PARSERS, "dbt-spark") if project.target == "spark" else _PARSERS
    for part in (project.target, database, *(f"{name} {version(name)}" for name in parsers)):
        digest.update(f"{part}\0".encode())
    for folder, patterns in ((project.project_dir, _PARSED_FILES), (macro_path(), ("**/*",))):
        files = {path for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
        for path in sorted(files):
            digest.update(f"{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
