"""Stale marts: those made from other versions of dates than the published ones."""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.lake import keys
from orchestration.lake.catalog import date_checksums
from orchestration.lake.client import Lake
from orchestration.lake.receipt import Receipt, read_receipt


def stale_dates(marts: Receipt | None, checksums: Mapping[str, str]) -> tuple[str, ...]:
    """Return the dates that were published, changed or removed since the marts were made, in order.

    Args:
        marts: The receipt of the marts. Without marts, nothing is stale.
        checksums: The checksum of the receipt of each published date, by its key.
    """
    if marts is None:
        return ()
    return tuple(sorted({keys.date_of_receipt(key) for key, _ in marts.made_from.items() ^ checksums.items()}))


def stale_dates_at(lake: Lake, ref: str) -> tuple[str, ...]:
    """Return the dates for which the marts at a ref are stale. The receipts of dates are listed and not read."""
    commit = lake.head(ref)
    return stale_dates(read_receipt(lake, commit, keys.MARTS_RECEIPT), date_checksums(lake, commit))
