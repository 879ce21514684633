"""Rejected rows come back: they are exported, and found again where the code at hand accepts them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from typer.testing import CliRunner

from examples.events_api import serving
from orchestration.backfill.plan import PlannedDate, Range, plan_backfill
from orchestration.backfill.run import Backfilled, run_backfill
from orchestration.cli.app import app
from orchestration.errors import IngestCleanError, UsageError
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import read_receipt
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT, log_to
from orchestration.models.generate import write_models
from orchestration.operations.rejected import recoverable_dates
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR, Settings
from tests.helpers.elt_runs import CLOSED
from tests.helpers.own_lake import variables_of
from tests.helpers.projects import copy_project, request_for, settings_of
from tests.helpers.tables import SOURCES, Field, edit_yaml, write_table

HALVES, PRICES, GOOD = "2025-05-20", "2025-05-21", "2025-05-22"
DATES = (HALVES, PRICES, GOOD)
LONG = "x" * 3_000


PRODUCTS = [{"Stock Code": "22423", "Description": "REGENCY CAKESTAND 3 TIER"}]


def event(event_id: str, date: str, **values: Any) -> dict[str, Any]:
    return {
        "Event ID": event_id,
        "Event Type": "sale",
        "Timestamp": f"{date}T10:00:00Z",
        "Invoice No": "i1",
        "Stock Code": "22423",
        "Description": None,
        "Quantity": 2,
        "Price": "12.75",
        "Customer ID": None,
        "Country": "France",
        **values,
    }


def events_of(date: str) -> list[dict[str, Any]]:
    """Returns a day's events: one good, and some with half a unit or without a price."""
    halves = [event("e2", date, Quantity=2.5), event("e3", date, Quantity=0.5, Description=LONG)]
    prices = [event("e4", date, Price="n/a")]
    return [event("e1", date), *(halves if date == HALVES else ()), *(prices if date != GOOD else ())]


def records(*more: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"id": "a", "n": 1}, {"id": "b", "n": 1.5}, *more]


LISTS = [["a", 1], ["b", 1.5]]
HALVES_OF = {
    "lines": "\n".join(json.dumps(one) for one in records()),
    "wrapped": {"page": [None, {"the rows": records()}]},
    "listed": LISTS,
    "headed": [["id", "n"], *LISTS],
    "named": {one["id"]: one for one in records()},
    "moved": LISTS,
    "dated": [{**one, "at": f"{HALVES}T10:00:00Z"} for one in records()]
    + [{"id": "c", "n": 1.5, "at": "2025-05-19T10:00:00Z"}],
}
"""Bodies of tables of every form and shape, each with one record of the date that has half a unit."""

FORMS: dict[str, dict[str, Any]] = {
    "lines": {"form": "ndjson"},
    "wrapped": {"form": "envelope", "records": 'page[1]."the rows"'},
    "listed": {"form": "array", "shape": "arrays"},
    "headed": {"form": "envelope", "records": "$", "shape": "table"},
    "named": {"form": "envelope", "records": "$", "shape": "values"},
    "moved": {"form": "array"},
    "dated": {"form": "array"},
}


def answer(request: Request) -> Response:
    """Answers for every table; tables beside the shop's have the same body on each day."""
    name, date = request.url.path.strip("/"), request.query_params["date"]
    bodies: dict[str, Any] = {"events": events_of(date), "products": PRODUCTS, **HALVES_OF}
    body = bodies[name]
    return Response(body if isinstance(body, str) else json.dumps(body), media_type="application/json")


