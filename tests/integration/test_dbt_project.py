"""The dbt project as a whole: it builds without a warning, uses nothing deprecated, and leaves nothing undocumented."""

from __future__ import annotations

import ast
import json
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from tests.helpers.dbt_runs import dbt
from tests.helpers.projects import MACROS, copy_project, type_named

# dbt checks YAML against its JSON schemas for listed adapters only, and dbt-duckdb is not listed.
CHECKING_SCHEMAS = """
import sys
import dbt.jsonschemas.jsonschemas as schemas
from dbt.cli.main import cli
schemas._JSONSCHEMA_SUPPORTED_ADAPTERS.add("duckdb")
sys.argv = sys.argv[1:]
cli()
"""
SIGNATURE = re.compile(r"{%-?\s*(?:macro|test)\s+\w+\((?P<arguments>.*?)\)\s*-?%}", re.DOTALL)

SOURCES = "models/staging/shop/_shop__sources.yml"
PRODUCTS, UNIT_TESTS = "models/curated/products.yml", "models/curated/products_unit_tests.yml"
GENERIC, SINGULAR = f"{MACROS}/generic_tests/_generic_tests.yml", "tests/data/singular/_singular.yml"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, built with warnings as errors."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    ended = dbt(project, "--warn-error", "build")
    assert ended.code == 0, ended.out
    return project


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Path:
    """A copy of the built project that a test may break."""
    return Path(shutil.copytree(built, tmp_path / "project"))


def edit(project: Path, file: str, path: tuple[str | int, ...], value: Any = None) -> None:
    """Sets the value at a path in a YAML file; removes it if no value is given."""
    content = yaml.safe_load((project / file).read_text())
    parent = content
    for step in path[:-1]:
        parent = parent[step]
    if value is None:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    (project / file).write_text(yaml.safe_dump(content, sort_keys=False))


def deprecations(project: Path) -> set[str]:
    """Returns the names of the deprecation events of a full parse."""
    arguments = ("--log-format", "json", "parse", "--no-partial-parse", "--show-all-deprecations")
    ended = dbt(project, *arguments, within=(sys.executable, "-c", CHECKING_SCHEMAS))
    assert ended.code == 0, ended.out
    names = [json.loads(line)["info"]["name"] for line in ended.out.splitlines() if line.startswith("{")]
    assert "MainReportVersion" in names, ended.out
    return {name for name in names if name.endswith("Deprecation")}


def test_the_project_uses_nothing_deprecated(built: Path) -> None:
    assert deprecations(built) == set()


def test_deprecated_configuration_is_found(project: Path) -> None:
    edit(project, "models/exposures.yml", ("exposures", 0, "meta"), {"tier": 1})
    edit(project, PRODUCTS, ("models", 0, "config"), {"team": "data"})
    edit(project, SOURCES, ("sources", 0, "tables", 0, "columns", 0, "unit"), "none")

    assert deprecations(project) == {
        "PropertyMovedToConfigDeprecation",
        "CustomKeyInConfigDeprecation",
        "CustomKeyInObjectDeprecation",
    }


def undocumented(project: Path) -> list[str]:
    """Returns what the manifest does not describe, or describes wrongly, one line each."""
    manifest = json.loads((project / "target" / "manifest.json").read_text())
    with duckdb.connect(project / "dev.duckdb", read_only=True) as connection:
        rows = connection.execute("select table_name, column_name, data_type from duckdb_columns()").fetchall()
    there: dict[str, dict[str, str]] = {}
    for table, column, data_type in rows:
        there.setdefault(table, {})[column] = data_type
    return sorted([*_undescribed(manifest), *_models(manifest, there), *_macros(manifest), *_unnamed(manifest)])


def _undescribed(manifest: Mapping[str, Any]) -> Iterator[str]:
    nodes = [
        node
        for node in manifest["nodes"].values()
        if "test_metadata" not in node and node["resource_type"] != "operation"
    ]
    sources = list(manifest["sources"].values())
    for node in [*nodes, *sources, *manifest["exposures"].values(), *manifest["unit_tests"].values()]:
        yield from _no_text(f"{node['resource_type']} {node['name']}", node)
        for column in node.get("columns", {}).values():
            yield from _no_text(f"{node['resource_type']} {node['name']}, column {column['name']}", column)
    for column in (column for source in sources for column in source["columns"].values() if not column["data_type"]):
        yield f"source column {column['name']}: no data_type"
    for name in {source["source_name"] for source in sources if not source["source_description"].strip()}:
        yield f"source {name}: no description"
    for name, selector in manifest["selectors"].items():
        yield from _no_text(f"selector {name}", selector)


