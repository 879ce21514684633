"""`elt rollback`: put `main`, or one date, back to what it was, by one new merge through the gate. History is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from orchestration.errors import UsageError
from orchestration.lake import keys
from orchestration.lake.branch_names import new_branch_name
from orchestration.lake.catalog import date_checksums, read_receipts
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.history import ROLLED_BACK, commits_of
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.lake.restore import restore_objects, restore_tree
from orchestration.lake.setup import require_lake
from orchestration.lake.stale import stale_dates, stale_dates_at
from orchestration.operations.points import FORMS, point_on_main
from orchestration.settings import Settings


@dataclass(frozen=True)
class DateChange:
    """What a rollback does to one date.

    Attributes:
        execution_date: The date.
        before: Curated rows by table now; empty if `main` does not have the date.
        after: The same afterwards.
    """

    execution_date: str
    before: Mapping[str, int]
    after: Mapping[str, int]

    @property
    def effect(self) -> str:
        """Return what happens to the date."""
        return "back" if self.before and self.after else "removed" if self.before else "restored"


@dataclass(frozen=True)
class Rollback:
    """A planned rollback.

    Attributes:
        head: The head of `main` that it was planned for.
        target: The commit of `main` whose state comes back.
        execution_date: The date, if only one goes back.
        dates: The dates that change.
        marts: Whether the marts change. If only one date goes back, they do not.
        stale: The dates for which the marts are stale afterwards, because they were made from other versions.
    """

    head: str
    target: str
    execution_date: str | None
    dates: tuple[DateChange, ...]
    marts: bool
    stale: tuple[str, ...]


@dataclass(frozen=True)
class RolledBack:
    """A rollback that is on `main`, by its merge commit."""

    plan: Rollback
    commit: str


def plan_rollback(lake: Lake, to: str) -> Rollback:
    """Return what it means to put all of `main` back to a commit, a tag or a time.

    Raises:
        UsageError: The point is not on `main`, is the repository's first commit, or has what `main` has.
    """
    target, head = point_on_main(lake, to), lake.commit_of(MAIN)
    if not target.parents:
        raise UsageError(f"{to} is the repository's first commit, which has no gate", remedy=FORMS)
    dates = tuple(_date_changes(lake, head.id, target.id))
    marts = _checksum(lake, head.id, keys.MARTS_RECEIPT) != _checksum(lake, target.id, keys.MARTS_RECEIPT)
    if not (dates or marts):
        raise UsageError(f"main has what it had at {target.id[:12]}", remedy="elt log shows what changed, and when")
    return Rollback(head.id, target.id, None, dates, marts, stale_dates_at(lake, target.id))


def plan_rollback_of_date(lake: Lake, execution_date: str) -> Rollback:
    """Return what it means to put one date back to its version before, or off `main` if it has only one.

    Raises:
        UsageError: The date was never published.
    """
    head = lake.commit_of(MAIN)
    last = next(commits_of(lake, execution_date), None)
    if last is None:
        raise UsageError(f"{execution_date} was never published", remedy="elt log lists the dates")
    target, key = last.parents[0], keys.date_receipt(execution_date)
    before, after = (_rows(read_receipt(lake, commit, key)) for commit in (head.id, target))
    change = DateChange(execution_date, before, after)
    return Rollback(head.id, target, execution_date, (change,), False, _stale_after(lake, head.id, target, key))


def roll_back(lake: Lake, plan: Rollback, settings: Settings, reason: str) -> RolledBack:
    """Carry out a plan by one merge into `main`. What others published in the meantime stays.

    Args:
        lake: The repository.
        plan: The plan.
        settings: The bucket of the repository and the project with its gate, which are checked first.
        reason: Why, for the history.

    Raises:
        Conflict: `main` changed the same dates since the plan was made.
        GateRefused: The earlier state is not what its receipts say.
        PlatformFailed: lakeFS does not answer, or lacks its gate.
    """
    require_lake(lake, settings.elt.bucket, settings.project_dir)
    branch = new_branch_name("rollback")
    lake.create_branch(branch, plan.head)
    try:
        said = {"outcome": ROLLED_BACK, "rollback_to": plan.target, "reason": reason}
        if plan.execution_date:
            said["execution_date"] = plan.execution_date
            commit = _restore_date(lake, branch, plan, said)
        else:
            commit = restore_tree(lake, branch, plan.target)
        subject = plan.execution_date or "main"
        merge = lake.merge(commit, f"{subject} rolled back to {plan.target[:12]}: {reason}", said)
    finally:
        lake.delete_branch(branch)
    return RolledBack(plan, merge)


def _restore_date(lake: Lake, branch: str, plan: Rollback, said: Mapping[str, str]) -> str:
    date = str(plan.execution_date)
    key = keys.date_receipt(date)
    now, then = read_receipt(lake, plan.head, key), read_receipt(lake, plan.target, key)
    restore_objects(lake, branch, plan.target, then.keys if then else (), now.keys if now else ())
    return lake.commit(branch, f"{date} of {plan.target[:12]}", said)


def _date_changes(lake: Lake, head: str, target: str) -> Iterator[DateChange]:
    """Yield the dates that differ. Only their receipts are read."""
    now, then = date_checksums(lake, head), date_checksums(lake, target)
    changed = sorted(key for key in now.keys() | then.keys() if now.get(key) != then.get(key))
    before, after = (
        {
            receipt.key: receipt
            for receipt in read_receipts(lake, commit, {key: of[key] for key in changed if key in of})
        }
        for commit, of in ((head, now), (target, then))
    )
    for key in changed:
        yield DateChange(keys.date_of_receipt(key), _rows(before.get(key)), _rows(after.get(key)))


def _stale_after(lake: Lake, head: str, target: str, key: str) -> tuple[str, ...]:
    """Return the dates for which the marts at `head` are stale if one date's receipt goes back to that of `target`."""
    then = _checksum(lake, target, key)
    others = {other: checksum for other, checksum in date_checksums(lake, head).items() if other != key}
    return stale_dates(read_receipt(lake, head, keys.MARTS_RECEIPT), others | ({key: then} if then else {}))


def _rows(receipt: Receipt | None) -> Mapping[str, int]:
    return receipt.rows if receipt else {}


def _checksum(lake: Lake, commit: str, key: str) -> str | None:
    found = lake.stat(commit, key)
    return found.checksum if found else None