@dataclass(frozen=True)
class Shop:
    """A lake, and a project that published to it."""

    lake: Lake
    project: Path
    url: str

    @property
    def settings(self) -> Settings:
        with pytest.MonkeyPatch.context() as monkeypatch:
            return settings_of(monkeypatch, self.project, SHOP_API_URL=self.url)

    def publish(self, *dates: str, **further: Any) -> None:
        for date in dates:
            run_date(request_for(self.lake, self.settings, date, **further))

    def recoverable(self, *dates: str, lines: list[str] | None = None) -> dict[str, dict[str, int]]:
        log = SILENT if lines is None else log_to(lines.append)
        return recoverable_dates(self.lake, self.settings, dates, log)

    def declare(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Changes the declarations of tables by name, and generates the models."""
        edit_yaml(
            self.project / SOURCES,
            lambda content: edit({table["name"]: table for table in content["sources"][0]["tables"]}),
        )
        write_models(self.project)

    def accounting(self, date: str) -> dict[str, Any]:
        receipt = read_receipt(self.lake, MAIN, keys.date_receipt(date))
        assert receipt is not None
        found: dict[str, Any] = receipt.content["accounting"]
        return found


def open_shop(lake: Lake, folder: Path, url: str) -> Shop:
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    shop = Shop(lake, copy_project(folder), url)
    shop.declare(lambda tables: tables["events"]["config"]["meta"].update(reject_limit=1))
    return shop


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with serving(Starlette(routes=[Route("/{name}", answer)])) as url:
        yield url


@pytest.fixture(scope="module")
def shop(open_repository: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory, api: str) -> Shop:
    """Three dates: one with half units and a bad price, one with a bad price, one without rejected rows."""
    shop = open_shop(open_repository("rejected"), tmp_path_factory.mktemp("project"), api)
    shop.publish(*DATES)
    return shop


@pytest.fixture
def elt(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command in this process; an error of the project is raised."""
    monkeypatch.setattr("orchestration.endpoints.open_lake", lambda settings: shop.lake)

    def run(*arguments: object) -> str:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if isinstance(result.exception, IngestCleanError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


def test_rejects_are_exported_completely(elt: Callable[..., str], tmp_path: Path) -> None:
    parquet, text = tmp_path / "rejects.parquet", tmp_path / "rejects.csv"

    assert elt("rejects", HALVES, "--export", parquet) == f"3 rejected rows of {HALVES} written to {parquet}\n"
    assert json.loads(elt("rejects", HALVES, "--export", text, "--json")) == {"file": str(text), "rows": 3}

    with duckdb.connect() as connection:
        columns = 'select "table", reason, page, record'
        rows = connection.execute(f"{columns} from read_parquet('{parquet}')").fetchall()
    with text.open(newline="") as file:
        assert [tuple(row.values()) for row in csv.DictReader(file)] == rows
    page = keys.raw_page("shop", "events", HALVES, 1)
    assert {row[:3] for row in rows} == {
        ("events", "quantity_not_integer", page),
        ("events", "price_not_numeric", page),
    }
    assert sorted(row[3] for row in rows) == sorted(json.dumps(one) for one in events_of(HALVES)[1:])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rejects.csv", "rejects.parquet"]


def test_a_file_that_exists_is_replaced_only_with_force(elt: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "rejects.csv"
    file.write_text("mine")

    with pytest.raises(UsageError, match="exists already"):
        elt("rejects", GOOD, "--export", file)
    assert file.read_text() == "mine"
    elt("rejects", GOOD, "--export", file, "--force")

    assert file.read_text() == "table,reason,page,record\n"


@pytest.mark.parametrize(
    ("date", "name", "problem"),
    [
        (GOOD, "rejects.xlsx", r"has the extension '\.xlsx', not \.parquet or \.csv"),
        (GOOD, "rejects", "has the extension '', not"),
        (GOOD, "folder/rejects.csv", "cannot write .*folder"),
        ("2025-05-19", "rejects.csv", "main has no data of 2025-05-19"),
    ],
)
def test_an_export_that_cannot_be_written_leaves_nothing(
    elt: Callable[..., str], tmp_path: Path, date: str, name: str, problem: str
) -> None:
    with pytest.raises(IngestCleanError, match=problem):
        elt("rejects", date, "--export", tmp_path / name)

    assert list(tmp_path.iterdir()) == []


def test_only_dates_with_records_that_are_accepted_now_are_found(shop: Shop) -> None:
    head = shop.lake.head(MAIN)
    assert shop.recoverable(*DATES) == {}, "the same code rejects the same records"
    shop.declare(lambda tables: tables["events"]["config"]["meta"].update(loss_limit=0.4))
    assert shop.recoverable(*DATES, "2025-05-19") == {}, "other code that rejects the same records"
    shop.declare(_accept_halves)
    lines: list[str] = []

    found = shop.recoverable(*DATES, lines=lines)

    assert found == {HALVES: {"events": 2}}
    assert lines[-1] == "1 of 3 dates have rejected records that would be accepted now"
    assert shop.recoverable(PRICES) == {}
    assert shop.lake.head(MAIN) == head
    before = shop.accounting(HALVES)["events"]
    done = backfill_rejected(shop)
    assert done.plan.dates == (PlannedDate(HALVES, "2 rejected rows of events are accepted now"),)
    assert (done.outcomes, done.more_rows) == ({"superseded": 1}, 2)
    after = shop.accounting(HALVES)["events"]
    assert after["curated"] - before["curated"] == found[HALVES]["events"]
    assert shop.recoverable(*DATES) == {}


def backfill_rejected(shop: Shop) -> Backfilled:
    """Runs `elt backfill --only rejected` over all dates; its worker inherits the environment."""
    access = shop.lake.connection.access
    environment = {
        "ELT_REPOSITORY": shop.lake.repository,
        **variables_of(access),
        "SHOP_API_URL": CLOSED,
    }
    with pytest.MonkeyPatch.context() as monkeypatch:
        settings = settings_of(monkeypatch, shop.project, **environment)
        plan = plan_backfill(shop.lake, settings, Range(HALVES, GOOD, "rejected", from_raw=True), SILENT)
        return run_backfill(plan, settings, SILENT, workers=1, marts=False, on_end=lambda end: None)


def _accept_halves(tables: dict[str, Any]) -> None:
    for table in tables.values():
        for column in table["columns"]:
            if column["name"] in ("Quantity", "n"):
                column["data_type"] = "double"


def test_records_of_every_form_are_tried(open_repository: Callable[..., Lake], tmp_path: Path, api: str) -> None:
    shop = open_shop(open_repository("rejected-forms"), tmp_path, api)
    for name, fetch in FORMS.items():
        fields = [Field("id", "id"), Field("n", "n", "bigint")]
        meta: dict[str, Any] = {"reject_limit": 1, "fetch": {"path": f"/{name}", "parameters": {"date": "{date}"}}}
        if name == "dated":
            fields.append(Field("at", "at", "timestamptz"))
            meta |= {"keep_date": "at", "other_dates_limit": 1}
        meta["fetch"] |= fetch
        write_table(shop.project, name, fields, ["id"], **meta)
    shop.publish(HALVES)
    assert shop.recoverable(HALVES) == {}

    def accept(tables: dict[str, Any]) -> None:
        _accept_halves(tables)
        tables["moved"]["config"]["meta"]["fetch"]["shape"] = "arrays"

    shop.declare(accept)
    lines: list[str] = []
    found = shop.recoverable(HALVES, lines=lines)

    assert found == {HALVES: {"events": 2, **dict.fromkeys(FORMS, 1), "moved": 2}}
    assert [line.split(":")[0] for line in lines if "all its raw pages are tried" in line] == [
        f"shop.{name} of {HALVES}" for name in ("headed", "moved", "named")
    ]


def test_raw_that_the_declaration_does_not_fit_any_more_does_not_stop_the_search(
    open_repository: Callable[..., Lake], tmp_path: Path, api: str
) -> None:
    shop = open_shop(open_repository("rejected-unread"), tmp_path, api)
    write_table(
        shop.project,
        "named",
        [Field("id", "id"), Field("n", "n", "bigint")],
        ["id"],
        reject_limit=1,
        fetch={"path": "/named", "parameters": {"date": "{date}"}, **FORMS["named"]},
    )
    shop.publish(HALVES)
    shop.declare(lambda tables: tables["named"]["config"]["meta"]["fetch"].update(records="data"))
    lines: list[str] = []

    assert shop.recoverable(HALVES, lines=lines) == {}
    assert any(line.startswith(f"shop.named of {HALVES} cannot be read as it is declared now: ") for line in lines)
