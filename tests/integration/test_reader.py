"""`elt sql` reads published tables only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.events_api import Options, create_app, serving
from orchestration.analyst.query import query, rejects
from orchestration.cli.output import format_table
from orchestration.errors import PlatformFailed, UsageError
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.s3 import open_duckdb
from orchestration.run import run_date
from orchestration.settings import Settings
from tests.helpers.own_lake import repository_of
from tests.helpers.projects import copy_project, request_for, settings_of

DATE = "2015-08-01"


@pytest.fixture(scope="module")
def published(access: LakeAccess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, Settings]]:
    """A repository with one published date."""
    project = copy_project(tmp_path_factory.mktemp("published"))
    with (
        repository_of(access, "readers") as lake,
        serving(create_app(Options(rows=1_000))) as shop,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        settings = settings_of(monkeypatch, project, SHOP_API_URL=shop)
        run_date(request_for(lake, settings, DATE))
        yield lake, settings


@pytest.mark.parametrize(
    "sql",
    [
        "select 1; select 2",
        "copy (select 1) to '{file}'",
        "explain analyze copy (select 1) to '{file}'",
        "EXPLAIN (ANALYZE, FORMAT json) copy (select 1) to '{file}'",
        "explain /* */ analyze copy (select 1) to '{file}'",
        "/* */ explain analyze copy (select 1) to '{file}'",
        "explain analyze copy (select 1) to 's3://readers/main/x.parquet'",
        "explain analyze call enable_logging(storage_path = '{folder}')",
        "attach '{file}' as other",
        "export database '{file}'",
        "install spatial",
        "load '{file}'",
        "set enable_external_access = true",
        "set global threads = 1",
        "reset allowed_directories",
        "pragma database_list",
        "/* */ -- x\n PRAGMA enable_profiling",
        "create secret other (type s3)",
        "drop secret lake",
        "call enable_logging()",
        "use memory",
    ],
)
def test_anything_but_one_query_is_refused(published: tuple[Lake, Settings], tmp_path: Path, sql: str) -> None:
    asked = sql.format(file=tmp_path / "file", folder=tmp_path)
    with pytest.raises(UsageError, match=r"is not a single read-only query|Parser Error"):
        query(published[0], asked)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "from read_text('{file}')",
        "from '{file}'",
        "from read_csv('{file}')",
        "from glob('{folder}/*')",
        "from query('from read_text(''{file}'')')",
        "from sniff_csv('{file}')",
        "from read_csv('http://127.0.0.1:9/x')",
        "from read_text('s3://readers/main/_lakefs_actions/gate_main.yaml')",
        "from read_text('s3://other/main/x')",
        "explain analyze from read_text('{file}')",
    ],
)
def test_reading_unpublished_data_is_refused(published: tuple[Lake, Settings], tmp_path: Path, sql: str) -> None:
    file = tmp_path / "private.csv"
    file.write_text("private")
    with pytest.raises(UsageError, match="Permission Error") as refused:
        query(published[0], sql.format(file=file, folder=tmp_path))
    assert "query the published tables by name" in refused.value.remedy


def test_a_path_with_dots_does_not_reach_another_branch(published: tuple[Lake, Settings]) -> None:
    commit = published[0].head(MAIN)
    with pytest.raises(PlatformFailed, match="HTTP 403"):
        query(published[0], f"from read_text('s3://readers/{commit}/../main/_lakefs_actions/gate_main.yaml')")


def test_views_can_be_read_explained_and_sorted_on_disk(published: tuple[Lake, Settings]) -> None:
    lake, settings = published
    counted = query(lake, "select count(*) from events").rows[0][0]
    assert counted > 900
    assert "EVENTS" in str(query(lake, "explain analyze select count(*) from events").rows).upper()
    assert query(lake, "explain (format json) select 1").rows
    assert rejects(lake, settings, DATE, MAIN, 5)
    with open_duckdb(lake, lake.head(MAIN), memory_limit="200MB", threads="1") as connection:
        ordered = connection.execute(
            "create temp table t as select i, repeat('x', 100) || i as text from range(4000000) r(i) order by text desc"
        )
        assert ordered.fetchall() == [(4_000_000,)]
        assert connection.execute("select sum(size) > 0 from duckdb_temporary_files()").fetchone() == (True,)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("select count(*) > 0 from EVENTS join main.products using (stock_code)", True),
        ("with products as (select * from events) select count(*) > 0 from products", True),
        ("select count(*) > 0 from query_table('events') where stock_code in (select stock_code from products)", True),
        ("from (pivot events on event_type in ('sale') using count(*)) select count(*) > 0", True),
        ("select count(*) from information_schema.tables where table_name in ('events', 'products')", 2),
    ],
)
def test_a_query_reaches_its_tables_in_every_form(published: tuple[Lake, Settings], sql: str, found: object) -> None:
    assert query(published[0], sql).rows == ((found,),)


def test_a_table_that_is_not_published_is_reported_with_one_that_is(published: tuple[Lake, Settings]) -> None:
    with pytest.raises(UsageError, match=r"event does not exist(?s:.*)events"):
        query(published[0], "select * from event")


def test_a_printed_table_has_one_line_for_each_row() -> None:
    table = format_table(["a\x1bb", "c"], [("x\ny\u202e", None), ("z" * 5_000_000, 1)])
    lines = table.split("\n")
    assert [line[:9] for line in lines[:3]] == [r"a\x1bb   ", "---------", r"x\ny\u202"]
    assert len(lines) == 4
    assert len(table) < 10_000