def _no_text(what: str, described: Mapping[str, Any]) -> Iterator[str]:
    if not (described.get("description") or "").strip():
        yield f"{what}: no description"


def _models(manifest: Mapping[str, Any], there: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Returns published models, and others whose YAML has columns; other models have them in their SQL."""
    for node in manifest["nodes"].values():
        published = node["config"]["materialized"] == "lake_parquet"
        if node["resource_type"] == "model" and (published or node["columns"]):
            declared = {name: type_named(column["data_type"]) for name, column in node["columns"].items()}
            yield from _differing(f"model {node['name']}, column", declared, there[node["alias"]])


def _differing(what: str, declared: Mapping[str, str | None], there: Mapping[str, str]) -> Iterator[str]:
    for name in declared.keys() | there.keys():
        if name not in there:
            yield f"{what} {name}: not there"
        elif name not in declared:
            yield f"{what} {name}: not in the YAML"
        elif declared[name] != there[name]:
            yield f"{what} {name}: is {there[name]}, not {declared[name]}"


def _macros(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Returns the project's macros and generic tests with their signatures, without engine-specific variants."""
    project_name = manifest["metadata"]["project_name"]
    for macro in manifest["macros"].values():
        if macro["package_name"] != project_name or macro["name"].startswith(("duckdb__", "spark__")):
            continue
        yield from _no_text(f"macro {macro['name']}", macro)
        signature = SIGNATURE.search(macro["macro_sql"])
        taken = _arguments(signature["arguments"]) if signature else ()
        declared = {argument["name"]: argument for argument in macro["arguments"]}
        # Compare names only: a signature has no types.
        what = f"macro {macro['name']}, argument"
        yield from _differing(what, dict.fromkeys(declared, ""), dict.fromkeys(taken, ""))
        for name, argument in declared.items():
            yield from _no_text(f"{what} {name}", argument)
            if not argument["type"]:
                yield f"{what} {name}: no type"


def _arguments(signature: str) -> tuple[str, ...]:
    """Returns the names in a signature, which has the syntax of Python."""
    (function,) = ast.parse(f"def macro({signature}): ...").body
    assert isinstance(function, ast.FunctionDef)
    return tuple(argument.arg for argument in function.args.args)


def _unnamed(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Returns uses of generic tests that have the name generated by dbt."""
    for node in manifest["nodes"].values():
        if "test_metadata" in node:
            test, tested = node["test_metadata"]["name"], node["file_key_name"].split(".")[1]
            if node["name"].startswith((f"{test}_{tested}", f"source_{test}_{tested}")):
                yield f"test {node['name']}: no name of its own"


def test_everything_is_documented(built: Path) -> None:
    assert undocumented(built) == []


def test_missing_documentation_is_named(project: Path) -> None:
    removed: tuple[tuple[str, *tuple[str | int, ...]], ...] = (
        (PRODUCTS, "models", 0, "description"),
        (PRODUCTS, "models", 0, "columns", 1, "description"),
        (PRODUCTS, "models", 0, "columns", 0, "data_tests", 0, "unique", "name"),
        (PRODUCTS, "models", 1, "columns", 1),
        (PRODUCTS, "models", 2, "columns", 0, "description"),
        (PRODUCTS, "models", 4, "description"),
        (UNIT_TESTS, "unit_tests", 0, "description"),
        (SOURCES, "sources", 0, "description"),
        (SOURCES, "sources", 0, "tables", 1, "description"),
        (SOURCES, "sources", 0, "tables", 1, "columns", 0, "description"),
        (SOURCES, "sources", 0, "tables", 1, "columns", 0, "data_type"),
        (f"{MACROS}/_macros.yml", "macros", 0, "arguments", 0, "description"),
        (f"{MACROS}/_macros.yml", "macros", 0, "arguments", 1),
        (GENERIC, "macros", 0, "description"),
        (GENERIC, "macros", 0, "arguments", 0, "type"),
        (SINGULAR, "data_tests", 0, "description"),
        ("models/exposures.yml", "exposures", 0, "description"),
        ("selectors.yml", "selectors", 0, "description"),
    )
    for file, *path in removed:
        edit(project, file, tuple(path))
    edit(project, PRODUCTS, ("models", 0, "columns", 0, "data_type"), "bigint")
    edit(project, PRODUCTS, ("models", 1, "columns", 0, "name"), "colour")
    # A partial parse loses the description of a singular test that reads models, if its YAML changed.
    parsed = dbt(project, "parse", "--no-partial-parse")
    assert parsed.code == 0, parsed.out

    assert undocumented(project) == [
        "exposure sales_dashboard: no description",
        "macro raw_records, argument declaration: not in the YAML",
        "macro raw_records, argument relation: no description",
        "macro test_accounting_closes, argument model: no type",
        "macro test_accounting_closes: no description",
        "model products, column description: no description",
        "model products, column stock_code: is VARCHAR, not BIGINT",
        "model products: no description",
        "model products_accounting, column part: no description",
        "model products_rejected, column colour: not there",
        "model products_rejected, column page: not in the YAML",
        "model products_rejected, column reason: not in the YAML",
        "model stg_shop__products: no description",
        "selector date: no description",
        "source column Stock Code: no data_type",
        "source products, column Stock Code: no description",
        "source products: no description",
        "source shop: no description",
        "test assert_accounting_closes_finds_offenders: no description",
        "test unique_products_stock_code: no name of its own",
        "unit_test repeated_products_leave_the_first_in_order: no description",
    ]


def test_a_generic_test_names_an_invalid_argument(project: Path) -> None:
    wrong = {
        "accepted_range('t', 'x')": "accepted_range on x: give a min_value, a max_value or both",
        "accepted_range('t', 'x', min_value=2, max_value=1)": (
            "accepted_range on x: the min_value 2 is above the max_value 1"
        ),
        "accepted_range('t', 'x', min_value=2, inclusive='no')": (
            "accepted_range on x: inclusive is no, not true or false"
        ),
        "unique_combination_of_columns('t', ['a', 'a'])": (
            "unique_combination_of_columns: combination_of_columns is ['a', 'a'], not a list of two or more"
        ),
        "unique_combination_of_columns('t', 'a, b')": (
            "unique_combination_of_columns: combination_of_columns is a, b, not a list of two or more"
        ),
        "expression_is_true('t', ' ')": "expression_is_true: expression is ' ', not the text of a SQL condition",
        "within_days_of_run('t', 'x', days=-1)": "within_days_of_run on x: days is -1, not a whole number from 0",
        "within_days_of_run('t', 'x', days=0.5)": "within_days_of_run on x: days is 0.5, not a whole number from 0",
    }
    for number, call in enumerate(wrong):
        file = project / "tests" / "data" / "singular" / f"wrong_{number}.sql"
        file.write_text(f"{{% if execute %}}{{{{ test_{call} }}}}{{% endif %}}")

    ended = dbt(project, "test", "--select", "wrong_*")

    assert ended.code == 1
    assert [message for message in wrong.values() if message not in ended.out] == [], ended.out


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("product_sales", "location='x'"),
        ("product_sales", "format='csv'"),
        ("product_sales", "options={'codec': 'zstd'}"),
        ("by_date/daily_sales", "partition_by='country'"),
        ("by_date/daily_sales", "unique_key='x'"),
    ],
)
def test_an_option_that_the_materialization_would_ignore_is_an_error(project: Path, name: str, config: str) -> None:
    model = project / "models" / "marts" / f"{name}.sql"
    model.write_text(f"{{{{ config({config}) }}}}\n{model.read_text()}")

    ended = dbt(project, "run", "--select", model.stem)

    assert ended.code == 1
    option = config.split("=")[0]
    assert f"model {model.stem}: lake_parquet does not know the option '{option}'" in ended.out
    assert "takes only access, alias, contract" in ended.out


def test_options_that_dbt_uses_are_accepted(project: Path) -> None:
    model = project / "models" / "marts" / "by_date" / "daily_sales.sql"
    options = "tags=['a'], group=none, pre_hook='select 1', post_hook=['select 2'], persist_docs={'relation': false}"
    model.write_text(f"{{{{ config({options}) }}}}\n{model.read_text()}")

    ended = dbt(project, "run", "--select", "daily_sales")

    assert ended.code == 0, ended.out
