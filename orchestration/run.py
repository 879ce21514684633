"""Publish one date from the API to `main`: the run protocol, top to bottom. A plan, then five steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestration.audit import Candidate, audit
from orchestration.context import DateRun, RunContext
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import Conflict, IngestCleanError
from orchestration.extract import Extracted, extract
from orchestration.land import Landed, land
from orchestration.plan import Plan, make_plan
from orchestration.publish import RunResult, publish, unchanged
from orchestration.transform import transform
from orchestration.workdir import work_directory

ATTEMPTS = 3
"""How often a run is attempted if `main` moves in a way that conflicts."""


@dataclass(frozen=True)
class DateSteps:
    """The five steps as functions. The flow passes its tasks instead."""

    extract: Callable[[DateRun, Plan, Path], Extracted] = extract
    land: Callable[[DateRun, Plan, Extracted], Landed] = land
    transform: Callable[[DateRun, Plan, Landed, Path], BuildResult] = transform
    audit: Callable[[DateRun, Plan, Extracted, Landed, BuildResult], Candidate] = audit
    publish: Callable[[DateRun, Candidate], RunResult] = publish


PLAIN_STEPS = DateSteps()


def run_date(run: DateRun, steps: DateSteps = PLAIN_STEPS, plan: Plan | None = None) -> RunResult:
    """Publish a date, or find it unchanged.

    Args:
        run: The run.
        steps: The five steps.
        plan: A plan for the date, if a process publishes several dates under the same code; default: made here.

    Raises:
        IngestCleanError: With date, step, the state of `main`, the kept branch and the next command.
    """
    plan = plan or make_plan(run, run.execution_date)
    return retry_on_conflict(run, lambda: _attempt(run, plan, steps))


def _attempt(run: DateRun, plan: Plan, steps: DateSteps) -> RunResult:
    # The API's answers take time, in which dbt is loaded.
    plan.load_ahead()
    with work_directory(run.settings.state_dir, run.subject) as folder:
        extracted = steps.extract(run, plan, folder)
        if extracted.unchanged:
            return unchanged(run, extracted.base, extracted.former)
        landed = steps.land(run, plan, extracted)
        built = steps.transform(run, plan, landed, folder)
        candidate = steps.audit(run, plan, extracted, landed, built)
        result = steps.publish(run, candidate)
    delete_branch(run, landed.branch)
    return result


def retry_on_conflict(run: RunContext, attempt: Callable[[], RunResult]) -> RunResult:
    """Return the result of the first attempt without a conflict. Each attempt pins `main` again.

    Raises:
        Conflict: Every attempt had one.
    """
    for attempts_left in reversed(range(ATTEMPTS)):
        try:
            return attempt()
        except Conflict as conflict:
            if not attempts_left:
                raise
            # Something newer was published, so the data that this run read is out of date.
            run.log.info(f"{conflict}; retrying from the new head of main")
            delete_branch(run, conflict.branch)
    raise AssertionError("unreachable")


def delete_branch(run: RunContext, branch: str) -> None:
    """Delete the run's branch. One that cannot be deleted is reported and left to housekeeping."""
    try:
        run.lake.delete_branch(branch)
    except IngestCleanError as error:
        run.log.warning(f"cannot delete branch {branch}: {error}")
