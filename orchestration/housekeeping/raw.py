"""Find raw that exists on the branch of a failed run only, and that no API gives again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from orchestration.dates import parse_execution_date
from orchestration.errors import UsageError
from orchestration.housekeeping.facts import BranchFacts
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.landed import METADATA
from orchestration.source.config import Table
from orchestration.source.fetch import not_on


def date_of_only_raw(lake: Lake, facts: BranchFacts, tables: Collection[Table], now: datetime) -> str:
    """Return the date whose raw only this branch has, and some API cannot be asked for again; else an empty text.

    Args:
        lake: The repository.
        facts: The branch of a run that did not publish.
        tables: The declared tables.
        now: The time at which the API would be asked.
    """
    said = (commit.metadata.get("execution_date", "") for commit in facts.commits if METADATA in commit.metadata)
    try:
        date = parse_execution_date(next(said, ""), now=now)
    except UsageError:
        # No raw of a date has landed there.
        return ""
    if lake.stat(MAIN, keys.date_receipt(date)):
        return ""
    return date if any(not_on(table, date, now) for table in tables) else ""
