"""Spark in tests: whether it is there, and builds that are repeated on it and compared with those of DuckDB."""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest
from xdist.scheduler import LoadScopeScheduling

from orchestration.dbt_runner import build as duckdb_builds
from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.manifest import DATE_SELECTOR, load_manifest
from orchestration.dbt_runner.results import BuildResult
from orchestration.dbt_runner.session import Project
from orchestration.errors import PlatformFailed, SourceBodyInvalid, UsageError
from orchestration.framework import MACROS_VARIABLE
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.branch_names import new_branch_name
from orchestration.lake.client import Lake
from orchestration.lake.connection import LakeConnection
from orchestration.lake.s3 import gateway_of, open_gateway
from orchestration.log import SILENT
from orchestration.settings import SparkSettings, read_settings
from orchestration.source.config import read_tables
from orchestration.sql import read_parquet
from tests.helpers.projects import MACROS, copy_dbt_project

Row = tuple[Any, ...]

_LARGE = 20_000_000
"""Bytes of a day that is not repeated: it is for DuckDB's memory, and has many equal rows."""

py4j_leaves_sockets = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
"""For tests that run Spark in this process: py4j closes its sockets when they are collected.

An error from there, which pytest keeps until the test ends, would keep the rows of each query in Java's memory.
"""


@cache
def missing_spark() -> str:
    """Return what Spark lacks on this machine; empty if nothing."""
    from orchestration.spark.options import spark_options

    try:
        spark_options(read_settings())
    except UsageError as error:
        return error.describe()
    return ""


def needs_spark(test: Any) -> Any:
    """Skip a test where Spark cannot run, with the reason."""
    return pytest.mark.skipif(bool(missing_spark()), reason=missing_spark())(py4j_leaves_sockets(test))


@dataclass
class Compared:
    """What was compared in this session.

    Attributes:
        builds: Builds on both engines.
        files: Files that both wrote, with the same rows and the same bytes.
        rows: Rows of each kind of table that both wrote.
    """

    builds: int = 0
    files: int = 0
    rows: dict[str, int] = field(default_factory=dict)

    def add(self, other: Compared) -> None:
        """Add what another process has compared."""
        self.builds += other.builds
        self.files += other.files
        for kind, rows in other.rows.items():
            self.rows[kind] = self.rows.get(kind, 0) + rows

    def __str__(self) -> str:
        rows = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self.rows.items()))
        return f"both engines: {self.builds} builds, {self.files} files, {rows or 0} rows; differences: 0"


COMPARED = Compared()


