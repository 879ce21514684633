"""Bundles: the receipts of a month in one object, so that a reader of many years asks for one object a month.

A run of the marts writes them below the marts, and the receipt of the marts covers them. They are copies: a receipt of
a bundle counts only if its MD5 is the checksum that lakeFS lists for the receipt itself. A bundle that is missing,
damaged or out of date costs time, and changes no result. The month of the latest date has none: it changes every night.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from orchestration.lake import keys
from orchestration.lake.checksum import checksum_of
from orchestration.lake.client import Lake

_READS_AT_ONCE = 8


def bundled(checksums: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the receipts that each bundle has, by the key of the bundle.

    Args:
        checksums: The checksum of the receipt of each published date, by its key.
    """
    months: dict[str, dict[str, str]] = {}
    for key, checksum in sorted(checksums.items()):
        months.setdefault(keys.bundle(keys.date_of_receipt(key)), {})[key] = checksum
    latest = max(months, default="")
    return {bundle: receipts for bundle, receipts in months.items() if bundle != latest}


def bundle_bytes(bodies: Mapping[str, bytes]) -> bytes:
    """Return the bundle of these receipts, by key: JSON, of which each value is the text of a receipt."""
    texts = {key: body.decode() for key, body in bodies.items()}
    return (json.dumps(texts, indent=0, sort_keys=True, ensure_ascii=False) + "\n").encode()


def read_bundles(lake: Lake, commit: str, checksums: Mapping[str, str]) -> dict[str, bytes]:
    """Return those of these receipts that the bundles of a commit have, by key.

    Args:
        lake: The repository.
        commit: The commit.
        checksums: The checksums of the wanted receipts, by key.
    """
    names = sorted({keys.bundle(keys.date_of_receipt(key)) for key in checksums if keys.date_of_receipt(key)})
    found: dict[str, bytes] = {}
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        for body in pool.map(lambda name: lake.read(commit, name), names):
            for key, receipt in _receipts(body):
                if checksums.get(key) == checksum_of(receipt):
                    found[key] = receipt
    return found


def _receipts(body: bytes | None) -> Iterable[tuple[str, bytes]]:
    with suppress(ValueError):
        content = json.loads(body or b"")
        if isinstance(content, dict):
            return [(key, text.encode()) for key, text in content.items() if isinstance(text, str)]
    return ()
