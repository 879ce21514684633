"""Which rows are kept: the latest of a key, rows of tables without a key, and the rows of the date alone."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.audit import date_receipt
from orchestration.dbt_runner.build import Engine
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import DataFailed
from tests.helpers.projects import copy_project
from tests.helpers.tables import Field, write_table

from .conftest import DATE, Bench, build_tables, parsed

ORDER = (
    Field("id", "id"),
    Field("updated", "updated", "timestamptz", nullable=True),
    Field("state", "state"),
)
VERSION = (Field("id", "id"), Field("version", "version", "bigint"), Field("state", "state"))
LINE = (Field("text", "text"), Field("size", "size", "bigint", nullable=True))
VISIT = (Field("id", "id"), Field("at", "at", "timestamptz"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Bench:
    project = copy_project(tmp_path_factory.mktemp("kept"))
    write_table(project, "orders", ORDER, ["id"], latest="updated", other_dates_limit=1)
    write_table(project, "versions", VERSION, ["id"], latest="version")
    write_table(project, "bag", LINE, "none", identical="keep", reject_limit=1)
    write_table(project, "single", LINE, "none", identical="collapse", reject_limit=1)
    fetch = {"path": "/visits", "parameters": {"since": "{date}"}, "form": "array", "day": {"zone": "Europe/Berlin"}}
    write_table(project, "visits", VISIT, ["id"], keep_date="at", fetch=fetch, reject_limit=1)
    return parsed(project, tmp_path_factory.mktemp("parsed"), engine)


def order(name: str, updated: str | None, state: str) -> dict[str, Any]:
    return {"id": name, "updated": updated, "state": state}


LINES: list[Any] = [
    {"text": "b", "size": 1}, {"text": "a", "size": None}, {"text": "b", "size": "1"}, {"text": "a", "size": None},
    {"text": "a", "size": 2}, {"text": None, "size": None}, {"text": "x", "size": "many"}, 5,
]  # fmt: skip
VISITS = [
    {"id": "first moment", "at": "2025-05-19T22:00:00Z"},
    {"id": "before", "at": "2025-05-19T21:59:59Z"},
    {"id": "last moment", "at": "2025-05-20T21:59:59.999999Z"},
    {"id": "after", "at": "2025-05-20T22:00:00Z"},
    {"id": "much later", "at": "2026-01-01T00:00:00Z"},
    {"id": "first moment", "at": "2026-01-01T00:00:00Z"},
    {"id": "no instant", "at": "soon"},
]
GOOD: dict[str, list[Any]] = {
    "orders": [
        order("a", f"{DATE}T10:00:00Z", "created"),
        order("a", f"{DATE}T12:00:00+01:00", "paid"),
        order("a", f"{DATE}T09:00:00Z", "draft"),
        order("b", None, "unknown"),
        order("b", f"{DATE}T10:00:00Z", "known"),
        order("c", f"{DATE}T10:00:00Z", "x"),
        order("c", f"{DATE}T10:00:00Z", "w"),
    ],
    "versions": [{"id": "a", "version": version, "state": f"v{version}"} for version in (9, 10, 1)],
    "bag": LINES,
    "single": LINES,
    "visits": VISITS,
}


@pytest.fixture(scope="module")
def good(kept: Bench) -> BuildResult:
    return build_tables(kept, GOOD)


def test_the_latest_row_of_a_key_is_kept(kept: Bench, good: BuildResult) -> None:
    good.require_passed()
    assert kept.rows("orders", "id, state") == [("a", "paid"), ("b", "known"), ("c", "w")]
    assert kept.rows("versions", "version") == [(10,)]
    parts = good.accounting["orders"]
    assert (parts.raw, parts.curated, parts.conflicting, parts.closes) == (7, 3, 4, True)


def test_a_table_without_a_key_keeps_or_collapses_identical_rows(kept: Bench, good: BuildResult) -> None:
    rows = [("a", 2), ("a", None), ("a", None), ("b", 1), ("b", 1), (None, None)]
    assert kept.rows("bag") == rows
    assert kept.rows("single") == list(dict.fromkeys(rows))
    for name, curated, identical in (("bag", 6, 0), ("single", 4, 2)):
        parts = good.accounting[name]
        assert (parts.raw, parts.curated, parts.identical, parts.conflicting) == (8, curated, identical, 0)
        assert (parts.accepted_keys, parts.curated_keys, parts.closes) == (curated, curated, True)
        assert parts.rejected == {"record_not_object": 1, "size_not_integer": 1}
    tests = {node.name for node in good.nodes if node.kind == "test"}
    assert "single_unique_by_row" in tests
    assert not {name for name in tests if name.startswith("bag_") and "accounting" not in name} - {
        f"bag_{rule}" for rule in ("reject_share_within_limit", "has_rows", "declared_fields_present")
    }


def test_rows_of_other_dates_are_counted_and_not_published(kept: Bench, good: BuildResult) -> None:
    assert [name for (name,) in kept.rows("visits", "id")] == ["first moment", "last moment"]
    parts = good.accounting["visits"]
    assert (parts.raw, parts.curated, parts.other_dates, parts.closes) == (7, 2, 4, True)
    assert (parts.rejected, parts.conflicting, parts.accepted_keys) == ({"at_unparseable": 1}, 0, 2)
    assert "visits: 4 of 7 rows omitted: of other dates" in [note for _, note in good.notes()]
    receipt = date_receipt(DATE, (), {}, good, "").content["accounting"]
    assert receipt["visits"]["other_dates"] == 4
    assert "other_dates" not in receipt["orders"]


def test_an_answer_without_a_row_of_the_date_fails_as_an_empty_day(kept: Bench) -> None:
    result = build_tables(kept, {**GOOD, "visits": VISITS[3:5]})
    with pytest.raises(DataFailed, match="visits_has_rows") as failed:
        result.require_passed()
    assert "raw_rows=2, of_other_dates=2" in failed.value.cause
