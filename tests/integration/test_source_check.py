"""`elt source check`: what a run would find in a date, without lakeFS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.events_api import serving
from orchestration.errors import DataFailed, SourceFailed, UsageError
from orchestration.models.generate import write_models
from tests.helpers.projects import copy_project, settings_of
from tests.helpers.tables import SOURCES, Field, edit_yaml, elt_source, write_table

DATE = "2025-05-20"
COLUMNS = [Field("id", "id"), Field("at", "at", "timestamptz"), Field("size", "size", "bigint")]


def row(number: int, day: str, **further: Any) -> dict[str, Any]:
    return {"id": f"t{number}", "at": f"{day}T08:00:00Z", "size": number, **further}


async def things(request: Request) -> JSONResponse:
    """Returns rows of the day that is asked for; what else is asked for decides how they are wrong."""
    day, kind = request.query_params["date"], request.path_params["kind"]
    if kind == "rejects":
        return JSONResponse([row(1, day), row(1, day), row(2, day, size="many"), row(3, day, extra=1)])
    if kind == "ignored":
        return JSONResponse([row(at, DATE) for at in range(3)])
    if kind == "announced":
        return JSONResponse({"total": 5, "data": [row(1, day)]})
    return JSONResponse([row(at, day) for at in range(3)])


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with serving(Starlette(routes=[Route("/{kind}", things)])) as url:
        yield url


@pytest.fixture
def project(tmp_path: Path, api: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with three tables that differ in their answers."""
    copy = copy_project(tmp_path / "project")
    settings_of(monkeypatch, copy, SHOP_API_URL=api, ELT_RETRIES=0)
    for name in ("rejects", "ignored", "good"):
        write_table(copy, name, COLUMNS, ["id"], earliest="at")

    def limited(content: Any) -> None:
        for table in content["sources"][0]["tables"]:
            if table["name"] == "good":
                table["config"]["meta"]["fetch"]["parameters"]["limit"] = 3

    edit_yaml(copy / SOURCES, limited)
    write_models(copy)
    return copy


def test_a_date_is_checked_without_the_lake(project: Path) -> None:
    good = elt_source("check", "shop.good", DATE, "--json")
    rejects = elt_source("check", "shop.rejects", DATE)
    ignored = elt_source("check", "shop.ignored", DATE)

    assert good.exit_code == 0, good.output
    (table,) = json.loads(good.stdout)["tables"]
    assert (table["table"], table["pages"], table["accounting"]["curated"]) == ("shop.good", 1, 3)
    assert table["doubts"] == [
        "the only page has 3 records, which is what limit asks for: there may be more; declare the paging"
    ]
    # A quarter of the rows is above the limit.
    assert isinstance(rejects.exception, DataFailed)
    assert "4 records: 2 curated, 1 identical, 0 conflicting, 1 rejected, 0 of other dates" in rejects.stdout
    assert "rejected for size_not_integer: 1" in rejects.stdout
    assert '"size":"many"' in rejects.stdout
    assert "undeclared field 'extra' in 1 records" in rejects.stdout
    assert "doubt:" not in rejects.stdout
    assert "doubt: the first page of 2025-05-19 has the same records" in ignored.stdout
    assert ignored.exit_code == 0, ignored.output
    # Pages and models were temporary.
    assert not list((project / ".elt" / "work").iterdir())


def test_an_incomplete_date_an_unknown_name_and_models_of_another_declaration_are_errors(project: Path) -> None:
    def announced(content: Any) -> None:
        (table,) = (one for one in content["sources"][0]["tables"] if one["name"] == "good")
        table["config"]["meta"]["fetch"] |= {"path": "/announced", "form": "envelope", "records": "data"}

    edit_yaml(project / SOURCES, announced)

    incomplete = elt_source("check", "shop.good", DATE)
    unknown = elt_source("check", "shop.nothing", DATE)
    edit_yaml(project / SOURCES, lambda content: content["sources"][0]["tables"][-1]["columns"].pop())
    outdated = elt_source("check", "shop.good", DATE)

    assert isinstance(incomplete.exception, SourceFailed)
    assert "total announces 5 records, 1 were fetched" in str(incomplete.exception)
    assert isinstance(unknown.exception, UsageError)
    assert "shop.events, shop.good" in unknown.exception.remedy
    assert isinstance(outdated.exception, UsageError)
    assert outdated.exception.remedy == "elt models"
