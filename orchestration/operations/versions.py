"""Versions of a date: what `main` had of it after each change, and which run made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.lake.history import commits_of
from orchestration.lake.listed import LakeCommit
from orchestration.lake.receipt import Receipt, read_receipt


@dataclass(frozen=True)
class Version:
    """A date on `main` between two changes.

    Attributes:
        commit: The commit of `main` that made it.
        at: When, in UTC.
        outcome: `published`, `superseded`, `rolled back`, `changed` by something else; `removed` if the date is gone.
        by: lakeFS's name of the user.
        run_type: The type of the run; empty without a run.
        link: The page of the flow run; empty without one.
        code_version: The project's git commit.
        code: The digest of the models that built it.
        raw: Raw rows by table.
        rows: Curated rows by table.
        rejected: Rejected rows by table.
        reason: Why, if a person said so.
    """

    commit: str
    at: datetime
    outcome: str
    by: str
    run_type: str
    link: str
    code_version: str
    code: str
    raw: Mapping[str, int]
    rows: Mapping[str, int]
    rejected: Mapping[str, int]
    reason: str


def versions_of(lake: Lake, execution_date: str) -> Iterator[Version]:
    """Yield the versions of a date, latest first."""
    key = keys.date_receipt(execution_date)
    return (_version(commit, read_receipt(lake, commit.id, key)) for commit in commits_of(lake, execution_date))


def _version(commit: LakeCommit, receipt: Receipt | None) -> Version:
    said = commit.metadata
    accounting = receipt.content.get("accounting", {}) if receipt else {}
    return Version(
        commit=commit.id,
        at=datetime.fromtimestamp(commit.created, UTC),
        outcome=said.get("outcome", "changed") if receipt else "removed",
        by=commit.committer,
        run_type=said.get("run_type", ""),
        link=said.get(keys.LINK, ""),
        code_version=said.get("code_version", ""),
        code=receipt.code if receipt else "",
        raw={table: int(parts["raw"]) for table, parts in accounting.items()},
        rows=receipt.rows if receipt else {},
        rejected={table: sum(parts["rejected"].values()) for table, parts in accounting.items()},
        reason=said.get("reason", ""),
    )
