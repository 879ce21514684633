"""Publication history: merges into `main`, read from the metadata that the runs recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from orchestration.lake.client import MAIN, Lake
from orchestration.lake.keys import LINK, RECEIPTS, date_receipt
from orchestration.lake.listed import LakeCommit
from orchestration.lake.receipt import Receipt, read_receipt

RUNS = ("published", "superseded")
"""The outcomes of runs that changed `main`."""

ROLLED_BACK = "rolled back"
"""The outcome of a rollback."""

_CLOCK_SKEW = timedelta(days=1)
"""By how much the clocks of lakeFS and of a run may differ."""


@dataclass(frozen=True)
class Publication:
    """One merge of a date, of the marts, or of an earlier state, into `main`.

    Attributes:
        execution_date: The date; None for the marts, and for a rollback of all of `main`.
        outcome: `published`, `superseded` or `rolled back`.
        rows: Curated rows by table, or rows by mart.
        commit: The id of the merge commit.
        published_at: The time of the merge in UTC.
        code_version: The project's git commit.
        link: The URL of the Prefect flow run; empty without a flow run.
        reason: Why it was rolled back; empty for a run.
        seconds: How long the run took; None for a rollback.
    """

    execution_date: str | None
    outcome: str
    rows: Mapping[str, int]
    commit: str
    published_at: datetime
    code_version: str
    link: str
    reason: str = ""
    seconds: float | None = None


def publications(
    lake: Lake, *, execution_date: str | None = None, since: datetime | None = None
) -> Iterator[Publication]:
    """Return the publications of a date, or all, latest first, and none from before `since`."""
    merges = takewhile(lambda merge: since is None or merge.created >= since.timestamp(), lake.log(MAIN))
    return (
        _publication(merge)
        for merge in merges
        if "outcome" in merge.metadata and execution_date in (None, merge.metadata.get("execution_date"))
    )


def commits_of(lake: Lake, execution_date: str) -> Iterator[LakeCommit]:
    """Yield the commits of `main` that changed a date, latest first. Its receipt changes with every one of them."""
    key = date_receipt(execution_date)
    for commit in lake.log(MAIN):
        of_date = commit.metadata.get("execution_date")
        if of_date == execution_date or (of_date is None and _changed(lake, commit, key)):
            yield commit


def _changed(lake: Lake, commit: LakeCommit, key: str) -> bool:
    """Return whether a commit that names no date changed an object. lakeFS's log by object leaves out merges.

    A run that names no date has published the marts.
    """
    if not commit.parents or commit.metadata.get("outcome") in RUNS:
        return False
    before, after = (lake.stat(id_, key) for id_ in (commit.parents[0], commit.id))
    return (before and before.checksum) != (after and after.checksum)


def last_version(lake: Lake, execution_date: str) -> tuple[str, Receipt | None]:
    """Return the commit that last published a date, and the date's receipt there; None if there is no such commit."""
    for commit in commits_of(lake, execution_date):
        if receipt := read_receipt(lake, commit.id, date_receipt(execution_date)):
            return commit.id, receipt
    return "", None


def on_hold(lake: Lake, dates: Collection[str]) -> frozenset[str]:
    """Return those of the dates that are on hold: a rollback took away what their last run published.

    A run that names the date ends it, and so does a rollback that brings the version of the last run back. The log is
    read once for all dates, from its end to the earliest of them: no date is published before it begins.
    """
    left, before_rollback, head = set(dates), dict[str, str](), ""
    if not left:
        return frozenset()
    begin = datetime.fromisoformat(min(left)).replace(tzinfo=UTC) - _CLOCK_SKEW
    for commit in lake.log(MAIN):
        if not left or commit.created < begin.timestamp():
            break
        head = head or commit.id
        of_date, outcome = (commit.metadata.get(name) for name in ("execution_date", "outcome"))
        if outcome == ROLLED_BACK:
            gone_back = left if of_date is None else left & {of_date}
            before_rollback.update(dict.fromkeys(gone_back, commit.parents[0]))
        elif outcome in RUNS:
            left.discard(str(of_date))
    changed = {
        commit: {change.key for change in lake.committed_changes(commit, head, RECEIPTS)}
        for commit in set(before_rollback.values())
    }
    return frozenset(date for date, commit in before_rollback.items() if date_receipt(date) in changed[commit])


def _publication(merge: LakeCommit) -> Publication:
    metadata = merge.metadata
    rows = (pair.partition("=") for pair in metadata.get("rows", "").split())
    return Publication(
        metadata.get("execution_date"),
        metadata["outcome"],
        # The metadata of a merge is not validated, so it may have any form.
        {table: int(count) for table, _, count in rows if count.isascii() and count.isdecimal()},
        merge.id,
        datetime.fromtimestamp(merge.created, UTC),
        metadata.get("code_version", ""),
        metadata.get(LINK, ""),
        metadata.get("reason", ""),
        _seconds(metadata.get("seconds", "")),
    )


def _seconds(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
