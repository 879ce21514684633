"""The inputs of a build as DuckDB variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt.adapters.duckdb.utils import TargetConfig, TargetLocation

from orchestration.dbt_runner.inputs import RunFile, sample_run, set_statement, variables
from orchestration.dbt_runner.plugin import Plugin
from orchestration.errors import UsageError

RUN = RunFile(
    execution_date="2025-05-20",
    lake_root="s3://project/etl-2025-05-20-1a2b3c4d/",
    raw_root="s3://project/abc",
    raw={"shop.events": ["raw/shop/events/date=2025-05-20/page-00001.json"], "shop.products": []},
    published_root="s3://project/def/",
    published={"events": ["curated/events/date=2025-05-19/data.parquet"]},
)


def test_a_run_becomes_variables() -> None:
    found = variables(RUN)
    assert found["lake_root"] == "s3://project/etl-2025-05-20-1a2b3c4d"
    assert found["lake_date"] == "2025-05-20"
    assert found["raw_shop__events"] == ["s3://project/abc/raw/shop/events/date=2025-05-20/page-00001.json"]
    assert found["published_events"] == ["s3://project/def/curated/events/date=2025-05-19/data.parquet"]


def test_no_pages_are_one_page_without_records() -> None:
    pages = variables(RUN)["raw_shop__products"]
    assert len(pages) == 1
    assert Path(pages[0]).read_bytes() == b""


def test_a_statement_sets_what_it_is_given() -> None:
    with duckdb.connect() as connection:
        for name, value in (("one", "it's"), ("many", ["a'b", "c"]), ("none", [])):
            connection.execute(set_statement(name, value))
            found = connection.execute(f"select getvariable('{name}')").fetchone()
            assert found == (value,)


def test_the_sample_of_one_date_is_read_and_what_was_built_counts_as_published(tmp_path: Path) -> None:
    for date, number in (("2025-05-20", 2), ("2025-05-20", 1), ("2025-05-21", 1)):
        page = tmp_path / f"examples/raw_sample/raw/shop/events/date={date}/page-0000{number}.json"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.touch()
    built = tmp_path / ".elt/dev/curated/events/date=2025-05-19/data.parquet"
    built.parent.mkdir(parents=True)
    built.touch()
    assert sample_run("", tmp_path).execution_date == "2025-05-21"
    run = sample_run("2025-05-20", tmp_path)
    keys = [f"raw/shop/events/date=2025-05-20/page-0000{number}.json" for number in (1, 2)]
    assert run.raw == {"shop.events": keys}
    assert run.published == {"events": [f"curated/events/date=2025-05-{day}/data.parquet" for day in (19, 20)]}


def test_each_table_has_its_own_latest_date_unless_a_date_is_set(tmp_path: Path) -> None:
    for table, date in (("shop/events", "2025-05-20"), ("shop/products", "2025-05-20"), ("ads/clicks", "2026-11-25")):
        page = tmp_path / f"examples/raw_sample/raw/{table}/date={date}/page-00001.json"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.touch()

    run, dated = sample_run("", tmp_path), sample_run("2026-11-25", tmp_path)

    assert run.execution_date == "2025-05-20"
    assert run.raw["ads.clicks"] == ["raw/ads/clicks/date=2026-11-25/page-00001.json"]
    assert variables(run)["lake_date_clicks"] == "2026-11-25"
    assert "lake_date_events" not in variables(run)
    assert run.published["clicks"] == ["curated/clicks/date=2025-05-20/data.parquet"]
    assert (dated.execution_date, dated.raw["shop.events"], dict(dated.raw_dates)) == ("2026-11-25", [], {})


def test_a_date_that_the_sample_lacks_is_refused_with_those_it_has(tmp_path: Path) -> None:
    page = tmp_path / "examples/raw_sample/raw/shop/events/date=2025-05-20/page-00001.json"
    page.parent.mkdir(parents=True)
    page.touch()
    with pytest.raises(UsageError, match="ELT_DEV_DATE=2025-05-22") as refused:
        sample_run("2025-05-22", tmp_path)
    assert refused.value.remedy == "set one of 2025-05-20, or none for the latest"


def test_folders_are_created_on_a_local_lake_and_not_in_an_object_store(tmp_path: Path) -> None:
    plugin = Plugin.__new__(Plugin)
    target: Any = None
    for path in (str(tmp_path / "a" / "b" / "data.parquet"), "s3://project/branch/data.parquet"):
        plugin.store(TargetConfig(target, [], {}, TargetLocation(path, "parquet")))
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")] == ["a", "a/b"]
