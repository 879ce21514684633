"""Decide which branches of runs are dead: merged, or failed and no longer wanted. A branch in doubt is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from orchestration.housekeeping.facts import BranchFacts, History
from orchestration.housekeeping.flow_runs import FlowRuns
from orchestration.lake.branch_names import RUN

LEASE = timedelta(hours=24)
"""A branch that was written to within this time is in use, whatever else is known of it."""

Action = Literal["keep", "remove", "warn"]


@dataclass(frozen=True)
class Decision:
    """What becomes of a branch.

    Attributes:
        branch: Its name.
        action: `remove`; `warn`, if it is removed later; or `keep`.
        reason: Why.
        last_write: The time of the last commit, upload or other sign of use; None without one.
    """

    branch: str
    action: Action
    reason: str
    last_write: datetime | None


@dataclass(frozen=True)
class Ages:
    """How old something has to be.

    Attributes:
        now: The time that ages count to.
        older_than: The age at which the branch of a failed run is removed.
        lease: The age up to which a branch may be in use. No run takes longer.
    """

    now: datetime
    older_than: timedelta
    lease: timedelta = LEASE


def decide_on_run(facts: BranchFacts, history: History, runs: FlowRuns, ages: Ages) -> Decision:
    """Return what becomes of the branch of a run."""
    return Decision(facts.name, *_decide(facts, history, runs, ages), facts.last_write)


def flow_run_of(facts: BranchFacts) -> str:
    """Return the id of the flow run that committed on a branch; empty if none is known.

    A commit of `main` that the branch points to has the id of another run.
    """
    return facts.head.metadata.get("flow_run_id", "") if facts.commits else ""


def _decide(facts: BranchFacts, history: History, runs: FlowRuns, ages: Ages) -> tuple[Action, str]:
    if (flow_run := flow_run_of(facts)) and flow_run in runs.unfinished:
        return "keep", f"its flow run {flow_run} has not ended"
    if facts.last_write is None:
        return _decide_on_empty(facts, history, ages)
    age = ages.now - facts.last_write
    if age < ages.lease:
        return "keep", f"was written to {_spoken(age)} ago"
    if facts.merged and not facts.uncommitted:
        return "remove", "merged"
    if runs.problem:
        return "keep", "not merged, and Prefect does not say whether its run has ended"
    if not flow_run and runs.any_started and facts.name.startswith(RUN):
        return "keep", "not merged, and a flow run is under way that may be its own"
    if age < ages.older_than:
        return "keep", f"not merged; kept until {facts.last_write + ages.older_than:%Y-%m-%d %H:%M}"
    return "remove", f"not merged, and last written to {_spoken(age)} ago"


def _decide_on_empty(facts: BranchFacts, history: History, ages: Ages) -> tuple[Action, str]:
    """Decide on a branch without a write. lakeFS does not say when it was created.

    A run cuts its branch from a commit that was the head of `main` when the run began, and ends within the lease. So
    the branch is older than the lease if `main` moved on from that commit two leases ago.
    """
    moved = history.replaced_at.get(facts.head.id)
    if moved and ages.now - moved >= 2 * ages.lease:
        return "remove", "nothing was written on it"
    return "keep", "nothing was written on it, so it may be new"


def _spoken(age: timedelta) -> str:
    hours = max(0, int(age.total_seconds() // 3600))
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
