"""What Spark reads and computes in its own way, against DuckDB: published files of several kinds, and rounding."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from dbt_common.exceptions import DbtDatabaseError
from jinja2 import Environment

from orchestration.dbt_runner.inputs import RunFile
from orchestration.errors import UsageError
from orchestration.framework import macro_path
from orchestration.lake.client import Lake
from orchestration.lake.s3 import gateway_of, open_gateway
from orchestration.settings import read_settings
from orchestration.spark.cursor import SessionCursor, rows_of
from orchestration.spark.executor import TaskDuckDB
from orchestration.spark.options import spark_options
from orchestration.spark.published import create_published
from orchestration.spark.session import SCHEMA, spark_session
from tests.helpers.spark import bits

BRANCH = "published"
FILES = {
    "2025-05-01": "select 1::bigint as id, 7::bigint as amount, 'a' as word",
    "2025-05-02": "select 'b' as word, 0.5::double as amount, 2::bigint as id",
    # Without `word`, with a column that is new.
    "2025-05-03": "select 3::bigint as id, 1e300::double as amount, timestamptz '2025-05-03 12:00:00+00' as at",
    "2025-05-04": "select 4::bigint as id, 8::bigint as amount, 'd' as word",
}


@pytest.fixture
def session(lake: Lake, tmp_path: Path) -> Iterator[Any]:
    with spark_session(spark_options(read_settings()), gateway_of(lake), tmp_path) as session:
        yield session


@pytest.fixture
def connection(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        open_gateway(connection, gateway_of(lake))
        connection.execute("set timezone = 'UTC'")
        yield connection


def test_files_with_other_columns_and_types_are_read_together_as_duckdb_reads_them(
    lake: Lake, session: Any, connection: duckdb.DuckDBPyConnection
) -> None:
    lake.create_branch(BRANCH, lake.head("main"))
    root = f"s3://{lake.repository}/{BRANCH}"
    keys = [f"curated/things/date={date}/data.parquet" for date in FILES]
    for key, sql in zip(keys, FILES.values(), strict=True):
        connection.execute(f"copy ({sql}) to '{root}/{key}' (format parquet)")

    create_published(session, RunFile("", root, published_root=root, published={"things": keys}), gateway_of(lake))

    uris = [f"{root}/{key}" for key in keys]
    expected = connection.sql(
        "select * exclude (date), date as _execution_date "
        f"from read_parquet({uris}, union_by_name = true, hive_partitioning = true) order by id"
    )
    columns, rows = expected.columns, expected.fetchall()
    for kind in ("published", "built"):
        found = session.sql(f"select * from {SCHEMA}.{kind}_things order by id")
        assert (found.columns, rows_of(found)) == (columns, rows)
    missing = RunFile("", root, published_root=root, published={"things": [keys[0], "curated/things/absent.parquet"]})
    with pytest.raises(duckdb.IOException, match=r"curated/things/absent\.parquet"):
        create_published(session, missing, gateway_of(lake))

    # The files of a mart by date have the same columns, and Spark reads them itself.
    cursor = SessionCursor({})
    alike = [f"{root}/{keys[at]}".replace("s3:", "s3a:") for at in (0, 3)]
    cursor.execute(f"/* elt read: marts */ {alike}".replace("'", '"'))
    cursor.execute(f"select id from {SCHEMA}.marts order by id")
    assert cursor.fetchall() == [(1,), (4,)]
    with pytest.raises(DbtDatabaseError, match=r"PATH_NOT_FOUND.*2025-05-05"):
        cursor.execute(f'/* elt read: marts */ ["{alike[0]}", "{alike[1].replace("-04", "-05")}"]')


@pytest.mark.parametrize("kind", ["double", "timestamptz"])
def test_a_column_that_became_text_is_refused_where_spark_writes_another_text(
    lake: Lake, session: Any, connection: duckdb.DuckDBPyConnection, kind: str
) -> None:
    root, keys = f"s3://{lake.repository}/{BRANCH}-{kind}", ("curated/old.parquet", "curated/new.parquet")
    lake.create_branch(f"{BRANCH}-{kind}", lake.head("main"))
    for key, sql in zip(keys, (f"select null::{kind} as at", "select 'x' as at"), strict=True):
        connection.execute(f"copy ({sql}) to '{root}/{key}' (format parquet)")

    with pytest.raises(UsageError, match=r"^at is text in other dates and \w+.* in .*curated/old\.parquet"):
        create_published(session, RunFile("", root, published_root=root, published={"x": keys}), gateway_of(lake))


def test_rows_are_written_in_order_to_files_with_the_bytes_of_duckdb(
    lake: Lake, session: Any, connection: duckdb.DuckDBPyConnection
) -> None:
    from orchestration.spark.write import Writer

    lake.create_branch("written", lake.head("main"))
    root = f"s3://{lake.repository}/written"
    # More than one row group, batch and part of Spark.
    rows, of_each = 300_000, 130_000
    session.range(rows, numPartitions=7).createOrReplaceTempView("ids")
    shown = {
        "spark": "select id * 7919 % 300007 as k, if(id % 10 = 0, null, concat('w', id % 100)) as word, "
        "timestamp_micros(id * 1000003) as at, id / 3 as third, cast(id % 5 as decimal(10, 2)) as price from ids",
        "duckdb": "select id * 7919 % 300007 as k, if(id % 10 = 0, null, concat('w', id % 100)) as word, "
        "make_timestamptz(id * 1000003) as at, id / 3 as third, cast(id % 5 as decimal(10, 2)) as price "
        f"from range({rows}) as ids (id)",
    }
    writer = Writer(session, TaskDuckDB(gateway_of(lake), "1GB"))

    def write(name: str, rows_per_file: int | None, more: str = "") -> list[str]:
        uri = f"s3a://{lake.repository}/written/{name}.parquet"
        asked = json.dumps({"uris": [uri], "rows_per_file": rows_per_file})
        rows = writer.write(asked, f"{shown['spark']} {more} order by k")
        return [uri.rpartition("/")[2] for (uri,) in rows]

    assert write("one", None) == ["one.parquet"]
    session.conf.set("spark.sql.execution.arrow.maxBytesPerBatch", "300000")
    assert write("narrow", None) == ["narrow.parquet"]
    assert write("exact", rows) == ["exact.parquet"]
    assert write("several", of_each) == [f"several-0000{number}.parquet" for number in (1, 2, 3)]
    assert write("empty", of_each, "where id < 0") == ["empty.parquet"]

    connection.execute(
        f"copy ({shown['duckdb']} order by k) to '{root}/expected.parquet' (format parquet, compression snappy)"
    )
    connection.execute(
        f"copy ({shown['duckdb']} where id < 0) to '{root}/nothing.parquet' (format parquet, compression snappy)"
    )
    checksums = {stored.key: stored.checksum for stored in lake.objects("written")}
    assert checksums["one.parquet"] == checksums["exact.parquet"] == checksums["expected.parquet"]
    # Batches that end anywhere, as of wide rows.
    assert checksums["narrow.parquet"] == checksums["expected.parquet"]
    assert checksums["empty.parquet"] == checksums["nothing.parquet"]
    parts = [f"{root}/several-0000{number}.parquet" for number in (1, 2, 3)]
    read = [connection.execute(f"from '{part}'").fetchall() for part in parts]
    assert [len(part) for part in read] == [of_each, of_each, rows - 2 * of_each]
    assert [row for part in read for row in part] == connection.execute(f"from '{root}/expected.parquet'").fetchall()


def test_rows_that_were_not_written_fail() -> None:
    from orchestration.spark.write import Files, FileWriter, Written

    writer = FileWriter(Files(("s3a://lake/main/a.parquet",), 3, 60, TaskDuckDB(None, "1GB")))

    writer.commit([Written(1, 10), None, Written(2, 50)])
    with pytest.raises(RuntimeError, match=r"^1 of 3 rows were written to s3a://lake/main/a\.parquet$"):
        writer.commit([Written(1, 10), Written()])
    with pytest.raises(RuntimeError, match=r"^the rows in s3a://lake/main/a\.parquet changed while they were writ"):
        writer.commit([Written(1, 10), Written(2, 30)])


def test_rows_that_are_other_ones_when_they_are_computed_again_fail(
    lake: Lake, session: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyspark.sql.classic.dataframe import DataFrame

    from orchestration.spark.write import Writer

    lake.create_branch("changed", lake.head("main"))
    asked = json.dumps({"uris": [f"s3a://{lake.repository}/changed/rows.parquet"], "rows_per_file": 60})
    # As if the executor that kept the rows was lost.
    monkeypatch.setattr(DataFrame, "persist", lambda frame: frame)
    changing = "select java_method('java.util.UUID', 'randomUUID') as id, id as number from range(100) order by number"

    with pytest.raises(Exception, match=r"rows-00001\.parquet changed while they were written: order the model by all"):
        Writer(session, TaskDuckDB(gateway_of(lake), "1GB")).write(asked, changing)


def test_a_task_with_another_duckdb_fails() -> None:
    with (
        pytest.raises(RuntimeError, match=rf"^this worker has DuckDB {duckdb.__version__}, and the driver 0\.9: "),
        TaskDuckDB(None, "1GB", version="0.9").opened(),
    ):
        pass


def test_doubles_are_rounded_alike(session: Any, connection: duckdb.DuckDBPyConnection) -> None:
    chance = random.Random(3)
    halves = [chance.randrange(1, 10**7) * 10 + 5 for _ in range(2_000)]
    numbers = [
        *(half / 10**7 for half in halves),
        *(chance.uniform(-1e6, 1e6) for _ in range(2_000)),
        *(chance.uniform(-1, 1) * 10 ** chance.randrange(-20, 300) for _ in range(2_000)),
        *(sign * number for number in (0.0, 5e-7, 4.9e-7, 1e303, 0.1245e-3, float("inf")) for sign in (1, -1)),
        float("nan"),
        None,
    ]
    source = (macro_path() / "sql" / "rounded.sql").read_text(encoding="utf-8").partition("{% macro duckdb__")
    macros: Any = Environment().from_string(source[1] + source[2]).module
    session.createDataFrame([(number,) for number in numbers], "x double").createOrReplaceTempView("numbers")
    connection.execute("create table numbers (x double)")
    connection.executemany("insert into numbers values (?)", [(number,) for number in numbers])

    for digits in (2, 6):
        found = rows_of(session.sql(f"select x, {macros.spark__rounded('x', digits)} from numbers"))
        expected = connection.execute(f"select x, {macros.duckdb__rounded('x', digits)} from numbers").fetchall()
        assert {tuple(map(bits, row)) for row in found} == {tuple(map(bits, row)) for row in expected}
    # The reason of the macro: the engines' own functions differ.
    own = "select count_if(x = 0.0001245 and round(x, 6) = 0.000125) from numbers"
    assert (session.sql(own).first()[0], connection.execute(own).fetchall()[0][0]) == (1, 0)
