"""The cleaning of a day's events as one statement of DuckDB, in its short form."""

from __future__ import annotations

from urllib.parse import urlsplit

import duckdb

from benchmarks.contenders.job import Job


def connect(job: Job, database: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """Open DuckDB with the job's memory limit and access to the lake."""
    lake = urlsplit(job.lake)
    connection = duckdb.connect(database)
    connection.execute(f"load '{job.httpfs}'")
    connection.execute(f"set memory_limit = '{job.memory}'")
    connection.execute(f"set temp_directory = '{job.folder / 'temp'}'")
    connection.execute("set timezone = 'UTC'")
    connection.execute(
        f"create secret (type s3, key_id '{job.access_key}', secret '{job.secret_key}', endpoint '{lake.netloc}', "
        f"use_ssl {str(lake.scheme == 'https').lower()}, url_style 'path', region 'us-east-1')"
    )
    return connection


def copy_of(raw: str, uri: str) -> str:
    """Return the statement that cleans `raw`, a table of texts, and writes it to `uri`."""
    return f"""
        copy (
            with typed as (
                select
                    * replace (
                        case
                            when regexp_full_match(timestamp, '[0-9]{{9,10}}')
                                then make_timestamptz(timestamp::bigint * 1000000)
                            when regexp_full_match(timestamp, '[0-9]{{12,13}}')
                                then make_timestamptz(timestamp::bigint * 1000)
                            else try_cast(timestamp as timestamptz)
                        end as timestamp,
                        try_cast(replace(quantity, ',', '') as bigint) as quantity,
                        try_cast(replace(price, ',', '') as double) as price
                    )
                from {raw}
            )

            select * from typed
            where trim(event_id) <> '' and timestamp is not null and quantity is not null and price is not null
            qualify row_number() over (partition by event_id order by timestamp, price) = 1
            order by event_id
        ) to '{uri}' (format parquet, compression snappy)
    """
