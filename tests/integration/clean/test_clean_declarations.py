"""Declarations of a table: form of its pages, optional fields, limits, contract; and errors of wrong ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.dbt_runner.build import Engine
from orchestration.dbt_runner.session import Project, dbt_session, invoke
from orchestration.errors import DataFailed, PlatformFailed, SourceBodyInvalid
from orchestration.models.generate import write_models

from .conftest import DATE, Bench, event, parsed, product

SOURCES = "models/staging/shop/_shop__sources.yml"
EVENTS_PAGE = f"raw/shop/events/date={DATE}/page-00001.json"
PRODUCTS_PAGE = f"raw/shop/products/date={DATE}/page-00001.json"

CopyProject = Callable[[], Path]


def edit_yaml(path: Path, edit: Callable[[Any], None]) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.fixture(scope="session")
def declared_otherwise(copy_project: CopyProject, tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Bench:
    """Events as NDJSON with an optional country and a reject limit of a third; products in envelopes, maybe empty."""
    project_dir = copy_project()

    def source(content: Any) -> None:
        events, products = content["sources"][0]["tables"]
        events["config"]["meta"]["fetch"]["form"] = "ndjson"
        events["config"]["meta"]["reject_limit"] = 0.34
        country = next(column for column in events["columns"] if column["name"] == "Country")
        country["config"] = {"meta": {"optional": True}}
        products["config"]["meta"]["fetch"] |= {"form": "envelope", "records": '"Today\'s list"'}
        products["config"]["meta"]["may_be_empty"] = True

    def contract(content: Any) -> None:
        columns = {column["name"]: column for column in content["models"][0]["columns"]}
        columns["invoice_no"]["constraints"] = [{"type": "not_null", "warn_unsupported": False}]

    edit_yaml(project_dir / SOURCES, source)
    edit_yaml(project_dir / "models/curated/events.yml", contract)
    write_models(project_dir)
    return parsed(project_dir, tmp_path_factory.mktemp("declared"), engine)


@pytest.fixture
def other(declared_otherwise: Bench, tmp_path: Path) -> Bench:
    return replace(declared_otherwise, root=tmp_path)


def lines(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def envelope(*records: Any) -> str:
    return json.dumps({"Today's list": records, "next_page": None})


def test_lines_and_envelopes_are_read_as_declared(other: Bench) -> None:
    result = other.build(
        [lines(event("a"), 5, event("b")) + "\n", lines(event("c"))],
        [envelope(product("p1")), envelope(product("p2"), product("p1"))],
    )
    result.require_passed()
    assert [row[0] for row in other.rows("events")] == ["a", "b", "c"]
    assert other.rows("events_rejected") == [("record_not_object", EVENTS_PAGE, "5")]
    assert [row[0] for row in other.rows("products")] == ["p1", "p2"]
    assert result.accounting["products"].identical == 1


def test_a_field_may_be_missing_and_a_day_empty_if_declared(other: Bench) -> None:
    without = {name: value for name, value in event().items() if name != "Country"}
    result = other.build([lines(without)], ["[]"])
    result.require_passed()
    assert result.accounting["events"].missing == {"Country": 1}
    assert other.rows("products") == []


def test_a_null_against_the_contract_is_data_failed(other: Bench) -> None:
    result = other.build([lines(event("a"), event("b", invoice_no=None))], [envelope(product())])
    with pytest.raises(DataFailed, match="1 nulls in the not_null column invoice_no"):
        result.require_passed()


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ('{"error": "quota"}', f'{PRODUCTS_PAGE}: No list "Today\'s list"'),
        ('{"Today\'s list": null}', f'{PRODUCTS_PAGE}: No list "Today\'s list"'),
        ('{"Today\'s list": {"a": 1}}', f"{PRODUCTS_PAGE}: Expected ARRAY, but got OBJECT"),
        ('{"Today\'s list": [{"a": }]}', f"{PRODUCTS_PAGE}: Malformed JSON at byte"),
        (
            '{"Today\'s list": ["' + "x" * (17 << 20) + '"]}',
            f'{PRODUCTS_PAGE}: "maximum_object_size" of 16777216 bytes exceeded',
        ),
    ],
)
def test_an_invalid_envelope_is_source_failed(other: Bench, body: str, cause: str) -> None:
    result = other.build([lines(event())], [body])
    with pytest.raises(SourceBodyInvalid) as failed:
        result.require_passed()
    assert failed.value.cause.startswith(cause)
    assert ("page size" in failed.value.remedy) == ("maximum_object_size" in cause)


def test_a_line_that_is_not_json_is_source_failed(other: Bench) -> None:
    with pytest.raises(SourceBodyInvalid, match=r"Malformed JSON at byte \d+ in line \d+"):
        other.build([lines(event()) + '{"Event ID": \n']).require_passed()


def test_models_of_another_declaration_are_refused_before_the_build(
    copy_project: CopyProject, tmp_path: Path, engine: Engine
) -> None:
    project_dir = copy_project()

    def rename(content: Any) -> None:
        content["sources"][0]["tables"][1]["columns"][1]["name"] = "Name"

    edit_yaml(project_dir / SOURCES, rename)
    with pytest.raises(PlatformFailed) as failed:
        parsed(project_dir, tmp_path, engine).build().require_passed()
    staging = "models/staging/shop/stg_shop__products.sql"
    message = f"{staging} was not generated from what {project_dir / SOURCES} declares of shop.products now"
    assert message in failed.value.cause
    assert "elt models" in failed.value.cause


def test_empty_is_refused_on_the_lake(bench: Bench) -> None:
    from orchestration.dbt_runner.build import environment

    bench.build().require_passed()
    written = bench.file("events").read_bytes()
    project = Project(bench.project_dir, "run", bench.root / "work")
    with dbt_session(environment(bench.engine, run_file=project.work_dir / "run.json")):
        outcome = invoke(project, project.arguments("run", "--empty"), manifest=bench.manifest)
    assert not outcome.success
    messages = [result.message for result in outcome.result.results if result.status == "error"]  # type: ignore[union-attr]
    assert messages
    assert all("--empty" in str(message) for message in messages)
    assert bench.file("events").read_bytes() == written
