"""The receipt: one JSON object per date, and one for the marts, that vouches for every object, with its checksum.

It holds no clock and no run id, so that the same data under the same code gives the same bytes. The gate reads
`status` and `objects`, in every format; the rest is for people and for the next run:

    format          1
    execution_date  the date; the marts' has none
    status          "pass"
    objects         key → lakeFS's checksum, of all raw pages and all Parquet of the date; of the marts' Parquet
    details         key → bytes, and rows of Parquet or SHA-256 of raw
    inputs          source.table → the keys of its raw pages, in order; of the marts the pinned `commit` and
                    `receipts`: key → lakeFS's checksum of each date's receipt there
    accounting      table → raw, curated, identical, conflicting, rejected by reason, accepted_keys and curated_keys:
                    distinct keys (not in receipts of before 2026-11-26), drift by undeclared field (the
                    most frequent ones, long names cut), drift_fields: how many of them there are in all; of the marts
                    table → rows published over all dates, kept, repeated
    tests           data test → status and failures
    code            SHA-256 of the SQL and macros of the models used
    versions        of DuckDB and dbt, recorded and not compared
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.errors import PlatformFailed
from orchestration.lake import keys
from orchestration.lake.client import Lake

FORMAT = 1


@dataclass(frozen=True)
class Receipt:
    """A receipt as it lies on the lake; `content` is what the module's docstring lists."""

    key: str
    content: Mapping[str, Any]

    @property
    def objects(self) -> Mapping[str, str]:
        """The checksum of every object it vouches for, by key."""
        found: Mapping[str, str] = self.content["objects"]
        return found

    @property
    def keys(self) -> frozenset[str]:
        """All keys it is answerable for: the objects, and the receipt itself."""
        return frozenset((*self.objects, self.key))

    @property
    def rows(self) -> Mapping[str, int]:
        """The rows of each curated table or mart."""
        if self.key == keys.MARTS_RECEIPT:
            details = self.content.get("details", {})
            return {keys.table_of(key): int(detail["rows"]) for key, detail in details.items()}
        return {table: int(parts["curated"]) for table, parts in self.content.get("accounting", {}).items()}

    @property
    def inputs(self) -> Mapping[str, Sequence[str]]:
        """Of a date, by `source.table` the keys of its raw pages, in order."""
        found: Mapping[str, Sequence[str]] = self.content.get("inputs", {})
        return found

    @property
    def code(self) -> str:
        """The digest of the code that made it."""
        return str(self.content.get("code", ""))

    @property
    def raw_digests(self) -> Mapping[str, str]:
        """Of a date, the SHA-256 of each raw page, by key."""
        details = self.content.get("details", {})
        return {key: detail["sha256"] for key, detail in details.items() if "sha256" in detail}

    def to_bytes(self) -> bytes:
        """The receipt as it is written: sorted keys, one indent, a line's end."""
        return (json.dumps(self.content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_receipt(lake: Lake, ref: str, key: str) -> Receipt | None:
    """The receipt at a ref, or None where there is none.

    Raises:
        PlatformFailed: What lies there is no receipt, which the gate does not let onto `main`.
    """
    body = lake.read(ref, key)
    if body is None:
        return None
    try:
        content = json.loads(body)
        if isinstance(content["objects"], dict):
            return Receipt(key, content)
    except (ValueError, KeyError, TypeError):
        pass
    raise PlatformFailed(f"{key} at {ref[:12]} is not a receipt", remedy="elt init, which puts the gate in place")
