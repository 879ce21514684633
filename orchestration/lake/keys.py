"""Where things lie on the lake: the keys of section 4 of the design, written once.

A key holds no space, `+` or `%`: DuckDB decodes those in listings. Every key of a date carries `date=<date>`, so that
dates merge in any order.
"""

from __future__ import annotations

GATE = "_lakefs_actions/gate_main.yaml"
RECEIPTS = "_receipts/"

RAW_CONTENT_TYPE = "application/octet-stream"
"""Content types are part of an object's identity on lakeFS, so each kind of key has one for good."""

JSON_CONTENT_TYPE = "application/json"
GATE_CONTENT_TYPE = "application/x-yaml"


LINK = "::lakefs::Prefect::url[url:ui]"
"""The key of commit metadata that lakeFS's pages show as a link to the flow run."""


def raw_folder(source: str, table: str, execution_date: str) -> str:
    """What the keys of a table's raw pages of a date begin with."""
    return f"raw/{source}/{table}/date={execution_date}/"


def raw_page(source: str, table: str, execution_date: str, number: int) -> str:
    """The key of one page of the API's answers, numbered from 1."""
    return f"{raw_folder(source, table, execution_date)}page-{number:05d}.json"


def date_receipt(execution_date: str) -> str:
    """The key of the receipt that vouches for all objects of a date."""
    return f"{RECEIPTS}date={execution_date}.json"


MARTS_RECEIPT = f"{RECEIPTS}marts.json"
"""The receipt that vouches for all marts."""


def date_of_receipt(key: str) -> str:
    """The date that a receipt covers; empty for that of the marts."""
    name = key.removeprefix(RECEIPTS).removesuffix(".json")
    return name.removeprefix("date=") if name.startswith("date=") else ""


def table_of(key: str) -> str:
    """The table or mart that a key of Parquet belongs to."""
    return key.split("/")[1]


def curated(table: str, execution_date: str) -> str:
    """The key of a table's Parquet of a date."""
    return f"curated/{table}/date={execution_date}/data.parquet"


def rejected(table: str, execution_date: str) -> str:
    """The key of a table's rejected rows of a date."""
    return curated(f"{table}_rejected", execution_date)
