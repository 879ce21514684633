"""Catalog of the dates and tables published at a commit, read from its receipts.

A listing of keys is not used, because it could include unaudited objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.lake.receipt import Receipt, read_receipt

_READS_AT_ONCE = 8


@dataclass(frozen=True)
class DateCatalog:
    """All dates published at a commit.

    Attributes:
        receipts: Each date's receipt, by date in ascending order.
        checksums: lakeFS's checksum of each receipt, by its key.
    """

    receipts: Mapping[str, Receipt]
    checksums: Mapping[str, str]

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        """Return the keys of each table's Parquet by table, in ascending order of the dates."""
        return _by_table(self.receipts.values())


def read_catalog(lake: Lake, commit: str) -> DateCatalog:
    """Return the dates that the receipts of a commit cover."""
    checksums = receipt_checksums(lake, commit)
    receipts = read_receipts(lake, commit, checksums)
    return DateCatalog({keys.date_of_receipt(receipt.key): receipt for receipt in receipts}, checksums)


def receipt_checksums(lake: Lake, commit: str) -> dict[str, str]:
    """Return lakeFS's checksum of each date's receipt at a commit, by its key. They are listed and not read."""
    found = {stored.key: stored.checksum for stored in lake.objects(commit, keys.RECEIPTS)}
    return {key: checksum for key, checksum in found.items() if keys.date_of_receipt(key)}


def published_files(lake: Lake, commit: str) -> dict[str, tuple[str, ...]]:
    """Return the keys of the Parquet published at a commit, by table, including the marts."""
    return _by_table(read_receipts(lake, commit, [stored.key for stored in lake.objects(commit, keys.RECEIPTS)]))


def read_receipts(lake: Lake, commit: str, receipts: Iterable[str]) -> list[Receipt]:
    """Return the receipts at these keys of a commit, in their order, without those that do not exist."""
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return [found for found in pool.map(lambda key: read_receipt(lake, commit, key), receipts) if found]


def _by_table(receipts: Iterable[Receipt]) -> dict[str, tuple[str, ...]]:
    files: dict[str, tuple[str, ...]] = {}
    for key in sorted(key for receipt in receipts for key in receipt.objects if key.endswith(".parquet")):
        table = keys.table_of(key)
        files[table] = (*files.get(table, ()), key)
    return files
