"""The views of `elt sql`, over local files."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.analyst.query import create_view
from orchestration.lake import keys


def test_the_date_of_a_file_hides_no_column(tmp_path: Path) -> None:
    dates = ("2025-05-20", "2025-05-21")
    files = [keys.curated("orders", date) for date in dates]
    with duckdb.connect() as connection:
        for number, file in enumerate(files):
            (tmp_path / file).parent.mkdir(parents=True)
            columns = f"'sent {number}' as \"date\", 'there' as uri, 'theirs' as execution_date"
            connection.execute(f"copy (select {columns}) to '{tmp_path / file}'")
        create_view(connection, "orders", str(tmp_path), files)

        found = connection.execute("select *, _execution_date::varchar from orders order by _execution_date").fetchall()

    assert [(row[:3], row[-1]) for row in found] == [
        ((f"sent {number}", "there", "theirs"), date) for number, date in enumerate(dates)
    ]


@pytest.mark.parametrize("dates", [["2025-05-20"], ["2025-05-20", "2025-05-21"]])
def test_dates_can_be_compared_and_aggregated(tmp_path: Path, dates: list[str]) -> None:
    files = [keys.curated("orders", date) for date in dates]
    with duckdb.connect() as connection:
        connection.execute("set disabled_optimizers = 'statistics_propagation'")
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True)
            connection.execute(f"copy (select 1 as n) to '{tmp_path / file}'")
        create_view(connection, "orders", str(tmp_path), files)

        asked = "select min(_execution_date)::varchar, max(_execution_date)::varchar, count(*) from orders"
        assert connection.execute(asked).fetchone() == (dates[0], dates[-1], len(dates))
        assert connection.execute(f"{asked} where _execution_date = '{dates[-1]}'").fetchone() == (
            dates[-1],
            dates[-1],
            1,
        )


def test_a_query_of_one_date_reads_its_file_only(tmp_path: Path) -> None:
    files = [keys.curated("orders", date) for date in ("2025-05-20", "2025-05-21")]
    with duckdb.connect() as connection:
        for file in files:
            (tmp_path / file).parent.mkdir(parents=True)
            connection.execute(f"copy (select 1 as n) to '{tmp_path / file}'")
        create_view(connection, "orders", str(tmp_path), files)
        (tmp_path / files[1]).write_bytes(b"not Parquet")

        found = connection.execute("select n from orders where _execution_date = '2025-05-20'").fetchall()

    assert found == [(1,)]


def test_a_mart_has_the_columns_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "marts/daily_sales").mkdir(parents=True)
    with duckdb.connect() as connection:
        connection.execute(f"copy (select 1 as n) to '{tmp_path}/marts/daily_sales/data.parquet'")
        create_view(connection, "daily_sales", str(tmp_path), ["marts/daily_sales/data.parquet"])

        assert [row[0] for row in connection.execute("describe daily_sales").fetchall()] == ["n"]
