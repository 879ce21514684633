"""The invariant of `main`, which the gate enforces merge by merge, for a whole tree.

Every data key is listed, with its checksum, by the passing receipt that covers it. Every receipt lists at least one
object, and only objects that exist. No key is outside the trees: docs/design.md#keys-on-the-lake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.lake import keys

_DATE = r"date=[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_NAME, _FILE = "[a-z0-9_]+", "[A-Za-z0-9_.-]+"
_OF_A_DATE = re.compile(rf"(?:raw/{_NAME}/{_NAME}|curated/{_NAME})/({_DATE})/{_FILE}")
_OF_A_MART = re.compile(rf"marts/{_NAME}/{_FILE}")
_RECEIPT = re.compile(rf"{keys.RECEIPTS}(?:{_DATE}|marts)\.json")


def covering_receipt(key: str) -> str | None:
    """Return the key of the receipt that has to list a data key; None for a key outside the data trees."""
    if match := _OF_A_DATE.fullmatch(key):
        return f"{keys.RECEIPTS}{match[1]}.json"
    return keys.MARTS_RECEIPT if _OF_A_MART.fullmatch(key) else None


def is_receipt_key(key: str) -> bool:
    """Return whether a key is that of a date's receipt, or of the marts'."""
    return _RECEIPT.fullmatch(key) is not None


def violations(tree: Mapping[str, str], receipts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each violation of the invariant: the key that it is about, and what is wrong with it.

    Args:
        tree: The checksums of all objects of a commit by key.
        receipts: The parsed JSON of its receipts by key; None for one that is not JSON.
    """
    unlisted = {key for key in tree if not key.startswith("_lakefs_actions/") and not is_receipt_key(key)}
    for name, content in receipts.items():
        objects = content.get("objects") if isinstance(content, dict) else None
        if not isinstance(objects, dict):
            yield name, "is not a receipt"
            continue
        if content.get("status") != "pass":
            yield name, f"does not pass: its status is {content.get('status')}"
        if not objects:
            yield name, "lists nothing"
        for key, checksum in objects.items():
            if covering_receipt(key) != name:
                yield name, f"lists {key}, which it does not cover"
                continue
            if key not in tree:
                yield key, f"is missing, and {name} lists it"
            elif tree[key] != checksum:
                yield key, f"has the checksum {tree[key]}, and {name} lists {checksum}"
            unlisted.discard(key)
    for key in sorted(unlisted):
        receipt = covering_receipt(key)
        yield key, f"is not listed in {receipt}" if receipt else "is outside the trees of main"