class TogetherOnSpark(LoadScopeScheduling):  # type: ignore[misc]
    """Gives all tests of cleaning to one process, which compares their pages at the end, and each other file to one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "cleaning" if "/clean/" in file or file.endswith("/test_parity.py") else file


@dataclass(frozen=True)
class Recorded:
    """Builds of one project whose pages could be read.

    Attributes:
        project_dir: A copy of the project.
        date: The date of the builds.
        raw_root: The folder with copies of their pages.
        pages: Keys of these by `<source>.<table>`.
    """

    project_dir: Path
    date: str
    raw_root: Path
    pages: dict[str, list[str]]


class BothEngines:
    """Repeats builds of DuckDB on Spark, on a branch of their own, and requires the same results and rows.

    Builds from local folders, of which there are many small ones, are collected: the pages of each project are built
    together, by `compare_recorded`. Those with a page that cannot be read are repeated one by one.

    Args:
        access: The lakeFS of builds that have only local folders.
        repository: Its repository.
        state_dir: Takes manifests and work directories.
    """

    def __init__(self, access: LakeAccess, repository: str, state_dir: Path) -> None:
        self._access, self._repository, self._state = access, repository, state_dir
        self._duckdb = duckdb_builds.build
        self._recorded: dict[str, Recorded] = {}

    def build(self, run: RunFile, manifest: Any, project: Project, **options: Any) -> BuildResult:
        """Build on DuckDB, and return the result; build on Spark and compare, or record for that."""
        result = self._duckdb(run, manifest, project, **options)
        failure = result.failure()
        if isinstance(failure, PlatformFailed) or options.get("only"):
            return result
        if "://" in run.lake_root or isinstance(failure, SourceBodyInvalid):
            self._compare(result, run, project, options)
        elif sum((Path(run.raw_root) / page).stat().st_size for page in _all_pages(run)) < _LARGE:
            self._record(run, project.project_dir)
        return result

    def compare_recorded(self) -> int:
        """Build the recorded pages on both engines, and return the number of projects."""
        with one_java():
            for number, recorded in enumerate(self._recorded.values()):
                self._compare_one(recorded, self._state / f"recorded-{number}")
        return len(self._recorded)

    def _compare_one(self, recorded: Recorded, work: Path) -> None:
        run = RunFile(recorded.date, str(work / "lake"), str(recorded.raw_root), recorded.pages)
        project = Project(recorded.project_dir, "run", work / "dbt")
        engine = duckdb_builds.Engine(self._state / "duckdb")
        variables = duckdb_builds.environment(engine)
        manifest = load_manifest(project, state_dir=work, environment=variables)
        options: dict[str, Any] = {"selector": DATE_SELECTOR, "engine": engine}
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv(MACROS_VARIABLE, str(recorded.project_dir / MACROS))
            self._compare(self._duckdb(run, manifest, project, **options), run, project, options)

    def _record(self, run: RunFile, project_dir: Path) -> None:
        digest = hashlib.sha256(run.execution_date.encode())
        for file in sorted(project_dir.glob("models/**/*.*")):
            digest.update(file.relative_to(project_dir).as_posix().encode() + file.read_bytes())
        # DuckDB reads an empty list where an object belongs, but not beside pages with one.
        digest.update(
            b"[]" if any((Path(run.raw_root) / page).stat().st_size == 2 for page in _all_pages(run)) else b""
        )
        name = digest.hexdigest()[:12]
        if name not in self._recorded:
            copied = self._state / name
            copy_dbt_project(project_dir, copied / "project")
            self._recorded[name] = Recorded(copied / "project", run.execution_date, copied / "raw", {})
        recorded = self._recorded[name]
        for table, pages in run.raw.items():
            source, table_name = table.split(".")
            there = recorded.pages.setdefault(table, [])
            for page in pages:
                key = keys.raw_page(source, table_name, run.execution_date, len(there) + 1)
                target = recorded.raw_root / key
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(Path(run.raw_root) / page, target)
                there.append(key)

    def _compare(self, expected: BuildResult, run: RunFile, project: Project, options: Mapping[str, Any]) -> None:
        with self._on_lake(run) as (lake, branch, spark_run):
            found = build_on_spark(lake, branch, spark_run, project.project_dir, self._state, options["selector"])
            failure = found.failure()
            assert type(failure) is type(expected.failure()), (failure, expected.failure())
            if isinstance(failure, SourceBodyInvalid):
                # It fails where the page is read first, which DuckDB may do with the staging view.
                assert str(failure) == str(expected.failure())
            else:
                differing = set(statuses(found).items()) ^ set(statuses(expected).items())
                assert not differing, (differing, failure)
            assert found.accounting == expected.accounting
            assert found.across_dates == expected.across_dates
            assert found.rows == expected.rows
            with duckdb.connect() as connection:
                open_gateway(connection, gateway_of(lake))
                connection.execute("set timezone = 'UTC'")
                for key in expected.rows:
                    require_same_rows(
                        rows_of(connection, f"{spark_run.lake_root}/{key}"),
                        rows_of(connection, f"{run.lake_root}/{key}"),
                        key,
                    )
                    require_same_bytes(connection, f"{spark_run.lake_root}/{key}", f"{run.lake_root}/{key}")
                    note_rows(keys.table_of(key), expected.rows[key])
        COMPARED.builds += 1

    @contextmanager
    def _on_lake(self, run: RunFile) -> Iterator[tuple[Lake, str, RunFile]]:
        """Yield a lake and a branch with the raw pages, and the run with the branch as its roots."""
        with closing(LakeConnection(self._access, timeout=60)) as connection:
            if run.lake_root.startswith("s3://"):
                lake = Lake(connection, urlsplit(run.lake_root).netloc)
            else:
                lake = Lake(connection, self._repository)
            source = urlsplit(run.raw_root or run.published_root).path.strip("/") if "://" in run.lake_root else "main"
            branch = new_branch_name("both-engines")
            lake.create_branch(branch, lake.head(source))
            root = f"s3://{lake.repository}/{branch}"
            raw_root = run.raw_root
            if "://" not in run.lake_root:
                raw_root = root
                with ThreadPoolExecutor(8) as pool:
                    put = partial(lake.put, branch, content_type=keys.RAW_CONTENT_TYPE)
                    for _ in pool.map(lambda key: put(key, Path(run.raw_root) / key), _all_pages(run)):
                        pass
            try:
                yield lake, branch, replace(run, lake_root=root, raw_root=raw_root)
            finally:
                lake.delete_branch(branch)


@contextmanager
def one_java() -> Iterator[None]:
    """Keep the Java of the first build for all builds of the block: its start is a quarter of a small one.

    The relations of a build end with it, as they otherwise do with its Java.
    """
    from pyspark.sql import SparkSession

    from orchestration.spark import session as sessions

    def end_relations() -> None:
        if kept := SparkSession._instantiatedSession:
            for view in kept.catalog.listTables(sessions.SCHEMA):
                kept.catalog.dropGlobalTempView(view.name)
            kept.catalog.clearCache()
            assert not kept.catalog.listTables(sessions.SCHEMA)

    end = sessions._end
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sessions, "_end", end_relations)
        try:
            yield
        finally:
            end()


def _all_pages(run: RunFile) -> list[str]:
    return [page for pages in run.raw.values() for page in pages]


def require_same_bytes(connection: duckdb.DuckDBPyConnection, one: str, other: str) -> None:
    """Require that two files have the same bytes."""
    ((found,), (expected,)) = connection.execute(f"select md5(content) from read_blob(['{one}', '{other}'])").fetchall()
    assert found == expected, f"{one} and {other} have the same rows, and other bytes"
    COMPARED.files += 1


def note_rows(table: str, rows: int) -> None:
    """Count rows that were compared."""
    kind = "rejected" if table.endswith("_rejected") else "of other tables"
    COMPARED.rows[kind] = COMPARED.rows.get(kind, 0) + rows


def build_on_spark(
    lake: Lake, branch: str, run: RunFile, project_dir: Path, state_dir: Path, selector: str
) -> BuildResult:
    """Build on local Spark, as `transform.build_models` does."""
    from orchestration.spark.build import SparkBuild, build_on_spark
    from orchestration.spark.options import spark_options

    settings = replace(read_settings(), project_dir=project_dir, spark=SparkSettings())
    project = Project(project_dir, "spark", state_dir / "spark")
    manifest = load_manifest(project, state_dir=state_dir, environment={})
    return build_on_spark(
        SparkBuild(
            run=run,
            lake=lake,
            branch=branch,
            project=project,
            manifest=manifest,
            options=spark_options(settings),
            selector=selector,
            engine=duckdb_builds.Engine(state_dir / "duckdb"),
            tables=read_tables(project_dir),
            log=SILENT,
        )
    )


def statuses(result: BuildResult) -> dict[str, tuple[str, int | None]]:
    """Return the status and the failures of each node."""
    return {node.unique_id: (node.status, node.failures) for node in result.nodes}


def rows_of(connection: duckdb.DuckDBPyConnection, uri: str) -> tuple[list[tuple[str, str]], list[Row]]:
    """Return the columns with their types, and the rows in their order."""
    source = read_parquet([uri])
    described = connection.execute(f"describe from {source}").fetchall()
    columns = [(str(name), str(kind)) for name, kind, *_ in described]
    return columns, connection.execute(f"from {source}").fetchall()


def require_same_rows(
    found: tuple[list[tuple[str, str]], list[Row]], expected: tuple[list[tuple[str, str]], list[Row]], where: str
) -> None:
    """Require the same columns and types, and the same rows in the same order, with doubles equal to the last bit."""
    assert found[0] == expected[0], where
    assert len(found[1]) == len(expected[1]), where
    for number, (one, other) in enumerate(zip(found[1], expected[1], strict=True)):
        assert tuple(map(bits, one)) == tuple(map(bits, other)), f"{where}, row {number}: {one} and {other}"


def bits(value: Any) -> Any:
    """Return what is equal only for the same value, to the last bit of a double."""
    return (value.hex(), math.copysign(1, value)) if isinstance(value, float) else value
