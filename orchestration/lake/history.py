"""Publication history: merges into `main`, read from the metadata that the runs recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile

from orchestration.lake.client import MAIN, Lake, LakeCommit
from orchestration.lake.keys import LINK


@dataclass(frozen=True)
class Publication:
    """One merge of a date, or of the marts, into `main`.

    Attributes:
        execution_date: The date; None for the marts.
        outcome: `published` or `superseded`.
        rows: Curated rows by table, or rows by mart.
        commit: The id of the merge commit.
        published_at: The time of the merge in UTC.
        code_version: The project's git commit.
        link: The URL of the Prefect flow run; empty without a flow run.
    """

    execution_date: str | None
    outcome: str
    rows: Mapping[str, int]
    commit: str
    published_at: datetime
    code_version: str
    link: str


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
    )
