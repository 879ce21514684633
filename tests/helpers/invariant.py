"""The invariant of `main`, implemented again in Python: what `lake/_lakefs_actions/gate_main.yaml` enforces."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

from orchestration.lake.client import MAIN, Lake

Tree = Mapping[str, str]
"""The checksums of a commit's objects, by key."""

MARTS = "_receipts/marts.json"


def receipt_of(key: str) -> str | None:
    """Returns the receipt that must list a data key; None for a key outside the data trees."""
    match key.split("/"):
        case ["raw", _, _, day, _] | ["curated", _, day, _] if re.fullmatch(r"date=\d{4}-\d{2}-\d{2}", day):
            return f"_receipts/{day}.json"
        case ["marts", _, _]:
            return MARTS
    return None


def violations(tree: Tree, read: Callable[[str], bytes]) -> Iterator[str]:
    """Yields each violation of the invariant in a tree; `read` returns the body of a receipt by its key."""
    unlisted = {key for key in tree if not key.startswith("_lakefs_actions/")}
    for name in [key for key in unlisted if re.fullmatch(r"_receipts/(date=\d{4}-\d{2}-\d{2}|marts)\.json", key)]:
        unlisted.remove(name)
        content = json.loads(read(name))
        if content["status"] != "pass":
            yield f"{name} does not pass"
        if not content["objects"]:
            yield f"{name} lists nothing"
        for key, checksum in content["objects"].items():
            if receipt_of(key) != name:
                yield f"{name} lists {key} of another"
            elif checksum is None or tree.get(key) != checksum:
                yield f"{name} lists {key}, which is missing or different"
            else:
                unlisted.discard(key)
    for key in sorted(unlisted):
        yield f"{key} is not listed in" if receipt_of(key) else f"{key} is not allowed"


def require_sound(lake: Lake) -> None:
    """Checks the invariant on the current head of `main`.

    Raises:
        AssertionError: The invariant is violated; the message lists each violation.
    """
    commit = lake.head(MAIN)
    tree = {stored.key: stored.checksum for stored in lake.objects(commit)}
    found = list(violations(tree, lambda key: lake.read(commit, key) or b""))
    assert not found, f"main at {commit}: {found}"
