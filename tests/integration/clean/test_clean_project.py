"""The dbt project itself: its data tests fail where they should, it is free of deprecations, `dev` needs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.dbt_build import Engine, environment
from orchestration.dbt_manifest import code_digest, load_manifest
from orchestration.dbt_session import Project, dbt_session, invoke
from orchestration.settings import PROJECT_DIR

from .conftest import Bench

ACCOUNTING = "create table {table} as select * from (values {rows}) as parts(part, name, row_count)"
CLOSED = (
    "('raw', null, 100), ('curated', null, 97), ('identical', null, 1), ('conflicting', 'k', 1), ('rejected', 'r', 1)"
)

FAILING = {
    "unique_by": "create table {table} as select 'a' as {key} from range(2)",
    "has_event_id": "create table {table} as select null::varchar as event_id",
    "has_stock_code": "create table {table} as select null::varchar as stock_code",
    "event_type_known": "create table {table} as select 'gift' as event_type",
    "accounting_closes": ACCOUNTING.replace("{rows}", "('raw', null, 3), ('curated', null, 2)"),
    "reject_share_within_limit": ACCOUNTING.replace("{rows}", "('raw', null, 100), ('rejected', 'r', 2)"),
    "has_rows": ACCOUNTING.replace("{rows}", "('raw', null, 0)"),
    "declared_fields_present": ACCOUNTING.replace("{rows}", "('raw', null, 2), ('missing', 'Price', 2)"),
}
PASSING = {
    "unique_by": "create table {table} as select i::varchar as {key} from range(2) as numbers(i)",
    "has_event_id": "create table {table} as select 'a' as event_id",
    "has_stock_code": "create table {table} as select 'a' as stock_code",
    "event_type_known": "create table {table} as select 'sale' as event_type",
    "accounting_closes": ACCOUNTING.replace("{rows}", CLOSED),
    "reject_share_within_limit": ACCOUNTING.replace("{rows}", CLOSED),
    "has_rows": ACCOUNTING.replace("{rows}", CLOSED),
    "declared_fields_present": ACCOUNTING.replace("{rows}", "('raw', null, 2), ('missing', 'Price', 1)"),
}


def data_tests(bench: Bench) -> list[Any]:
    nodes: list[Any] = list(bench.manifest.nodes.values())
    return [node for node in nodes if node.unique_id.startswith("test.") and getattr(node, "attached_node", None)]


def rows_of(test: Any, create: str) -> list[tuple[Any, ...]]:
    """What the compiled test returns on a table of literal rows in the place of its model."""
    model = test.attached_node.split(".")[-1]
    key = "event_id" if model == "events" else "stock_code"
    with duckdb.connect() as connection:
        connection.execute(create.format(table=model, key=key))
        return connection.execute(test.compiled_code).fetchall()


def test_every_data_test_has_a_case_that_fails_and_one_that_passes(bench: Bench) -> None:
    bench.build()
    tests = data_tests(bench)
    assert len(tests) == 13
    for test in tests:
        (rule,) = [rule for rule in FAILING if rule in test.name]
        assert rows_of(test, FAILING[rule]), test.name
        assert not rows_of(test, PASSING[rule]), test.name


def test_the_project_is_free_of_deprecations(tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """dbt checks its JSON schemas for other adapters only, unless told that ours is one of them."""
    import dbt.jsonschemas.jsonschemas as schemas

    monkeypatch.setattr(schemas, "_JSONSCHEMA_SUPPORTED_ADAPTERS", {"duckdb"})
    lines: list[str] = []
    project = Project(PROJECT_DIR, "run", tmp_path)
    with dbt_session(environment(engine)):
        arguments = project.arguments("parse", "--no-partial-parse", "--show-all-deprecations")
        outcome = invoke(project, ["--warn-error", *arguments], report=lines.append)
    assert outcome.success, outcome.exception
    assert not [line for line in lines if "eprecat" in line]


def test_nothing_is_undocumented(bench: Bench) -> None:
    manifest = bench.manifest
    ours = [macro for macro in manifest.macros.values() if macro.package_name == "ingest_clean"]
    assert not [macro.name for macro in ours if not macro.description and not macro.name.startswith("duckdb__")]
    models = [node for node in manifest.nodes.values() if node.unique_id.startswith("model.")]
    for node in [*models, *manifest.sources.values()]:
        assert node.description, node.name
        assert node.columns, node.name
        assert all(column.description and column.data_type for column in node.columns.values()), node.name


def test_the_code_digest_knows_sql_macros_and_declarations_only(bench: Bench, engine: Engine) -> None:
    models = [node.unique_id for node in bench.manifest.nodes.values() if node.unique_id.startswith("model.")]
    again = load_manifest(
        Project(PROJECT_DIR, "run", bench.root), state_dir=bench.root, environment=environment(engine)
    )
    before = code_digest(again, models)
    assert before == code_digest(bench.manifest, models)
    for name in ("to_number", "duckdb__raw_records", "duckdb__write_parquet", "snake_case", "events_table"):
        macro = again.macros[f"macro.ingest_clean.{name}"]
        kept = macro.macro_sql
        macro.macro_sql += " "
        assert code_digest(again, models) != before, name
        macro.macro_sql = kept
    events = again.sources["source.ingest_clean.shop.events"]
    for meta in (events.config.meta, events.columns["Country"].config.meta):
        meta["reject_limit"] = 0.5
        assert code_digest(again, models) != before
        del meta["reject_limit"]
    events.description += " "
    again.macros["macro.ingest_clean.test_has_rows"].macro_sql += " "
    again.macros["macro.dbt.statement"].macro_sql += " "
    assert code_digest(again, models) == before


def test_a_saved_manifest_is_used_again(bench: Bench, engine: Engine) -> None:
    lines: list[str] = []
    for _ in range(2):
        project = Project(PROJECT_DIR, "run", bench.root)
        load_manifest(project, state_dir=bench.root, environment=environment(engine), report=lines.append)
    assert sum("Running with dbt" in line for line in lines) == 1
    assert len(list((bench.root / "dbt").iterdir())) == 1


def test_dev_builds_with_nothing_but_the_project(tmp_path: Path) -> None:
    """`dbt build` as an analyst types it, warnings as errors, unit tests and all."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ELT_", "DBT_", "LAKEFS_"))}
    env |= {
        "DBT_PROFILES_DIR": "profiles",
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
        "ELT_DUCKDB_PATH": str(tmp_path / "dev.duckdb"),
        "ELT_DUCKDB_DIR": str(tmp_path / "duckdb"),
        "HOME": str(tmp_path),
    }
    dbt = Path(sys.executable).with_name("dbt")
    done = subprocess.run([dbt, "--warn-error", "build"], cwd=PROJECT_DIR, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    with duckdb.connect(str(tmp_path / "dev.duckdb"), read_only=True) as connection:
        parts = connection.execute("select part, sum(row_count)::int from events_accounting group by part").fetchall()
        assert dict(parts) == {"raw": 123, "curated": 119, "identical": 2, "conflicting": 1, "rejected": 1}
        assert connection.execute("select count(*) from events").fetchone() == (119,)
