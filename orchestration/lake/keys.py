"""The keys of all objects on the lake, defined in one place: docs/design.md#keys-on-the-lake.

A key contains no space, `+` or `%`, because DuckDB decodes those in listings. Every key of a date contains
`date=<date>`, so that merges of different dates do not conflict.
"""

from __future__ import annotations

GATE = "_lakefs_actions/gate_main.yaml"
RECEIPTS = "_receipts/"

MARTS = "marts/"

RAW_CONTENT_TYPE = "application/octet-stream"
"""Content types are part of an object's identity on lakeFS, so the type of each kind of key never changes."""

JSON_CONTENT_TYPE = "application/json"
GATE_CONTENT_TYPE = "application/x-yaml"


LINK = "::lakefs::Prefect::url[url:ui]"
"""The key of commit metadata that lakeFS's UI shows as a link to the flow run."""


def raw_folder(source: str, table: str, execution_date: str) -> str:
    """Return the prefix of the raw pages of a table and date."""
    return f"raw/{source}/{table}/date={execution_date}/"


def raw_page(source: str, table: str, execution_date: str, number: int) -> str:
    """Return the key of one raw page; pages are numbered from 1."""
    return f"{raw_folder(source, table, execution_date)}page-{number:05d}.json"


def date_receipt(execution_date: str) -> str:
    """Return the key of the receipt that covers all objects of a date."""
    return f"{RECEIPTS}date={execution_date}.json"


MARTS_RECEIPT = f"{RECEIPTS}marts.json"
"""The key of the receipt that covers all marts."""


def bundle(execution_date: str) -> str:
    """Return the key of the bundle with the receipts of a date's month. No mart has a name like that of its folder."""
    return f"{MARTS}_receipts/{execution_date[:7]}.json"


def date_of_receipt(key: str) -> str:
    """Return the date that a receipt covers; empty for the receipt of the marts."""
    name = key.removeprefix(RECEIPTS).removesuffix(".json")
    return name.removeprefix("date=") if name.startswith("date=") else ""


def date_of(key: str) -> str:
    """Return the date of a key below a folder `date=<date>`."""
    return key.partition("/date=")[2].partition("/")[0]


def table_of(key: str) -> str:
    """Return the table or mart that a Parquet key belongs to."""
    return key.split("/")[1]


def curated(table: str, execution_date: str) -> str:
    """Return the key of a table's Parquet of a date. Spark writes many rows to `data-00001.parquet` and so on."""
    return f"curated/{table}/date={execution_date}/data.parquet"


def rejected_folder(table: str, execution_date: str) -> str:
    """Return the prefix of the Parquet with a table's rejected rows of a date."""
    return curated(f"{table}_rejected", execution_date).rpartition("/")[0] + "/"
