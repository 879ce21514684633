"""The output of `make docs`: lineage, descriptions, types and rows, in one page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.dbt_runner import docs as dbt_docs
from orchestration.dbt_runner.inputs import RunFile, set_statement, variables
from tests.helpers.projects import copy_project, type_named

LINEAGES = (
    "shop.events stg_shop__events events_checked events event_dates all_events daily_sales sales_dashboard",
    "shop.products stg_shop__products products_checked products daily_products product_sales sales_dashboard",
    "shop.events stg_shop__events events_checked events all_events daily_invoices customer_features customer_model",
    "shop.events stg_shop__events events_checked events_rejected eda_report",
)


@dataclass(frozen=True)
class Docs:
    """A project, its page and dbt's folder; `nodes`, `children` and `catalog` are read from the page."""

    project: Path
    build: Path
    page: str
    nodes: dict[str, dict[str, Any]]
    children: dict[str, list[str]]
    catalog: dict[str, Any]


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Docs:
    project = copy_project(tmp_path_factory.mktemp("project"))
    folder = tmp_path_factory.mktemp("docs")
    page = dbt_docs.write_docs(project, folder).read_text(encoding="utf-8")
    manifest, end = json.JSONDecoder().raw_decode(page, page.index("{manifest:") + len("{manifest:"))
    catalog, _ = json.JSONDecoder().raw_decode(page, end + len(",catalog:"))
    nodes = {**manifest["nodes"], **manifest["sources"], **manifest["exposures"]}
    own_nodes = {name: node for name, node in nodes.items() if name.startswith(("model.", "source.", "exposure."))}
    return Docs(
        project,
        folder / "build",
        page,
        own_nodes,
        manifest["child_map"],
        {**catalog["nodes"], **catalog["sources"]},
    )


def test_lineage_leads_from_the_api_to_all_consumers(docs: Docs) -> None:
    names = {name.split("ingest_clean.")[1]: name for name in docs.nodes}

    for lineage in LINEAGES:
        for parent, child in pairwise(names[step] for step in lineage.split()):
            assert child in docs.children[parent], lineage
    ends = {names[step] for lineage in LINEAGES for step in (lineage.split()[0], lineage.split()[-1])}
    assert ends == {name for name in docs.nodes if not name.startswith("model.")}


def test_every_column_has_its_declared_type(docs: Docs) -> None:
    for name, table in docs.catalog.items():
        declared = {column["name"]: type_named(column["data_type"]) for column in docs.nodes[name]["columns"].values()}
        if not declared:
            # Models before a published table have their columns in their SQL.
            assert name.endswith("_checked") or ".stg_" in name
            continue
        found = {column["name"]: type_named(column["type"]) for column in table["columns"].values()}
        assert found == declared, name
    assert docs.catalog.keys() == {name for name in docs.nodes if not name.startswith("exposure.")}


def test_row_counts_match_the_database_and_the_pages(docs: Docs) -> None:
    run = RunFile(**json.loads((docs.build / "run.json").read_text()))
    counted = {
        f"source.ingest_clean.{table}": sum(len(json.loads(Path(run.raw_root, page).read_text())) for page in pages)
        for table, pages in run.raw.items()
    }
    with duckdb.connect(docs.build / "dev.duckdb", read_only=True) as connection:
        for variable in variables(run).items():
            connection.execute(set_statement(*variable))
        for name in docs.catalog.keys() - counted.keys():
            (row,) = connection.execute(f"select count(*) from {docs.nodes[name]['relation_name']}").fetchall()
            counted[name] = row[0]

    assert {name: table["stats"]["row_count"]["value"] for name, table in docs.catalog.items()} == counted
    assert counted["model.ingest_clean.events"] > 0


def undescribed(docs: Docs) -> Iterator[str]:
    for name, node in docs.nodes.items():
        texts = {name: node["description"], f"source of {name}": node.get("source_description", "-")}
        texts |= {f"{name}.{column}": described["description"] for column, described in node.get("columns", {}).items()}
        yield from (what for what, text in texts.items() if not text.strip())


def test_everything_has_a_description(docs: Docs) -> None:
    assert list(undescribed(docs)) == []
    docs.nodes["model.ingest_clean.events"]["columns"]["event_id"]["description"] = " "
    assert list(undescribed(docs)) == ["model.ingest_clean.events.event_id"]


def test_the_page_needs_no_other_file(docs: Docs) -> None:
    external = r"<(?:script|link|img)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//|@import|url\([\"']?(?:https?:)?//"

    assert re.findall(external, docs.page) == []
    assert re.findall(external, '<script src="https://example.com/x.js">')


def test_an_analysts_database_is_neither_needed_nor_changed(docs: Docs) -> None:
    assert not [name for name in ("dev.duckdb", ".elt", "target", "logs") if (docs.project / name).exists()]


def test_a_failed_build_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = copy_project(tmp_path) / "models" / "marts" / "by_date" / "daily_sales.sql"
    model.write_text(model.read_text().replace("group by", "group bye"))
    monkeypatch.setenv("ELT_PROJECT_DIR", str(tmp_path))

    assert dbt_docs.main() == 5
    errors = capsys.readouterr().err
    assert "PlatformFailed: dbt run failed" in errors
    assert "daily_sales" in errors
    assert not (tmp_path / "target" / "docs" / "index.html").exists()
