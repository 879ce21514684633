"""The invariant of `main` for tests: what `orchestration/lake/gate_main.yaml` enforces, as `elt audit` checks it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from orchestration.lake import invariant
from orchestration.lake.client import MAIN, Lake

Tree = Mapping[str, str]
"""The checksums of a commit's objects, by key."""


def violations(tree: Tree, read: Callable[[str], bytes]) -> list[str]:
    """Returns each violation of the invariant in a tree; `read` returns the body of a receipt by its key."""
    receipts = {key: json.loads(read(key)) for key in tree if invariant.is_receipt_key(key)}
    return [f"{key} {problem}" for key, problem in invariant.violations(tree, receipts)]


def require_sound(lake: Lake) -> None:
    """Checks the invariant on the current head of `main`.

    Raises:
        AssertionError: The invariant is violated; the message lists each violation.
    """
    commit = lake.head(MAIN)
    tree = {stored.key: stored.checksum for stored in lake.objects(commit)}
    found = violations(tree, lambda key: lake.read(commit, key) or b"")
    assert not found, f"main at {commit}: {found}"
