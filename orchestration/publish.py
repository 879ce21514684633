"""Commit, merge, tidy: what was tested is vouched for and becomes visible, whole. The same for a date and the marts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from orchestration.context import DateRequest, Request
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import (
    Conflict,
    DataFailed,
    GateRefused,
    IngestCleanError,
    LakeNoChanges,
    PlatformFailed,
)
from orchestration.extract import Extracted
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake, LakeObject
from orchestration.lake.gate import require_gate
from orchestration.lake.receipt import Receipt, date_receipt
from orchestration.land import Landed
from orchestration.progress import warning
from orchestration.steps import IN_DOUBT
from orchestration.text import key_list

Outcome = Literal["published", "superseded", "unchanged"]

TRIES = 3
"""How often a run is begun anew, from its pin, when `main` moved for it meanwhile."""


@dataclass(frozen=True)
class Vouched:
    """What a run tested, on its branch, with the receipt that vouches for it.

    Attributes:
        branch: The run's branch.
        base: The commit of `main` that it was cut from.
        commit: The commit with the receipt, the very one that is merged; `base` where nothing differs.
        receipt: The receipt in it.
        supersedes: Whether `main` had one before.
    """

    branch: str
    base: str
    commit: str
    receipt: Receipt
    supersedes: bool


@dataclass(frozen=True)
class Published:
    """How a run ended well.

    Attributes:
        subject: The date, or `marts`.
        outcome: `published` for the first time, `superseded` an earlier version, or `unchanged`.
        commit: The commit of `main` that holds it.
        rows: Curated rows by table, rows by mart.
        replaced: Another run has published it since.
    """

    subject: str
    outcome: Outcome
    commit: str
    rows: Mapping[str, int]
    replaced: bool = False

    def __str__(self) -> str:
        rows = ", ".join(f"{table} {count:,}" for table, count in self.rows.items())
        since = ", since replaced" if self.replaced else ""
        return f"{self.subject} {self.outcome}{since}: {rows} rows at {self.commit[:12]}"


def unchanged(request: Request, base: str, former: Receipt | None) -> Published:
    """The end of a run that found nothing to do."""
    return Published(request.subject, "unchanged", base, former.rows if former else {})


def commit_curated(request: DateRequest, extracted: Extracted, landed: Landed, built: BuildResult) -> Vouched:
    """Holds the branch against what was fetched and tested, writes the date's receipt and commits.

    Raises:
        DataFailed: A table would lose more of its published rows than its source allows.
        PlatformFailed: Raw on the branch is not what was fetched, an output is missing, or `main` lost the base.
        GateMissing: The commit does not carry the expected gate, so lakeFS would not ask it about the merge.
    """
    lake, date = request.lake, request.execution_date
    with request.step("commit", branch=landed.branch):
        if not request.force:
            _require_no_loss(request, extracted, built)
        _require_raw(lake, landed, date)
        receipt = date_receipt(date, landed.pages, outputs(lake, landed.branch, built), built)
        commit = commit_vouched(request, landed.branch, landed.base, receipt, "curated") or landed.commit
    return Vouched(landed.branch, landed.base, commit, receipt, extracted.former is not None)


def commit_vouched(request: Request, branch: str, base: str, receipt: Receipt, message: str) -> str | None:
    """Writes the receipt and commits the branch; gives the commit, None where nothing differs from the branch's head.

    Raises:
        PlatformFailed: Something was written after the commit, or `main` lost the base.
        GateMissing: The commit does not carry the expected gate, so lakeFS would not ask it about the merge.
    """
    lake = request.lake
    lake.put(branch, receipt.key, receipt.to_bytes(), keys.JSON_CONTENT_TYPE)
    try:
        commit = lake.commit(branch, message, request.metadata(base=base, code=receipt.code))
    except LakeNoChanges:
        commit = None
    if left := lake.uncommitted(branch):
        raise PlatformFailed(f"{len(left)} keys were written after the commit: {key_list(left)}")
    require_gate(lake, commit or branch, request.settings.project_dir)
    if not lake.is_on_main(base):
        raise PlatformFailed(f"the run's base {base[:12]} is no commit of {MAIN}: {MAIN} was moved back")
    return commit


def _require_no_loss(request: DateRequest, extracted: Extracted, built: BuildResult) -> None:
    """Compare the rows of each table with those that `main` has of the date.

    An API that answers with an empty or half a list looks like a day with fewer rows, and every test of the rows that
    did come passes.
    """
    former = extracted.former.rows if extracted.former else {}
    losses = []
    for table in extracted.tables:
        parts = built.accounting.get(table.name)
        before, after = former.get(table.name, 0), parts.curated if parts else 0
        if before and (not after or before - after > table.loss_limit * before):
            allowed = f"loss_limit of {table.label} is {table.loss_limit:.0%}, and none may become empty"
            losses.append(f"{table.name} would lose {before - after:,} of {before:,} published rows ({allowed})")
    if losses:
        error = DataFailed("; ".join(losses), remedy=f"compare the branch with {MAIN}; if the API is right")
        error.command = f"{request.command} --force"
        raise error


def _require_raw(lake: Lake, landed: Landed, execution_date: str) -> None:
    """Every page on the branch as it was fetched, and no other."""
    there: dict[str, str] = {}
    for table in landed.inputs:
        source, name = table.split(".")
        found = lake.objects(landed.branch, keys.raw_folder(source, name, execution_date))
        there |= {stored.key: stored.checksum for stored in found}
    fetched = {page.key: page.md5 for page in landed.pages}
    if there != fetched:
        differing = sorted(key for key in there.keys() | fetched.keys() if there.get(key) != fetched.get(key))
        raise PlatformFailed(f"raw on {landed.branch} is not what was fetched: {key_list(differing)}")


def outputs(lake: Lake, branch: str, built: BuildResult) -> dict[str, LakeObject]:
    """The Parquet that dbt wrote, as lakeFS has it.

    Raises:
        PlatformFailed: Some of it is missing: DuckDB has reported success for writes that never arrived.
    """
    found = {key: lake.stat(branch, key) for key in built.rows}
    missing = [key for key, stored in found.items() if stored is None]
    if missing:
        raise PlatformFailed(f"dbt built, but {key_list(missing)} is not on {branch}")
    return {key: stored for key, stored in found.items() if stored is not None}


def merge_to_main(request: Request, vouched: Vouched) -> Published:
    """Merges the commit with the receipt, not the branch, into `main`, through the gate.

    Raises:
        Conflict: `main` changed the same since the run pinned it, or moved, and the gate refused what came of both.
        GateRefused: The gate's message is the cause.
        PlatformFailed: lakeFS gave no clear answer.
    """
    lake, receipt = request.lake, vouched.receipt
    if vouched.commit == vouched.base:
        return unchanged(request, vouched.base, receipt)
    outcome: Outcome = "superseded" if vouched.supersedes else "published"
    with request.step("merge", main=IN_DOUBT, branch=vouched.branch):
        try:
            merge = lake.merge(
                vouched.commit, f"{request.subject} {outcome}", _merge_metadata(request, vouched, outcome)
            )
        except LakeNoChanges:
            merge, outcome = vouched.base, "unchanged"
        except GateRefused as refused:
            if lake.head(MAIN) == vouched.base:
                raise
            # lakeFS 1.86.0 may drop a key where both sides changed; the gate sees it, and a new base mends it.
            raise Conflict(f"{refused.cause}, and {MAIN} has moved since the run pinned it") from refused
        published = lake.read(MAIN, receipt.key)
    return Published(request.subject, outcome, merge, receipt.rows, replaced=published != receipt.to_bytes())


def _merge_metadata(request: Request, vouched: Vouched, outcome: str) -> dict[str, str]:
    rows = " ".join(f"{table}={count}" for table, count in vouched.receipt.rows.items())
    return request.metadata(
        base=vouched.base,
        curated=vouched.commit,
        code=vouched.receipt.code,
        outcome=outcome,
        rows=rows,
    )


def begin_anew(request: Request, attempt: Callable[[], Published]) -> Published:
    """What the first attempt gives that meets no conflict.

    Raises:
        Conflict: The last one met one too.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            return attempt()
        except Conflict as conflict:
            if not tries_left:
                raise
            # What was read is old by now: newer was published, so everything is asked for again.
            request.report(f"{conflict}; beginning anew")
            tidy(request, conflict.branch)
    raise AssertionError("unreachable")


def tidy(request: Request, branch: str) -> None:
    """Deletes the run's branch; a failure leaves it to housekeeping."""
    try:
        request.lake.delete_branch(branch)
    except IngestCleanError as error:
        request.report(warning(f"branch {branch} is left: {error}"))
