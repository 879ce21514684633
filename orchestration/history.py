"""What was published when: `main`'s merges, by the metadata that the runs gave them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestration.lake import MAIN, Lake, LakeCommit
from orchestration.request import LINK


@dataclass(frozen=True)
class Publication:
    """One merge of a date into `main`.

    Attributes:
        execution_date: The date.
        outcome: `published` or `superseded`.
        rows: Curated rows by table.
        commit: The merge.
        published_at: When, in UTC.
        code_version: The project's git commit.
        link: The Prefect flow run that did it; empty where none did.
    """

    execution_date: str
    outcome: str
    rows: Mapping[str, int]
    commit: str
    published_at: datetime
    code_version: str
    link: str

    def __str__(self) -> str:
        rows = ", ".join(f"{table} {count:,}" for table, count in self.rows.items())
        at = f"{self.published_at:%Y-%m-%d %H:%M:%S}"
        return f"{self.execution_date}  {self.outcome:<10}  {self.commit[:12]}  {at}  {rows}  {self.link}".rstrip()


def publications(lake: Lake) -> Iterator[Publication]:
    """All publications, latest first."""
    return (_publication(merge) for merge in lake.log(MAIN) if "curated" in merge.metadata)


def _publication(merge: LakeCommit) -> Publication:
    told = merge.metadata
    rows = (pair.split("=") for pair in told.get("rows", "").split())
    return Publication(
        told["execution_date"],
        told.get("outcome", ""),
        {table: int(count) for table, count in rows},
        merge.id,
        datetime.fromtimestamp(merge.created, UTC),
        told.get("code_version", ""),
        told.get(LINK, ""),
    )
