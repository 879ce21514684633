"""What was published when: `main`'s merges, by the metadata that the runs gave them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestration.lake.client import MAIN, Lake, LakeCommit
from orchestration.lake.keys import LINK


@dataclass(frozen=True)
class Publication:
    """One merge of a date, or of the marts, into `main`.

    Attributes:
        execution_date: The date; None for the marts.
        outcome: `published` or `superseded`.
        rows: Curated rows by table, rows by mart.
        commit: The merge.
        published_at: When, in UTC.
        code_version: The project's git commit.
        link: The Prefect flow run that did it; empty where none did.
    """

    execution_date: str | None
    outcome: str
    rows: Mapping[str, int]
    commit: str
    published_at: datetime
    code_version: str
    link: str


def publications(lake: Lake) -> Iterator[Publication]:
    """All publications, latest first."""
    return (_publication(merge) for merge in lake.log(MAIN) if "outcome" in merge.metadata)


def _publication(merge: LakeCommit) -> Publication:
    told = merge.metadata
    rows = (pair.partition("=") for pair in told.get("rows", "").split())
    return Publication(
        told.get("execution_date"),
        told["outcome"],
        # Whoever merges may write metadata of any form.
        {table: int(count) for table, _, count in rows if count.isascii() and count.isdecimal()},
        merge.id,
        datetime.fromtimestamp(merge.created, UTC),
        told.get("code_version", ""),
        told.get(LINK, ""),
    )
