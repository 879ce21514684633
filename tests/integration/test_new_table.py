"""A new table by `elt source add`: what it gets without any Python, from the sample to a published day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from examples.events_api import Options, create_app, serving
from orchestration.analyst.query import query, rejects
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import read_receipt
from orchestration.models.generate import write_models
from orchestration.run import run_date
from tests.helpers.dbt_runs import dbt
from tests.helpers.projects import copy_project, keys_of, request_for, settings_of
from tests.helpers.tables import SOURCES, elt_source

GOOD = {"Supplier ID": "S-1", "Name": "Tins", "Lead Days": 3, "Rating": None}


SAMPLE = [
    {
        "Supplier ID": "S-01",
        "Name": "Lotus Bags",
        "Lead Days": 14,
        "Rating": "4.5",
        "Updated At": "2025-05-20T08:00:00Z",
    },
    {
        "Supplier ID": "S-02",
        "Name": "Retrospot",
        "Lead Days": "1,000",
        "Rating": None,
        "Updated At": "2025-05-20 09:30:00",
    },
    {
        "Supplier ID": "S-02",
        "Name": "Retrospot",
        "Lead Days": "1,000",
        "Rating": None,
        "Updated At": "2025-05-20 09:30:00",
    },
    {"Supplier ID": "S-03", "Name": None, "Lead Days": 3, "Rating": 5, "Updated At": 1747735200},
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one new table of the source `shop`, whose first version of a record is to be kept."""
    copy = copy_project(tmp_path / "project")
    settings_of(monkeypatch, copy)
    sample = tmp_path / "vendors.json"
    sample.write_text(json.dumps(SAMPLE))
    added = elt_source(
        "add", "shop", "vendors", "--sample", sample, "--date", "2025-05-20", "--parameter", "date={date}", "--yes"
    )
    assert added.exit_code == 0, added.output
    file = copy / SOURCES
    guessed = file.read_text()
    file.write_text(guessed.replace("latest: Updated At", "earliest: Updated At"))
    assert file.read_text() != guessed
    write_models(copy)
    return copy


async def vendors(request: Request) -> JSONResponse:
    """Returns 110 records, among them an identical one, a later conflicting one and an invalid one."""
    day = request.query_params["date"]
    good = {**GOOD, "Updated At": f"{day}T08:00:00+01:00"}
    others = [{**good, "Supplier ID": f"T-{number}"} for number in range(106)]
    later = {**good, "Name": "Boxes", "Updated At": f"{day}T09:00:00+01:00", "Channel": "web"}
    return JSONResponse([good, good, later, {**good, "Lead Days": "soon"}, *others])


@pytest.fixture
def shop() -> Iterator[str]:
    routes = [Route("/vendors", vendors), Mount("/", create_app(Options(rows=200)))]
    with serving(Starlette(routes=routes)) as url:
        yield url


def test_the_new_table_builds_on_target_dev_unchanged(project: Path) -> None:
    ended = dbt(project, "--warn-error", "build")

    assert ended.code == 0, ended.out
    with duckdb.connect(project / "dev.duckdb", read_only=True) as connection:
        rows = connection.execute("select supplier_id, lead_days, rating from vendors order by 1").fetchall()
    assert rows == [("S-01", 14, 4.5), ("S-02", 1000, None), ("S-03", 3, 5.0)]


def test_keys_rejects_accounting_receipt_and_gate_follow(
    lake: Lake, project: Path, shop: str, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(monkeypatch, project, SHOP_API_URL=shop)

    published = run_date(request_for(lake, settings, execution_date))

    there = keys_of(lake, MAIN, execution_date)
    receipt = read_receipt(lake, MAIN, keys.date_receipt(execution_date))
    assert receipt is not None
    assert published.rows["vendors"] == 107
    assert {
        keys.raw_page("shop", "vendors", execution_date, 1),
        keys.curated("vendors", execution_date),
        keys.curated("vendors_rejected", execution_date),
    } <= receipt.objects.keys()
    assert dict(receipt.objects) == {key: checksum for key, checksum in there.items() if key != receipt.key}
    assert receipt.content["accounting"]["vendors"] == {
        "raw": 110,
        "curated": 107,
        "identical": 1,
        "conflicting": 1,
        "accepted_keys": 107,
        "curated_keys": 107,
        "rejected": {"lead_days_not_integer": 1},
        "drift": {"Channel": 1},
        "drift_fields": 1,
    }
    assert {"vendors_accounting_closes", "vendors_unique_by_supplier_id"} <= receipt.content["tests"].keys()
    assert [one.reason for one in rejects(lake, settings, execution_date, MAIN, 5) if one.table == "vendors"] == [
        "lead_days_not_integer"
    ]
    kept = query(lake, f"select name from vendors where supplier_id = 'S-1' and _execution_date = '{execution_date}'")
    assert kept.rows == (("Tins",),)
