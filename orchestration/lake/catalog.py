"""Catalog of the dates and tables published at a commit, read from its receipts.

A listing of keys is not used, because it could include unaudited objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from orchestration.lake import keys
from orchestration.lake.bundles import read_bundles
from orchestration.lake.client import Lake
from orchestration.lake.receipt import Receipt, parse_receipt

_READS_AT_ONCE = 8

_FEW = 31
"""Up to so many receipts are read one by one."""


@dataclass(frozen=True)
class DateCatalog:
    """All dates published at a commit.

    Attributes:
        receipts: Each date's receipt, by date in ascending order.
    """

    receipts: Mapping[str, Receipt]

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        """Return the keys of each table's Parquet by table, in ascending order of the dates."""
        return parquet_by_table(self.receipts.values())


def read_catalog(lake: Lake, commit: str) -> DateCatalog:
    """Return the dates that the receipts of a commit cover."""
    receipts = read_receipts(lake, commit, date_checksums(lake, commit))
    return DateCatalog({keys.date_of_receipt(receipt.key): receipt for receipt in receipts})


def date_checksums(lake: Lake, commit: str) -> dict[str, str]:
    """Return the checksum of the receipt of each date published at a commit, by its key, without reading any."""
    listed = lake.objects(commit, keys.RECEIPTS)
    return {stored.key: stored.checksum for stored in listed if keys.date_of_receipt(stored.key)}


def published_dates(lake: Lake, ref: str) -> tuple[str, ...]:
    """Return the dates that a ref has, in ascending order, without reading any receipt."""
    return tuple(keys.date_of_receipt(key) for key in date_checksums(lake, ref))


def read_receipts(lake: Lake, commit: str, checksums: Mapping[str, str]) -> Iterator[Receipt]:
    """Yield the receipts of a commit with these keys and checksums, in their order.

    A receipt that this machine has read before, of any commit, comes from the cache of the lake. Each one is parsed
    when it is used: thousands of parsed receipts take much longer than one after the other.
    """
    bodies = read_bodies(lake, commit, checksums)
    for key in checksums:
        if key in bodies:
            yield parse_receipt(key, bodies[key], commit)


def read_bodies(lake: Lake, commit: str, checksums: Mapping[str, str]) -> dict[str, bytes]:
    """Return the bytes of the receipts of a commit with these keys and checksums, without those that do not exist.

    Many receipts that this machine has not read before come from the bundles of their months.
    """
    cache = lake.cache
    cached = {key: cache.read(checksum) for key, checksum in checksums.items()} if cache else {}
    bodies = {key: body for key, body in cached.items() if body is not None}
    missing = {key: checksum for key, checksum in checksums.items() if key not in bodies}
    read = read_bundles(lake, commit, missing) if len(missing) > _FEW else {}
    single = [key for key in missing if key not in read]
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        for key, body in zip(single, pool.map(lambda key: lake.read(commit, key), single), strict=True):
            if body is not None:
                read[key] = body
    if cache:
        for key, body in read.items():
            cache.keep(checksums[key], body)
    return bodies | read


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
