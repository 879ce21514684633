"""A bench that builds one date from pages given as text: real dbt and DuckDB, local folders for lake and raw."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from orchestration.dbt_runner.build import Engine, build, environment
from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.manifest import DATE_SELECTOR, load_manifest
from orchestration.dbt_runner.results import BuildResult
from orchestration.dbt_runner.session import Project
from orchestration.lake.s3 import Gateway
from orchestration.log import SILENT, Log
from orchestration.settings import PROJECT_DIR
from tests.helpers.projects import copy_dbt_project

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

DATE = "2025-05-20"
SECRET = "s3cr3t-of-the-bench"

Body = str | Sequence[Any]


def event(event_id: str = "e1", /, **values: Any) -> dict[str, Any]:
    """Returns a valid event; `values` are given by column name."""
    columns = {
        "event_id": event_id,
        "event_type": "sale",
        "timestamp": f"{DATE}T10:00:00Z",
        "invoice_no": "i1",
        "stock_code": "22423",
        "description": "REGENCY CAKESTAND 3 TIER",
        "quantity": 2,
        "price": "12.75",
        "customer_id": None,
        "country": "France",
    } | values
    special = {"event_id": "Event ID", "customer_id": "Customer ID"}
    return {special.get(name, name.replace("_", " ").title()): value for name, value in columns.items()}


def product(stock_code: str = "22423", description: str | None = "REGENCY CAKESTAND 3 TIER") -> dict[str, Any]:
    return {"Stock Code": stock_code, "Description": description}


@dataclass(frozen=True)
class Bench:
    root: Path
    project_dir: Path
    engine: Engine
    manifest: Manifest = field(repr=False)

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def project(self) -> Project:
        return Project(self.project_dir, "run", self.root / "work")

    def write(self, table: str, bodies: Sequence[Body], date: str = DATE) -> list[str]:
        """Write a raw page for each body, text unchanged and records as an array; return the keys."""
        keys = []
        for number, body in enumerate(bodies, 1):
            key = f"raw/shop/{table}/date={date}/page-{number:05}.json"
            page = self.root / "raw-root" / key
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(body if isinstance(body, str) else json.dumps(body), encoding="utf-8")
            keys.append(key)
        return keys

    def run(self, events: Sequence[Body], products: Sequence[Body] = ([product()],), date: str = DATE) -> RunFile:
        raw = {
            "shop.events": self.write("events", events, date),
            "shop.products": self.write("products", products, date),
        }
        return RunFile(date, str(self.lake), str(self.root / "raw-root"), raw)

    def build(
        self,
        events: Sequence[Body] = ([event()],),
        products: Sequence[Body] = ([product()],),
        *,
        log: Log = SILENT,
    ) -> BuildResult:
        return self.build_run(self.run(events, products), log=log)

    def build_run(self, run: RunFile, *, log: Log = SILENT) -> BuildResult:
        gateway = Gateway("localhost:1", use_ssl=False, access_key="bench", secret_key=SECRET)
        return build(
            run,
            self.manifest,
            self.project,
            selector=DATE_SELECTOR,
            engine=self.engine,
            gateway=gateway,
            log=log,
        )

    def file(self, name: str, date: str = DATE) -> Path:
        return self.lake / "curated" / name / f"date={date}" / "data.parquet"

    def rows(self, name: str, columns: str = "*", date: str = DATE) -> list[tuple[Any, ...]]:
        """Return the rows of the published file, in their order."""
        query = f"select {columns} from read_parquet('{self.file(name, date)}', hive_partitioning = false)"
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(query).fetchall()


def build_tables(bench: Bench, tables: Mapping[str, list[Any] | str]) -> BuildResult:
    """Builds a good day of the shop with further tables, each from one page: its records, or the text of its body."""
    run = bench.run([[event()]], [[product()]])
    raw = {f"shop.{table}": bench.write(table, [body]) for table, body in tables.items()}
    return bench.build_run(replace(run, raw={**run.raw, **raw}))


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(tmp_path_factory.mktemp("duckdb"), threads=2)


def parsed(project_dir: Path, root: Path, engine: Engine) -> Bench:
    project = Project(project_dir, "run", root / "parse")
    return Bench(root, project_dir, engine, load_manifest(project, state_dir=root, environment=environment(engine)))


@pytest.fixture(scope="session")
def parsed_project(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Bench:
    return parsed(PROJECT_DIR, tmp_path_factory.mktemp("parsed"), engine)


@pytest.fixture
def bench(parsed_project: Bench, tmp_path: Path) -> Bench:
    return replace(parsed_project, root=tmp_path)


@pytest.fixture(scope="session")
def copy_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Copies of the dbt project that a test may edit."""

    def copy() -> Path:
        target = tmp_path_factory.mktemp("project")
        copy_dbt_project(PROJECT_DIR, target)
        return target

    return copy
