"""Catalog of the dates and tables published at a commit, read from its receipts.

A listing of keys is not used, because it could include unaudited objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.lake.receipt import Receipt, parse_receipt

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
        return parquet_by_table(self.receipts.values())


def read_catalog(lake: Lake, commit: str) -> DateCatalog:
    """Return the dates that the receipts of a commit cover."""
    checksums = date_checksums(lake, commit)
    receipts = read_receipts(lake, commit, checksums)
    return DateCatalog({keys.date_of_receipt(receipt.key): receipt for receipt in receipts}, checksums)


def published_files(lake: Lake, commit: str) -> dict[str, tuple[str, ...]]:
    """Return the keys of the Parquet published at a commit, by table, including the marts."""
    return parquet_by_table(read_receipts(lake, commit, _checksums(lake, commit)))


def date_checksums(lake: Lake, commit: str) -> dict[str, str]:
    """Return the checksum of the receipt of each date published at a commit, by its key, without reading any."""
    return {key: checksum for key, checksum in _checksums(lake, commit).items() if keys.date_of_receipt(key)}


def published_dates(lake: Lake, ref: str) -> tuple[str, ...]:
    """Return the dates that a ref has, in ascending order, without reading any receipt."""
    return tuple(keys.date_of_receipt(key) for key in date_checksums(lake, ref))


def read_receipts(lake: Lake, commit: str, checksums: Mapping[str, str]) -> Iterator[Receipt]:
    """Yield the receipts of a commit with these keys and checksums, in their order.

    A receipt that this machine has read before, of any commit, comes from the cache of the lake. Each one is parsed
    when it is used: thousands of parsed receipts take much longer than one after the other.
    """
    cache = lake.cache
    cached = {key: cache.read(checksum) for key, checksum in checksums.items()} if cache else {}

    def read(key: str) -> bytes | None:
        body = lake.read(commit, key)
        if cache and body is not None:
            cache.keep(checksums[key], body)
        return body

    missing = [key for key in checksums if cached.get(key) is None]
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        bodies = {**cached, **dict(zip(missing, pool.map(read, missing), strict=True))}
    for key in checksums:
        if (body := bodies[key]) is not None:
            yield parse_receipt(key, body, commit)


def receipts_of(lake: Lake, commit: str, dates: Iterable[str]) -> list[Receipt]:
    """Return the receipts of these dates at a commit, without the dates that it does not have."""
    published = date_checksums(lake, commit)
    named = map(keys.date_receipt, dates)
    return list(read_receipts(lake, commit, {key: published[key] for key in named if key in published}))


def parquet_by_table(receipts: Iterable[Receipt]) -> dict[str, tuple[str, ...]]:
    """Return the keys of the Parquet that these receipts list, by table, in ascending order."""
    files: dict[str, list[str]] = {}
    for key in sorted(key for receipt in receipts for key in receipt.objects if key.endswith(".parquet")):
        files.setdefault(keys.table_of(key), []).append(key)
    return {table: tuple(found) for table, found in files.items()}


def _checksums(lake: Lake, commit: str) -> dict[str, str]:
    return {stored.key: stored.checksum for stored in lake.objects(commit, keys.RECEIPTS)}
