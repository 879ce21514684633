"""Names of the branches that this project creates and deletes by itself: one for each run, and short-lived ones."""

from __future__ import annotations

import re
import secrets

RUN = "etl-"
"""The prefix of the branches of runs: `etl-<date>-<hex>` and `etl-marts-<hex>`."""

_OWN = re.compile(r"(?:(?:etl|verify)-(?:\d{4}-\d{2}-\d{2}|marts)|rollback|gate|reports)-[0-9a-f]{8}", re.ASCII)


def new_branch_name(purpose: str) -> str:
    """Return a name that was never used before, such as `etl-2025-05-20-0f3a9c1e` for `etl-2025-05-20`."""
    return f"{purpose}-{secrets.token_hex(4)}"


def is_own_branch(name: str) -> bool:
    """Return whether this project made up the name. Branches that people named are never deleted by it."""
    return _OWN.fullmatch(name) is not None
