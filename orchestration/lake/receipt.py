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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.errors import PlatformFailed
from orchestration.lake import keys
from orchestration.lake.client import Lake, LakeObject

if TYPE_CHECKING:
    from orchestration.dbt_runner.results import BuildResult
    from orchestration.source.fetch import Page

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

    def is_of(self, raw: Iterable[Page], code: str) -> bool:
        """Whether it vouches for what these raw pages give under this code."""
        details = self.content.get("details", {})
        told = {key: detail["sha256"] for key, detail in details.items() if "sha256" in detail}
        return told == {page.key: page.sha256 for page in raw} and self.code == code

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


def date_receipt(
    execution_date: str, pages: Iterable[Page], outputs: Mapping[str, LakeObject], built: BuildResult
) -> Receipt:
    """The receipt of a date whose tests passed.

    Args:
        execution_date: The date.
        pages: Its raw pages.
        outputs: The Parquet that dbt wrote, as lakeFS has it now, by key.
        built: What dbt said of it.
    """
    objects: dict[str, str] = {}
    details: dict[str, dict[str, Any]] = {}
    inputs: dict[str, list[str]] = {}
    for page in pages:
        objects[page.key] = page.md5
        details[page.key] = {"bytes": page.bytes, "sha256": page.sha256}
        inputs.setdefault(page.table, []).append(page.key)
    for key, stored in outputs.items():
        objects[key] = stored.checksum
        details[key] = {"bytes": stored.bytes, "rows": built.rows[key]}
    accounting = {
        table: {
            "raw": parts.raw,
            "curated": parts.curated,
            "identical": parts.identical,
            "conflicting": parts.conflicting,
            "accepted_keys": parts.accepted_keys,
            "curated_keys": parts.curated_keys,
            "rejected": dict(parts.rejected),
            "drift": dict(parts.drift),
            "drift_fields": parts.undeclared,
        }
        for table, parts in built.accounting.items()
    }
    return Receipt(
        keys.date_receipt(execution_date),
        {
            "execution_date": execution_date,
            "objects": objects,
            "details": details,
            "inputs": inputs,
            "accounting": accounting,
            **_judged(built),
        },
    )


def marts_receipt(
    pinned: str, receipts: Mapping[str, str], outputs: Mapping[str, LakeObject], built: BuildResult
) -> Receipt:
    """The receipt of the marts whose tests passed.

    Args:
        pinned: The commit of `main` that they were made from.
        receipts: Of each published date there the receipt's checksum, by its key.
        outputs: The Parquet that dbt wrote, as lakeFS has it now, by key.
        built: What dbt said of it.
    """
    return Receipt(
        keys.MARTS_RECEIPT,
        {
            "objects": {key: stored.checksum for key, stored in outputs.items()},
            "details": {key: {"bytes": stored.bytes, "rows": built.rows[key]} for key, stored in outputs.items()},
            "inputs": {"commit": pinned, "receipts": dict(receipts)},
            "accounting": {table: dict(rows) for table, rows in built.across_dates.items()},
            **_judged(built),
        },
    )


def _judged(built: BuildResult) -> dict[str, Any]:
    tests = {
        node.name: {"status": node.status, "failures": node.failures or 0}
        for node in built.nodes
        if node.kind == "test"
    }
    return {
        "format": FORMAT,
        "status": "pass",
        "tests": tests,
        "code": built.code_digest,
        "versions": dict(built.versions),
    }
