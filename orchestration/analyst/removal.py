"""Warn of the removal of a sandbox that nobody uses. The warning is an uncommitted object on the sandbox's own branch.

So it ends with the branch, and a later sandbox of the same name has none. `elt sandbox list` and `diff` show it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.lake.stored import uncommitted_objects

WARNING = "_housekeeping/removal.json"
GRACE = timedelta(days=7)
"""The least time from a warning to the removal."""


@dataclass(frozen=True)
class Warned:
    """A warning: when it was given. The sandbox is not removed before `removed_after`."""

    at: datetime

    @property
    def removed_after(self) -> datetime:
        """Return the earliest time of the removal."""
        return self.at + GRACE


def read_warning(lake: Lake, branch: str) -> Warned | None:
    """Return the warning on a sandbox's branch; None without a warning, or if it cannot be read.

    Of the times that the writer and lakeFS give, the later one counts.

    Raises:
        LakeNotFound: The branch does not exist.
    """
    body = lake.read(branch, WARNING)
    stored = uncommitted_objects(lake, branch, [WARNING]) if body else ()
    try:
        said = datetime.fromisoformat(json.loads(body or b"")["warned_at"])
        return Warned(max(said, *(datetime.fromtimestamp(one.written, UTC) for one in stored)))
    except (ValueError, KeyError, TypeError):
        return None


def write_warning(lake: Lake, branch: str, at: datetime) -> Warned:
    """Put a warning on a sandbox's branch, or replace an earlier one."""
    warned = Warned(at)
    content = {
        "warned_at": at.isoformat(),
        "removed_after": warned.removed_after.isoformat(),
        "keep": "write to the sandbox, such as with dbt build --target sandbox",
    }
    lake.put(branch, WARNING, json.dumps(content, indent=1).encode(), keys.JSON_CONTENT_TYPE)
    return warned


def withdraw_warning(lake: Lake, branch: str) -> None:
    """Remove the warning from a sandbox's branch."""
    lake.delete(branch, [WARNING])
