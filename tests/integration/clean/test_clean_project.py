"""The dbt project itself: its data tests fail when they should, and its code digest and manifest detect changes."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.dbt_runner.build import Engine, environment
from orchestration.dbt_runner.manifest import code_digest, load_manifest
from orchestration.dbt_runner.session import Project
from orchestration.framework import MACROS_VARIABLE
from orchestration.log import log_to
from orchestration.operations.code import code_of
from orchestration.settings import ENGINES, PROJECT_DIR
from tests.helpers.projects import MACROS, NAME, copy_dbt_project

from .conftest import DATE, Bench

WRITER = "/lake_parquet.sql"
ACCOUNTING = "create table {table} as select * from (values {rows}) as parts(part, name, row_count)"
CLOSED = (
    "('raw', null, 100), ('curated', null, 97), ('identical', null, 1), ('conflicting', 'k', 1), ('rejected', 'r', 1), "
    "('accepted_keys', null, 97), ('curated_keys', null, 97)"
)
INSTANTS = (
    "create table events as "
    "select make_timestamptz(2025, 5, day, 12, 0, 0) as timestamp from (select unnest([{days}]) as day) as days"
)
LISTED = "create table products as select 'POST' as stock_code; "

FAILING = {
    "unique_by": "create table {table} as select 'a' as {key} from range(2)",
    "has_event_id": "create table {table} as select null::varchar as event_id",
    "has_stock_code": "create table {table} as select null::varchar as stock_code",
    "event_type_known": "create table {table} as select 'gift' as event_type",
    "accounting_closes": ACCOUNTING.replace("{rows}", "('raw', null, 3), ('curated', null, 2)"),
    "reject_share_within_limit": ACCOUNTING.replace("{rows}", "('raw', null, 100), ('rejected', 'r', 2)"),
    "has_rows": ACCOUNTING.replace("{rows}", "('raw', null, 0)"),
    "declared_fields_present": ACCOUNTING.replace("{rows}", "('raw', null, 2), ('missing', 'Price', 2)"),
    "row_count_in_range": ACCOUNTING.replace("{rows}", "('raw', null, -1)"),
    "timestamp_of_the_date": "create table {table} as select timestamptz '2025-05-18 23:59:59+00' as timestamp",
    "other_dates_within_limit": INSTANTS.replace("{days}", "18, 22, 20"),
    "keys_differ_beyond_white_space": "create table {table} as select unnest(['a', 'a\u00a0', 'b']) as {key}",
    "stock_code_in_products": LISTED + "create table {table} as select 'M' as stock_code",
    "quantity_in_range": "create table {table} as select -100001 as quantity",
    "price_in_range": "create table {table} as select 100000.01 as price",
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
    "row_count_in_range": ACCOUNTING.replace("{rows}", CLOSED),
    "timestamp_of_the_date": "create table {table} as select timestamptz '2025-05-19 00:00:00+00' as timestamp",
    "other_dates_within_limit": INSTANTS.replace("{days}", "18, 22, 19, 21"),
    "keys_differ_beyond_white_space": "create table {table} as select unnest(['a', 'b c', ' d', 'B c']) as {key}",
    "stock_code_in_products": LISTED + "create table {table} as select unnest(['POST', null]) as stock_code",
    "quantity_in_range": "create table {table} as select unnest([-80995, 80995]) as quantity",
    "price_in_range": "create table {table} as select unnest([-11062.06, 38970]) as price",
}


def data_tests(bench: Bench) -> list[Any]:
    nodes: list[Any] = list(bench.manifest.nodes.values())
    tests = [node for node in nodes if node.unique_id.startswith("test.") and getattr(node, "attached_node", None)]
    return [test for test in tests if "curated" in test.fqn]


def rows_of(test: Any, create: str) -> list[tuple[Any, ...]]:
    """Returns the result of the compiled test on literal rows instead of its model."""
    model = test.attached_node.split(".")[-1]
    key = "event_id" if model == "events" else "stock_code"
    with duckdb.connect() as connection:
        connection.execute(f"set TimeZone = 'UTC'; set variable lake_date = '{DATE}'")
        connection.execute(create.format(table=model, key=key))
        return connection.execute(test.compiled_code).fetchall()


def test_every_data_test_has_a_case_that_fails_and_one_that_passes(bench: Bench) -> None:
    bench.build()
    tests = data_tests(bench)
    assert len(tests) == 22
    for test in tests:
        (rule,) = [rule for rule in FAILING if rule in test.name]
        assert rows_of(test, FAILING[rule]), test.name
        assert not rows_of(test, PASSING[rule]), test.name


def test_the_code_digest_depends_on_sql_macros_and_declarations_only(bench: Bench, engine: Engine) -> None:
    models = [node.unique_id for node in bench.manifest.nodes.values() if node.unique_id.startswith("model.")]
    again = load_manifest(
        Project(PROJECT_DIR, "run", bench.root), state_dir=bench.root, environment=environment(engine)
    )
    before = code_digest(again, models)
    assert before == code_digest(bench.manifest, models)
    for name in ("to_double", "duckdb__raw_records", "write_parquet", "json_pointer", "is_blank"):
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


def test_a_macro_of_spark_is_part_of_the_code_on_spark_only(
    bench: Bench, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MACROS_VARIABLE, str(PROJECT_DIR / MACROS))
    models = [node.unique_id for node in bench.manifest.nodes.values() if node.unique_id.startswith("model.")]
    again = load_manifest(
        Project(PROJECT_DIR, "run", bench.root), state_dir=bench.root, environment=environment(engine)
    )
    plain, spark = code_digest(again, models), code_digest(again, models, "spark")
    assert plain != spark
    for name in ("spark__ordered_sum", "spark__raw_records", "write_in_order", "materialization_lake_parquet_spark"):
        macro = again.macros[f"macro.ingest_clean.{name}"]
        kept = macro.macro_sql
        macro.macro_sql += " "
        assert code_digest(again, models) == plain, name
        assert code_digest(again, models, "spark") != spark, name
        macro.macro_sql = kept
    # `elt verify` names the files of these macros.
    files = {
        engine: {
            file for file in code_of(again, f"model.{NAME}.events", PROJECT_DIR, engine).files if file.endswith(WRITER)
        }
        for engine in ENGINES
    }
    assert files == {
        "duckdb": {f"{MACROS}/lake{WRITER}"},
        "spark": {f"{MACROS}/lake{WRITER}", f"{MACROS}/spark{WRITER}"},
    }
    again.nodes["model.ingest_clean.product_sales"].config.meta["rows_per_file"] = 5
    assert code_digest(again, models, "spark") == spark
    again.nodes[f"model.{NAME}.events"].config.meta["rows_per_file"] = 5
    assert code_digest(again, models) == plain
    assert code_digest(again, models, "spark") != spark


def test_a_saved_manifest_is_used_again(bench: Bench, engine: Engine) -> None:
    lines: list[str] = []
    for _ in range(2):
        project = Project(PROJECT_DIR, "run", bench.root)
        load_manifest(project, state_dir=bench.root, environment=environment(engine), log=log_to(lines.append))
    assert sum("Running with dbt" in line for line in lines) == 1
    assert len(list((bench.root / "dbt").iterdir())) == 1


def test_a_saved_manifest_names_the_files_of_a_checkout_that_was_moved(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`elt verify` compares these names with those of git."""
    lines: list[str] = []

    def files(project_dir: Path) -> frozenset[str]:
        monkeypatch.setenv(MACROS_VARIABLE, str(project_dir / MACROS))
        project = Project(project_dir, "run", tmp_path / "dbt")
        manifest = load_manifest(project, state_dir=tmp_path, environment=environment(engine), log=log_to(lines.append))
        return code_of(manifest, f"model.{NAME}.events", project_dir).files

    copy_dbt_project(PROJECT_DIR, tmp_path / "former")
    parsed = files(tmp_path / "former")
    (tmp_path / "former").rename(tmp_path / "moved")

    assert files(tmp_path / "moved") == parsed
    assert f"{MACROS}/rows/to_double.sql" in parsed
    assert sum("Running with dbt" in line for line in lines) == 1


@pytest.mark.parametrize("package", ["ingest-clean", "dbt-core"])
def test_a_manifest_of_another_version_is_not_used(
    bench: Bench, engine: Engine, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    """Also if no file of the project and no macro differs: the package's Python gives dbt its arguments."""
    project = Project(PROJECT_DIR, "run", bench.root)
    load_manifest(project, state_dir=bench.root, environment=environment(engine))
    monkeypatch.setattr(
        "orchestration.dbt_runner.manifest.version", lambda name: "0.0.9" if name == package else version(name)
    )
    lines: list[str] = []

    load_manifest(project, state_dir=bench.root, environment=environment(engine), log=log_to(lines.append))

    assert sum("Running with dbt" in line for line in lines) == 1
