"""Branches with and without a valid receipt, merged through the real gate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import count
from typing import Any

import pytest

from orchestration.errors import GateRefused
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.setup import ensure_gate, ensure_repository
from orchestration.log import SILENT

Writes = Mapping[str, bytes | None]
"""What to write on a branch, by key; None deletes the key."""

_branches = count()


def md5(body: bytes) -> str:
    return hashlib.md5(body).hexdigest()


def receipt(objects: Any, status: str = "pass", **further: Any) -> bytes:
    return json.dumps({"status": status, "objects": objects, **further}).encode()


def page(date: str, number: int = 1) -> str:
    return keys.raw_page("shop", "events", date, number)


def audited_pages(date: str, pages: Mapping[int, bytes]) -> dict[str, bytes | None]:
    objects = {page(date, number): body for number, body in pages.items()}
    return {**objects, keys.date_receipt(date): receipt({key: md5(body) for key, body in objects.items()})}


def install_gate(lake: Lake) -> Lake:
    """Creates the repository with the gate; `main` is not protected, and no list of its hooks is cached yet."""
    ensure_repository(lake, "lakefs", SILENT)
    ensure_gate(lake, SILENT)
    return lake


def commit(lake: Lake, writes: Writes, base: str | None = None) -> str:
    """Commits these writes on a new branch of the head of `main`, or of a base."""
    name = f"test-branch-{next(_branches)}"
    lake.create_branch(name, base or lake.head(MAIN))
    lake.delete(name, [key for key, body in writes.items() if body is None])
    for key, body in writes.items():
        if body is not None:
            lake.put(name, key, body, keys.RAW_CONTENT_TYPE)
    return lake.commit(name, "test", {})


def merge(lake: Lake, writes: Writes, base: str | None = None, **metadata: str) -> str:
    return lake.merge(commit(lake, writes, base), "test", metadata)


def require_refused(lake: Lake, writes: Writes, says: str, base: str | None = None, **metadata: str) -> None:
    before = lake.head(MAIN)
    with pytest.raises(GateRefused, match=says):
        merge(lake, writes, base, **metadata)
    assert lake.head(MAIN) == before
