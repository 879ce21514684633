"""What housekeeping found, as rows of tables and as one sentence."""

from __future__ import annotations

from typing import Any

from orchestration.housekeeping.clean import Cleaned
from orchestration.housekeeping.storage import Storage


def message_of(cleaned: Cleaned) -> str:
    """Return in one sentence what was removed, or would be."""
    removed = sum(1 for decision in cleaned.branches if decision.action == "remove")
    warned = sum(1 for decision in cleaned.branches if decision.action == "warn")
    verb, warns = ("would remove", "would warn of") if cleaned.dry_run else ("removed", "warned of")
    text = (
        f"{verb} {removed:,} of {len(cleaned.branches):,} branches, {len(cleaned.files):,} local files and "
        f"{cleaned.old_reports:,} old reports; {warns} {warned:,} sandboxes"
    )
    findings = len(cleaned.audited.findings)
    return f"{text}; audit: {f'{findings:,} findings' if findings else 'nothing is wrong'}"


def rows_of_branches(cleaned: Cleaned) -> list[dict[str, Any]]:
    """Return what became of each branch, those that are removed first."""
    stored = {one.name: one for one in cleaned.storage.branches}
    order = {"remove": 0, "warn": 1, "keep": 2}
    return [
        {
            "branch": decision.branch,
            "action": decision.action,
            "reason": decision.reason,
            "bytes": stored[decision.branch].bytes + stored[decision.branch].old_bytes,
        }
        for decision in sorted(cleaned.branches, key=lambda one: order[one.action])
    ]


def rows_of_storage(storage: Storage) -> list[dict[str, Any]]:
    """Return what is stored by table, by date and by branch, with a sum for `main`."""
    of_all = {"main": (storage.total,), "table": storage.tables, "date": storage.dates, "branch": storage.branches}
    return [
        {
            "of": of,
            "name": one.name,
            "objects": one.objects,
            "bytes": one.bytes,
            "only in old commits": one.old_bytes,
        }
        for of, stored in of_all.items()
        for one in stored
    ]
