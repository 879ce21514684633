"""Decide which sandboxes nobody uses. A sandbox is removed only a week or more after a warning, and if still unused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestration.analyst.removal import GRACE, WARNING, Warned
from orchestration.analyst.sandbox import PREFIX, folder_of
from orchestration.housekeeping.branches import Action, Decision
from orchestration.housekeeping.facts import BranchFacts
from orchestration.housekeeping.local_files import newest_change
from orchestration.lake.listed import LakeCommit


def decide_on_sandbox(
    facts: BranchFacts, warned: Warned | None, base: LakeCommit, state_dir: Path, now: datetime, unused: timedelta
) -> Decision:
    """Return what becomes of a sandbox.

    Args:
        facts: Its branch.
        warned: The warning on it, if there is one.
        base: The commit of `main` that it was cut from. Of a sandbox without writes only its time is known.
        state_dir: The state folder, which has the sandbox's folder if it was created on this machine.
        now: The time that ages count to.
        unused: The time without a use after which a warning is given.
    """
    used = _last_use(facts, state_dir) or datetime.fromtimestamp(base.created, UTC)
    return Decision(facts.name, *_decide(used, warned, now, unused), used)


def _decide(used: datetime, warned: Warned | None, now: datetime, unused: timedelta) -> tuple[Action, str]:
    since = f"unused since {used:%Y-%m-%d}"
    if now - used < unused:
        return "keep", f"used on {used:%Y-%m-%d}"
    if warned is None or warned.at <= used:
        return "warn", f"{since}; removed {GRACE.days} days after this warning unless it is used"
    if now <= warned.removed_after:
        return "keep", f"{since}; removed after {warned.removed_after:%Y-%m-%d %H:%M} unless it is used"
    return "remove", f"{since}; the warning was given on {warned.at:%Y-%m-%d}"


def _last_use(facts: BranchFacts, state_dir: Path) -> datetime | None:
    """Return the time of the last commit, upload or local change; None without one."""
    times = [float(commit.created) for commit in facts.commits[:1]]
    times += [float(stored.written) for stored in facts.uploads if stored.key != WARNING]
    times += [changed] if (changed := newest_change(folder_of(state_dir, facts.name.removeprefix(PREFIX)))) else []
    return datetime.fromtimestamp(max(times), UTC) if times else None
