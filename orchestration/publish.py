"""Commit, merge, tidy: what was tested is vouched for and becomes visible, whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from orchestration import keys
from orchestration.dbt_results import BuildResult
from orchestration.errors import Conflict, GateRefused, IngestCleanError, LakeNoChanges, PlatformFailed
from orchestration.extract import Extracted
from orchestration.gate import require_gate
from orchestration.lake import MAIN, Lake, LakeObject
from orchestration.land import Landed
from orchestration.receipt import Receipt, date_receipt
from orchestration.request import Request
from orchestration.steps import IN_DOUBT, step

Outcome = Literal["published", "superseded", "unchanged"]


@dataclass(frozen=True)
class Curated:
    """A vouched date on its branch.

    Attributes:
        branch: The run's branch.
        base: The commit of `main` that it was cut from.
        commit: The commit "curated", the very one that is merged; `base` where nothing differs.
        receipt: The receipt in it.
        supersedes: Whether `main` had the date before.
    """

    branch: str
    base: str
    commit: str
    receipt: Receipt
    supersedes: bool


@dataclass(frozen=True)
class Published:
    """How a run of a date ended well.

    Attributes:
        execution_date: The date.
        outcome: `published` for the first time, `superseded` an earlier version, or `unchanged`.
        commit: The commit of `main` that holds the date.
        rows: Curated rows by table.
        replaced: Another run has published the date since.
    """

    execution_date: str
    outcome: Outcome
    commit: str
    rows: Mapping[str, int]
    replaced: bool = False

    def __str__(self) -> str:
        rows = ", ".join(f"{table} {count:,}" for table, count in self.rows.items())
        since = ", since replaced" if self.replaced else ""
        return f"{self.execution_date} {self.outcome}{since}: {rows} rows at {self.commit[:12]}"


def unchanged(request: Request, extracted: Extracted) -> Published:
    """The end of a run that found nothing to do."""
    rows = extracted.former.rows if extracted.former else {}
    return Published(request.execution_date, "unchanged", extracted.base, rows)


def commit_curated(request: Request, extracted: Extracted, landed: Landed, built: BuildResult) -> Curated:
    """Holds the branch against what was fetched and tested, writes the receipt and commits.

    Raises:
        PlatformFailed: Raw on the branch is not what was fetched, an output is missing, or `main` lost the base.
        GateMissing: The commit does not carry the expected gate, so lakeFS would not ask it about the merge.
    """
    lake, date = request.lake, request.execution_date
    with step("commit", date, request.report, branch=landed.branch):
        _require_raw(lake, landed, date)
        receipt = date_receipt(date, landed.pages, _outputs(lake, landed, built), built)
        lake.put(landed.branch, receipt.key, receipt.to_bytes(), keys.JSON_CONTENT_TYPE)
        try:
            commit = lake.commit(landed.branch, "curated", request.metadata(base=landed.base, code=built.code_digest))
        except LakeNoChanges:
            commit = landed.commit
        if left := lake.uncommitted(landed.branch):
            raise PlatformFailed(f"{len(left)} keys were written after the commit: {', '.join(left[:5])}")
        require_gate(lake, commit, request.settings.project_dir)
        if not lake.is_on_main(landed.base):
            raise PlatformFailed(f"the run's base {landed.base[:12]} is no commit of {MAIN}: {MAIN} was moved back")
    return Curated(landed.branch, landed.base, commit, receipt, extracted.former is not None)


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
        raise PlatformFailed(f"raw on {landed.branch} is not what was fetched: {', '.join(differing[:5])}")


def _outputs(lake: Lake, landed: Landed, built: BuildResult) -> dict[str, LakeObject]:
    """The Parquet that dbt wrote, as lakeFS has it."""
    found = {key: lake.stat(landed.branch, key) for key in built.rows}
    missing = [key for key, stored in found.items() if stored is None]
    if missing:
        # DuckDB has reported success for writes that never arrived.
        raise PlatformFailed(f"dbt built, but {', '.join(missing)} is not on {landed.branch}")
    return {key: stored for key, stored in found.items() if stored is not None}


def merge_to_main(request: Request, curated: Curated) -> Published:
    """Merges the curated commit, not the branch, into `main`, through the gate.

    Raises:
        Conflict: `main` changed this date since the run pinned it, or moved, and the gate refused what came of both.
        GateRefused: The gate's message is the cause.
        PlatformFailed: lakeFS gave no clear answer.
    """
    lake, date, receipt = request.lake, request.execution_date, curated.receipt
    if curated.commit == curated.base:
        return Published(date, "unchanged", curated.base, receipt.rows)
    outcome: Outcome = "superseded" if curated.supersedes else "published"
    with step("merge", date, request.report, main=IN_DOUBT, branch=curated.branch):
        try:
            merge = lake.merge(curated.commit, f"{date} {outcome}", _merge_metadata(request, curated, outcome))
        except LakeNoChanges:
            merge, outcome = curated.base, "unchanged"
        except GateRefused as refused:
            if lake.head(MAIN) == curated.base:
                raise
            # lakeFS 1.86.0 may drop a key where both sides changed; the gate sees it, and a new base mends it.
            raise Conflict(f"{refused.cause}, and {MAIN} has moved since the run pinned it") from refused
        published = lake.read(MAIN, receipt.key)
    return Published(date, outcome, merge, receipt.rows, replaced=published != receipt.to_bytes())


def _merge_metadata(request: Request, curated: Curated, outcome: str) -> dict[str, str]:
    rows = " ".join(f"{table}={count}" for table, count in curated.receipt.rows.items())
    return request.metadata(
        base=curated.base,
        curated=curated.commit,
        code=str(curated.receipt.content["code"]),
        outcome=outcome,
        rows=rows,
    )


def tidy(request: Request, branch: str) -> None:
    """Deletes the run's branch; a failure leaves it to housekeeping."""
    try:
        request.lake.delete_branch(branch)
    except IngestCleanError as error:
        request.report(f"warning: branch {branch} is left: {error}")
