"""The flow `nightly-check`, and the check itself: whether a date is on `main`, and if not, why. It only reads.

It notifies when nothing else can: a night without a flow run, or without a worker, reports no failure of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from orchestration.dates import parse_execution_date
from orchestration.endpoints import open_lake, use_prefect
from orchestration.errors import IngestCleanError, PlatformFailed, UsageError
from orchestration.flows.hooks import notify
from orchestration.flows.nights import Cause, cause_of, own_date
from orchestration.flows.notify import Notice, send
from orchestration.flows.secrets import NOTIFY, notify_url
from orchestration.flows.states import guarded_state, settings_for
from orchestration.lake import keys
from orchestration.lake.client import MAIN
from orchestration.lake.history import on_hold
from orchestration.log import Log
from orchestration.lookback import missed_dates
from orchestration.settings import Settings


@dataclass(frozen=True)
class CheckedDate:
    """The result of a check.

    Attributes:
        date: The date.
        outcome: `Published`, `NotPublished`, or `Unknown` if lakeFS does not answer.
        cause: What is known about the reason; empty if the date is published.
        missing: The dates before it that catch-up should have published, oldest first.
        link: The page of the date's flow run, if it is not published and has one.
        notified: Whether the webhook accepted a notice of it.
    """

    date: str
    outcome: Literal["Published", "NotPublished", "Unknown"]
    cause: str = ""
    missing: tuple[str, ...] = ()
    link: str = ""
    notified: bool = False

    @property
    def message(self) -> str:
        """Return the cause, and what else is missing."""
        lines = ["it is on main"] if self.outcome == "Published" else [self.cause]
        if self.missing:
            lines.append(
                f"earlier dates that are not on main: {', '.join(self.missing)}; `elt run DATE` publishes each"
            )
        return "\n".join(lines)


def check_date(settings: Settings, execution_date: str, why: Callable[[str], Cause] | None = None) -> CheckedDate:
    """Return whether a date is on `main`, and which earlier dates are missing. A lake that does not answer is a result.

    Args:
        settings: The lake, and the number of earlier dates to look at.
        execution_date: The date.
        why: Returns why a date is not published; Prefect is asked by default.

    Raises:
        UsageError: The configuration of lakeFS is incomplete.
    """
    try:
        lake = open_lake(settings)
        published = lake.stat(MAIN, keys.date_receipt(execution_date)) is not None
        missing = missed_dates(lake, execution_date, settings.elt.catch_up_days)
        held = not published and execution_date in on_hold(lake, (execution_date,))
    except PlatformFailed as error:
        return CheckedDate(execution_date, "Unknown", f"main cannot be read: {error}")
    if published:
        return CheckedDate(execution_date, "Published", missing=missing)
    if held:
        cause = f"it was rolled back and is on hold: `elt run {execution_date}` publishes it again"
        return CheckedDate(execution_date, "NotPublished", cause, missing)
    found = why(execution_date) if why else cause_of(execution_date, settings.project)
    return CheckedDate(execution_date, "NotPublished", found.text, missing, found.link)


def check_outside_of_prefect(settings: Settings, execution_date: str, *, notify_people: bool, log: Log) -> CheckedDate:
    """Check a date from any process, such as one of cron. Prefect is only asked for the cause, and may be down.

    Args:
        settings: The servers, and the number of earlier dates to look at.
        execution_date: The date.
        notify_people: Notify the webhook if the date is not published.
        log: Takes a line if that fails.

    Raises:
        UsageError: There is no webhook to notify, or the configuration of lakeFS is incomplete.
    """
    problem, url = "", None
    try:
        use_prefect(settings)
    except IngestCleanError as error:
        problem = f"Prefect does not run: {error}"
    if notify_people:
        url = _webhook(settings, problem, log)
    found = check_date(settings, execution_date, (lambda date: Cause(problem)) if problem else None)
    if url is None or found.outcome == "Published":
        return found
    try:
        send(url, Notice(settings.project, execution_date, found.outcome, found.message, found.link))
    except IngestCleanError as error:
        log.warning(error.describe())
        return found
    return replace(found, notified=True)


def _webhook(settings: Settings, problem: str, log: Log) -> str | None:
    """Return the URL of the webhook; None if it is in a block of a Prefect that does not answer."""
    if problem and not settings.elt.notify_url:
        log.warning(f"the webhook is not known: {problem}; set ELT_NOTIFY_URL")
        return None
    try:
        url = notify_url(settings)
    except PlatformFailed as error:
        log.warning(f"the webhook is not known: {error}; set ELT_NOTIFY_URL")
        return None
    if url is None:
        raise UsageError("there is no webhook to notify", remedy=f"set ELT_NOTIFY_URL, or elt secrets set {NOTIFY}")
    return url


@flow(
    name="nightly-check",
    flow_run_name=lambda: f"check {own_date()}",
    persist_result=False,
    on_failure=[notify],
    on_crashed=[notify],
)
def nightly_check(execution_date: str | None = None, repo: str | None = None, bucket: str | None = None) -> State[Any]:
    """Check that a date is published. If it is not, the run fails, and the webhook is notified with the cause.

    Args:
        execution_date: The logical day, YYYY-MM-DD in UTC; default: the day before the scheduled start.
        repo: The lakeFS repository; default: ELT_REPOSITORY of the worker.
        bucket: The storage bucket that the repository lives in; default: ELT_BUCKET of the worker.
    """
    subject = own_date()

    def check() -> State[Any]:
        found = check_date(settings_for(repo, bucket), parse_execution_date(subject))
        if found.outcome == "Published":
            return Completed(message=found.message)
        return Failed(name=found.outcome, message=f"{found.message}\n{found.link}".strip())

    return guarded_state(subject, check)
