"""Publish: merge the candidate into `main`, through the gate. It becomes visible completely or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestration.audit import Candidate
from orchestration.context import RunContext
from orchestration.errors import Conflict, GateRefused, LakeNoChanges
from orchestration.lake.client import MAIN
from orchestration.lake.receipt import Receipt
from orchestration.steps import IN_DOUBT

Outcome = Literal["published", "superseded", "unchanged", "skipped"]


@dataclass(frozen=True)
class RunResult:
    """The result of a run that did not fail.

    Attributes:
        subject: The date, or `marts`.
        outcome: `published` for the first time, `superseded` an earlier version, `unchanged`, or `skipped`: the
            project has no marts.
        commit: The commit of `main` that contains it.
        rows: Curated rows by table, rows by mart.
        replaced: Whether another run has published it since.
    """

    subject: str
    outcome: Outcome
    commit: str
    rows: Mapping[str, int]
    replaced: bool = False

    def __str__(self) -> str:
        if self.outcome == "skipped":
            return f"{self.subject} skipped: the project has none"
        rows = ", ".join(f"{table} {count:,}" for table, count in self.rows.items())
        since = ", since replaced" if self.replaced else ""
        return f"{self.subject} {self.outcome}{since}: {rows} rows at {self.commit[:12]}"


def unchanged(run: RunContext, base: str, former: Receipt | None) -> RunResult:
    """Return the result of a run that found nothing to do."""
    return RunResult(run.subject, "unchanged", base, former.rows if former else {})


def publish(run: RunContext, candidate: Candidate) -> RunResult:
    """Merge the commit with the receipt, not the branch, into `main`, through the gate.

    Raises:
        Conflict: `main` changed the same keys since the run pinned it, or it moved and the gate refused the merged
            tree.
        GateRefused: The gate refused the merge; its message is the cause.
        PlatformFailed: lakeFS's responses were unclear.
    """
    lake, receipt = run.lake, candidate.receipt
    if candidate.commit == candidate.base:
        return unchanged(run, candidate.base, receipt)
    outcome: Outcome = "superseded" if candidate.supersedes else "published"
    with run.step("publish", main=IN_DOUBT, branch=candidate.branch):
        try:
            merge = lake.merge(candidate.commit, f"{run.subject} {outcome}", _metadata(run, candidate, outcome))
        except LakeNoChanges:
            merge, outcome = candidate.base, "unchanged"
        except GateRefused as refused:
            if lake.head(MAIN) == candidate.base:
                raise
            # lakeFS 1.86.0 may drop a key that both sides changed. The gate detects it, and an attempt from the new
            # head succeeds.
            raise Conflict(f"{refused.cause}, and {MAIN} has moved since the run pinned it") from refused
        published = lake.read(MAIN, receipt.key)
    replaced = published != (receipt.to_bytes() if receipt.objects else None)
    return RunResult(run.subject, outcome, merge, receipt.rows, replaced)


def _metadata(run: RunContext, candidate: Candidate, outcome: str) -> dict[str, str]:
    rows = " ".join(f"{table}={count}" for table, count in candidate.receipt.rows.items())
    return run.metadata(
        base=candidate.base,
        curated=candidate.commit,
        code=candidate.receipt.code,
        outcome=outcome,
        rows=rows,
        seconds=f"{sum(run.record.seconds.values()):.2f}",
    )
