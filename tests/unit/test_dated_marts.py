"""What marts declare and read about dates, on manifests of a few nodes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from orchestration.dbt_runner.dated_marts import (
    Repeats,
    read_repeats,
    reads_all_dates,
    require_marts_of_all_dates,
    tables_read,
)
from orchestration.errors import UsageError


def node(
    name: str, folder: str, *inputs: str, materialized: str = "table", macros: tuple[str, ...] = (), **meta: Any
) -> Any:
    key = "marts/{name}/{file}.parquet" if materialized == "dated_lake_parquet" else "marts/{name}/data.parquet"
    return SimpleNamespace(
        unique_id=f"model.shop.{name}",
        name=name,
        alias=name,
        original_file_path=f"models/{folder}/{name}.sql",
        patch_path=f"shop://models/{folder}/{name}.yml",
        columns={"event_id": None} | ({} if folder == "curated" else {"execution_date": None}),
        config=SimpleNamespace(materialized=materialized, meta={"key_on_lake": key, **meta}),
        depends_on=SimpleNamespace(
            nodes=[f"model.shop.{one}" for one in inputs], macros=[f"macro.shop.{one}" for one in macros]
        ),
    )


def manifest(*nodes: Any) -> Any:
    def selector(*folders: str) -> dict[str, Any]:
        return {"definition": {"union": [{"method": "path", "value": f"models/{folder}"} for folder in folders]}}

    macros = {"built_rows": (), "kept_rows": (), "published": (), "indirect": ("built_rows",), "other": ()}
    return SimpleNamespace(
        nodes={one.unique_id: one for one in nodes},
        selectors={"date": selector("curated"), "marts": selector("marts")},
        macros={
            f"macro.shop.{name}": SimpleNamespace(
                depends_on=SimpleNamespace(macros=[f"macro.shop.{one}" for one in used])
            )
            for name, used in macros.items()
        },
    )


EVENTS = node("events", "curated", materialized="lake_parquet")
PRODUCTS = node("products", "curated", materialized="lake_parquet")


def dates_of(repeats: Any) -> Any:
    return node("event_dates", "marts", "events", materialized="dated_lake_parquet", repeats=repeats)


def test_repeats_are_read() -> None:
    found = read_repeats(manifest(EVENTS, PRODUCTS, dates_of({"of": "events", "key": ["event_id"]})))
    assert found == (Repeats("event_dates", "marts/event_dates/{file}.parquet", "events", ("event_id",)),)
    assert read_repeats(manifest(EVENTS)) == ()


@pytest.mark.parametrize(
    ("repeats", "problem"),
    [
        (None, "needs another form of it"),
        ("events", "needs another form of it"),
        (["events"], "needs another form of it"),
        ({"of": "events"}, "needs another form of it"),
        ({"key": ["event_id"]}, "needs another form of it"),
        ({"of": 1, "key": ["event_id"]}, "needs another form of it"),
        ({"of": "events", "key": "event_id"}, "needs another form of it"),
        ({"of": "events", "key": []}, "needs another form of it"),
        ({"of": "events", "key": ["event_id"], "by": "date"}, "needs another form of it"),
        ({"of": "products", "key": ["event_id"]}, "does not read the table products"),
        ({"of": "events", "key": ["event_id", "stock_code"]}, "or the table events has no column stock_code"),
        ({"of": "events", "key": ["execution_date"]}, "or the table events has no column execution_date"),
        ({"of": "events", "key": [None]}, "or the table events has no column None"),
    ],
)
def test_a_wrong_declaration_of_repeats_is_named(repeats: Any, problem: str) -> None:
    with pytest.raises(UsageError) as error:
        read_repeats(manifest(EVENTS, PRODUCTS, dates_of(repeats)))
    assert error.value.cause == (
        f"models/marts/event_dates.yml: config.meta.repeats of event_dates, {repeats!r}: the mart {problem}"
    )


def test_the_tables_that_marts_read_are_found() -> None:
    whole = node("prices", "marts", "products", "event_dates", materialized="lake_parquet")
    assert tables_read(manifest(EVENTS, PRODUCTS, dates_of(None), whole)) == {"events", "products"}
    assert tables_read(manifest(EVENTS, PRODUCTS, whole)) == {"products"}


def test_a_test_of_a_mart_counts_as_what_it_reads() -> None:
    compared = node("compared", "tests", "prices", "events", macros=("published",))
    compared.unique_id = "test.shop.compared"
    unrelated = node("unrelated", "tests", "products", macros=("published",))
    unrelated.unique_id = "test.shop.unrelated"
    prices = node("prices", "marts")
    assert tables_read(manifest(EVENTS, PRODUCTS, prices, compared, unrelated)) == {"events"}
    assert reads_all_dates(manifest(EVENTS, PRODUCTS, prices, compared))
    assert not reads_all_dates(manifest(EVENTS, PRODUCTS, prices, unrelated))


def test_kept_rows_need_repeats() -> None:
    kept = node("event_dates", "marts", "events", materialized="dated_lake_parquet", macros=("kept_rows",))
    with pytest.raises(UsageError, match="the mart reads kept_rows, so its rows depend on several dates"):
        read_repeats(manifest(EVENTS, kept))


def test_repeats_belong_to_a_mart_by_date() -> None:
    whole = node("dates", "marts", "events", materialized="lake_parquet", repeats={"of": "events", "key": ["event_id"]})
    with pytest.raises(UsageError, match="the mart is not a mart by date"):
        read_repeats(manifest(EVENTS, whole))


@pytest.mark.parametrize(
    "between",
    [
        node("between", "marts", "events", macros=("published",)),
        node("between", "marts", materialized="lake_parquet"),
    ],
)
def test_a_mart_by_date_may_not_read_what_changes_with_other_dates(between: Any) -> None:
    by_date = node("daily", "marts", "between", materialized="dated_lake_parquet")
    with pytest.raises(UsageError) as error:
        require_marts_of_all_dates(manifest(EVENTS, between, by_date))
    assert "marts/daily.sql: the mart by date daily would keep rows that no longer hold: between" in error.value.cause


@pytest.mark.parametrize(("macros", "reads"), [(("published",), True), (("other", "indirect"), False), ((), False)])
def test_a_mart_reads_all_dates_if_it_uses_published(macros: tuple[str, ...], reads: bool) -> None:
    assert reads_all_dates(manifest(EVENTS, node("prices", "marts", "events", macros=macros))) is reads


@pytest.mark.parametrize("macro", ["built_rows", "indirect"])
def test_a_whole_mart_may_not_read_built_rows_through_other_models(macro: str) -> None:
    between = node("between", "marts", "events", macros=(macro,))
    further = node("further", "marts", "between", "further")
    whole = node("prices", "marts", "further", materialized="lake_parquet")
    with pytest.raises(UsageError) as error:
        require_marts_of_all_dates(manifest(EVENTS, between, further, whole))
    assert "models/marts/prices.sql: the mart prices would lack rows: between has only those" in error.value.cause


def test_a_whole_mart_may_read_marts_by_date_and_published_rows() -> None:
    between = node("between", "marts", "events", macros=("built_rows",))
    by_date = node("daily", "marts", "between", materialized="dated_lake_parquet", macros=("built_rows",))
    whole = node("prices", "marts", "daily", "events", materialized="lake_parquet", macros=("published",))
    require_marts_of_all_dates(manifest(EVENTS, between, by_date, whole))
