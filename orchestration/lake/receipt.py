"""The receipt: one JSON object per date, and one for the marts, with the checksum of every object it covers.

It contains no time and no run id, so the same data under the same code gives the same bytes. The gate reads `status`
and `objects`, in every format. The other fields are for people and for the next run:

    format          1; a later version that gives a field another meaning has a higher one
    execution_date  the date; absent for the marts
    status          "pass"
    objects         key → lakeFS's checksum, of all raw pages and all Parquet of the date; of the marts' Parquet
                    and of the bundles of receipts
    details         key → bytes, and rows of Parquet or SHA-256 of raw; of a raw page that is not byte for byte as sent
                    `decoded`, a list such as ["gzip"], or `no_data`, what the API sent instead of records
    inputs          source.table → the keys of its raw pages, in order; of the marts the pinned `commit` and
                    `receipts`: key → lakeFS's checksum of each date's receipt there. A mart by date may have files
                    that an earlier run wrote, from dates with the same receipts
    accounting      table → raw, curated, identical, conflicting, rejected by reason, accepted_keys and curated_keys:
                    distinct keys (absent from receipts of before 2026-11-26), other_dates (absent where it is 0),
                    drift by undeclared field (the most frequent ones, long names cut), drift_fields: their total
                    number; of the marts table → rows published over all dates, kept, repeated
    tests           data test → status and failures
    code            SHA-256 of the SQL and macros of the models used
    engine          "spark"; absent for DuckDB
    versions        of the engine and dbt, recorded and not compared
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.errors import PlatformFailed
from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.settings import EngineName

FORMAT = 1

NEWER_VERSION = "install the ingest-clean that wrote it, or a later one (docs/upgrading.md)"


@dataclass(frozen=True)
class Receipt:
    """A receipt on the lake. The module's docstring lists the fields of `content`."""

    key: str
    content: Mapping[str, Any]

    @property
    def objects(self) -> Mapping[str, str]:
        """Return the checksum of every object that the receipt covers, by key."""
        found: Mapping[str, str] = self.content["objects"]
        return found

    @property
    def keys(self) -> frozenset[str]:
        """Return the keys that the receipt covers, and its own."""
        return frozenset((*self.objects, self.key))

    @property
    def rows(self) -> Mapping[str, int]:
        """Return the rows of each curated table or mart."""
        if self.key == keys.MARTS_RECEIPT:
            summed: dict[str, int] = {}
            for key, detail in self.content.get("details", {}).items():
                if "rows" in detail:
                    summed[keys.table_of(key)] = summed.get(keys.table_of(key), 0) + int(detail["rows"])
            return summed
        return {table: int(parts["curated"]) for table, parts in self.content.get("accounting", {}).items()}

    @property
    def inputs(self) -> Mapping[str, Sequence[str]]:
        """Return the keys of a date's raw pages by `source.table`, in order."""
        found: Mapping[str, Sequence[str]] = self.content.get("inputs", {})
        return found

    @property
    def made_from(self) -> Mapping[str, str]:
        """Return the checksum of the receipt of each date that the marts are made from, by its key."""
        found: Mapping[str, str] = self.content.get("inputs", {}).get("receipts", {})
        return found

    @property
    def code(self) -> str:
        """Return the digest of the code that built the data."""
        return str(self.content.get("code", ""))

    @property
    def engine(self) -> EngineName:
        """Return the engine that built the data."""
        return "spark" if self.content.get("engine") == "spark" else "duckdb"

    @property
    def raw_digests(self) -> Mapping[str, str]:
        """Return the SHA-256 of each raw page of a date, by key."""
        details = self.content.get("details", {})
        return {key: detail["sha256"] for key, detail in details.items() if "sha256" in detail}

    def to_bytes(self) -> bytes:
        """Return the receipt as written to the lake: sorted keys, an indent of one space, a newline at the end."""
        return (json.dumps(self.content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_receipt(lake: Lake, ref: str, key: str) -> Receipt | None:
    """Return the receipt at a ref, or None if it does not exist.

    Raises:
        PlatformFailed: The object is not a receipt. The gate lets no such object onto `main`.
    """
    body = lake.read(ref, key)
    return None if body is None else parse_receipt(key, body, ref)


def parse_receipt(key: str, body: bytes, ref: str) -> Receipt:
    """Return the receipt in the bytes of the object `key` at a ref.

    Raises:
        PlatformFailed: They are not a receipt, and the gate lets no such object onto `main`; or they are of a later
            version.
    """
    try:
        content = json.loads(body)
        is_receipt = isinstance(content["objects"], dict)
    except (ValueError, KeyError, TypeError):
        is_receipt = False
    if not is_receipt:
        raise PlatformFailed(f"{key} at {ref[:12]} is not a receipt", remedy="elt init, which installs the gate")
    if problem := format_problem(content):
        raise PlatformFailed(f"{key} at {ref[:12]} {problem}", remedy=NEWER_VERSION)
    return Receipt(key, content)


def format_problem(content: Mapping[str, Any]) -> str | None:
    """Return why a receipt's fields cannot be read, because a later version wrote it; None if they can."""
    found = content.get("format", FORMAT)
    if isinstance(found, int) and found <= FORMAT:
        return None
    return f"is a receipt of format {found}, and this version of ingest-clean reads formats up to {FORMAT}"
