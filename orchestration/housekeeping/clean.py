"""`elt clean`: measure what is stored, remove what is dead, then audit `main`. Safe to repeat and to interrupt."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from orchestration.analyst.removal import read_warning, withdraw_warning, write_warning
from orchestration.analyst.sandbox import PREFIX, drop
from orchestration.eda.store import BRANCH as REPORTS
from orchestration.errors import LakeNotFound, UsageError
from orchestration.housekeeping import OLDER_THAN, UNUSED
from orchestration.housekeeping.branches import LEASE, Ages, Decision, decide_on_run, flow_run_of
from orchestration.housekeeping.facts import BranchFacts, History, read_branch, read_branches, read_history
from orchestration.housekeeping.flow_runs import FlowRuns
from orchestration.housekeeping.local_files import LeftFile, left_files, remove
from orchestration.housekeeping.raw import date_of_only_raw
from orchestration.housekeeping.reports import old_reports, remove_reports
from orchestration.housekeeping.sandboxes import decide_on_sandbox
from orchestration.housekeeping.storage import Storage, measure_storage
from orchestration.lake.branch_names import is_own_branch
from orchestration.lake.client import Lake
from orchestration.log import Log
from orchestration.operations.audit import Audited, audit_main
from orchestration.settings import Settings
from orchestration.source.config import read_tables

_MOST_DAYS = 36_500
_END_OF_RUN = timedelta(hours=1)
"""More than the time that a run which reached its time limit has to end."""


@dataclass(frozen=True)
class Cleaned:
    """What housekeeping found, and removed unless it was a dry run.

    Attributes:
        at: The time that ages count to.
        dry_run: Whether nothing was changed.
        storage: What was stored before.
        branches: What became of each branch of a run and of each sandbox.
        old_reports: The number of old reports.
        files: The local files that dead runs left.
        flow_runs_unknown: Why Prefect did not say which flow runs have ended; empty if it did.
        audited: The audit of `main` afterwards.
    """

    at: datetime
    dry_run: bool
    storage: Storage
    branches: tuple[Decision, ...]
    old_reports: int
    files: tuple[LeftFile, ...]
    flow_runs_unknown: str
    audited: Audited


@dataclass(frozen=True)
class Cleaning:
    """One call of housekeeping.

    Attributes:
        lake: The repository.
        settings: The state folder, the project with its gate, and the time limit of a run.
        now: The time that ages count to.
        log: Takes a line for each removal.
        flow_runs: Asks Prefect which of some flow runs have not ended.
        older_than: The age in days at which the branch of a failed run is removed.
        unused: The days without a use after which a sandbox gets a warning.
        dry_run: Only show what would be removed.
    """

    lake: Lake
    settings: Settings
    now: datetime
    log: Log
    flow_runs: Callable[[Collection[str]], FlowRuns]
    older_than: int = OLDER_THAN
    unused: int = UNUSED
    dry_run: bool = True

    def __post_init__(self) -> None:
        for name, days in (("--older-than", self.older_than), ("--unused", self.unused)):
            if not 1 <= days <= _MOST_DAYS:
                raise UsageError(f"{name} {days} is not a number of days", remedy=f"give 1 to {_MOST_DAYS:,}")

    @property
    def ages(self) -> Ages:
        """Return the ages for branches of runs. The lease is longer than the longest run."""
        longest_run = timedelta(seconds=self.settings.elt.run_timeout) + _END_OF_RUN
        return Ages(self.now, timedelta(days=self.older_than), max(LEASE, longest_run))


def clean(cleaning: Cleaning) -> Cleaned:
    """Measure what is stored, remove what is dead unless it is a dry run, and audit `main`.

    Raises:
        UsageError: The source YAML is invalid, so it is not known which raw can be fetched again.
        PlatformFailed: lakeFS or the disk failed. What was removed until then was dead; run it again.
    """
    lake = cleaning.lake
    history = read_history(lake)
    found = tuple(read_branches(lake, history))
    storage = measure_storage(lake, history, found)
    runs = cleaning.flow_runs([flow_run_of(facts) for facts in found if is_own_branch(facts.name)])
    return Cleaned(
        at=cleaning.now,
        dry_run=cleaning.dry_run,
        storage=storage,
        branches=tuple(_clean_branches(cleaning, history, runs, [facts.name for facts in found])),
        old_reports=_clean_reports(cleaning, found),
        files=tuple(_clean_files(cleaning)),
        flow_runs_unknown=runs.problem,
        audited=audit_main(lake),
    )


def _clean_branches(cleaning: Cleaning, history: History, runs: FlowRuns, names: list[str]) -> Iterator[Decision]:
    """Decide on each branch as it is now, and carry it out at once."""
    for name in names:
        try:
            if is_own_branch(name):
                yield _clean_run(cleaning, read_branch(cleaning.lake, history, name), history, runs)
            elif name.startswith(PREFIX):
                yield _clean_sandbox(cleaning, read_branch(cleaning.lake, history, name))
        except LakeNotFound:
            # Somebody else has deleted it.
            continue


def _clean_run(cleaning: Cleaning, facts: BranchFacts, history: History, runs: FlowRuns) -> Decision:
    decision = decide_on_run(facts, history, runs, cleaning.ages)
    if decision.action == "remove" and not facts.merged:
        tables = read_tables(cleaning.settings.project_dir)
        if date := date_of_only_raw(cleaning.lake, facts, tables, cleaning.now):
            reason = f"has the only raw of {date}, which cannot be fetched again: elt backfill {date} {date} --from-raw"
            decision = replace(decision, action="keep", reason=reason)
    if decision.action == "remove" and not cleaning.dry_run:
        cleaning.lake.delete_branch(facts.name)
        cleaning.log.info(f"removed branch {facts.name}: {decision.reason}")
    return decision


def _clean_sandbox(cleaning: Cleaning, facts: BranchFacts) -> Decision:
    lake, state_dir = cleaning.lake, cleaning.settings.state_dir
    warned, base = read_warning(lake, facts.name), lake.commit_of(facts.base)
    decision = decide_on_sandbox(facts, warned, base, state_dir, cleaning.now, timedelta(days=cleaning.unused))
    if cleaning.dry_run:
        return decision
    if decision.action == "remove":
        drop(lake, state_dir, facts.name.removeprefix(PREFIX))
        cleaning.log.info(f"removed sandbox {facts.name}: {decision.reason}")
    elif decision.action == "warn":
        write_warning(lake, facts.name, cleaning.now)
        cleaning.log.warning(f"{facts.name}: {decision.reason}")
    elif warned and decision.last_write and warned.at < decision.last_write:
        withdraw_warning(lake, facts.name)
    return decision


def _clean_reports(cleaning: Cleaning, found: Iterable[BranchFacts]) -> int:
    reports = next((facts for facts in found if facts.name == REPORTS), None)
    old = old_reports(reports, cleaning.now) if reports else ()
    if reports and old and not cleaning.dry_run:
        if not remove_reports(cleaning.lake, reports, old):
            cleaning.log.warning("a report was stored in the meantime, so no old one was removed")
            return 0
        cleaning.log.info(f"removed {len(old)} old reports")
    return len(old)


def _clean_files(cleaning: Cleaning) -> Iterator[LeftFile]:
    for left in left_files(cleaning.settings.state_dir, cleaning.now, timedelta(days=cleaning.older_than)):
        if not cleaning.dry_run and not remove(left):
            cleaning.log.warning(f"cannot remove {left.path}")
        yield left
