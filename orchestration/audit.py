"""Audit: compare the branch with what was fetched and tested, write the receipt, commit the candidate for `main`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.context import DateRun, RunContext
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import DataFailed, LakeNoChanges, PlatformFailed
from orchestration.extract import Extracted
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.gate import require_gate
from orchestration.lake.listed import LakeObject
from orchestration.lake.receipt import FORMAT, Receipt
from orchestration.land import Landed
from orchestration.plan import Plan
from orchestration.source.pages import Page
from orchestration.text import key_list, one_line


@dataclass(frozen=True)
class Candidate:
    """The data that a run tested, on its branch, with the receipt that covers it.

    Attributes:
        branch: The run's branch.
        base: The commit of `main` that it was cut from.
        commit: The commit with the receipt, which is the one that is merged; `base` if nothing differs.
        receipt: The receipt in it.
        supersedes: Whether `main` had a receipt of the same date, or of the marts, before.
    """

    branch: str
    base: str
    commit: str
    receipt: Receipt
    supersedes: bool


def audit(run: DateRun, plan: Plan, extracted: Extracted, landed: Landed, built: BuildResult) -> Candidate:
    """Compare the branch with what was fetched and built, write the date's receipt and commit.

    Raises:
        DataFailed: A table would lose more of its published rows than its source allows.
        PlatformFailed: Raw on the branch is not what was fetched, an output is missing or has other rows than were
            counted, or `main` lost the base.
        GateMissing: The commit does not have the expected gate, so lakeFS would not run it on the merge.
    """
    lake, date = run.lake, run.execution_date
    with run.step("audit", branch=landed.branch):
        if not run.force:
            _require_no_loss(run, plan, extracted, built)
        _require_raw(lake, landed, date)
        _require_rows(built)
        receipt = date_receipt(date, landed.pages, written_objects(lake, landed.branch, built), built, plan.code)
        commit = commit_candidate(run, landed.branch, landed.base, receipt, "curated") or landed.commit
    return Candidate(landed.branch, landed.base, commit, receipt, extracted.former is not None)


def commit_candidate(run: RunContext, branch: str, base: str, receipt: Receipt, message: str) -> str | None:
    """Write the receipt, commit the branch and return the commit; None if nothing differs from the branch's head.

    A receipt that covers nothing is deleted: the project has dropped its marts, and the gate refuses an empty one.

    Raises:
        PlatformFailed: Something was written after the commit, or `main` lost the base.
        GateMissing: The commit does not have the expected gate, so lakeFS would not run it on the merge.
    """
    lake = run.lake
    if receipt.objects:
        lake.put(branch, receipt.key, receipt.to_bytes(), keys.JSON_CONTENT_TYPE)
    else:
        lake.delete(branch, [receipt.key])
    try:
        commit = lake.commit(branch, message, run.metadata(base=base, code=receipt.code))
    except LakeNoChanges:
        commit = None
    if left := lake.uncommitted(branch):
        raise PlatformFailed(f"{len(left)} keys were written after the commit: {key_list(left)}")
    require_gate(lake, commit or branch)
    if not lake.is_on_main(base):
        raise PlatformFailed(f"the run's base {base[:12]} is not in the history of {MAIN}: {MAIN} was reset")
    return commit


def _require_no_loss(run: DateRun, plan: Plan, extracted: Extracted, built: BuildResult) -> None:
    """Compare the rows of each table with those that `main` has of the date.

    If an API sends an empty or incomplete list, the day seems to have fewer rows, and every test of the remaining rows
    passes.
    """
    former = extracted.former.rows if extracted.former else {}
    losses = []
    for table in plan.tables:
        parts = built.accounting.get(table.name)
        before, after = former.get(table.name, 0), parts.curated if parts else 0
        if before and (not after or before - after > table.loss_limit * before):
            allowed = (
                f"loss_limit of {table.label} is {table.loss_limit:.0%}, and a published table may not become empty"
            )
            losses.append(f"{table.name} would lose {before - after:,} of {before:,} published rows ({allowed})")
    if losses:
        error = DataFailed("; ".join(losses), remedy=f"compare the branch with {MAIN}; if the API is correct")
        error.command = f"{run.command} --force"
        raise error


def _require_raw(lake: Lake, landed: Landed, execution_date: str) -> None:
    """Require that the branch has every page as it was fetched, and no other page."""
    there: dict[str, str] = {}
    for table in landed.inputs:
        source, name = table.split(".")
        found = lake.objects(landed.branch, keys.raw_folder(source, name, execution_date))
        there |= {stored.key: stored.checksum for stored in found}
    fetched = {page.key: page.md5 for page in landed.pages}
    if there != fetched:
        differing = sorted(key for key in there.keys() | fetched.keys() if there.get(key) != fetched.get(key))
        raise PlatformFailed(f"raw on {landed.branch} is not what was fetched: {key_list(differing)}")


def _require_rows(built: BuildResult) -> None:
    """Require that the files have the rows that the accounting counted."""
    written: Counter[str] = Counter()
    for key, rows in built.rows.items():
        written[keys.table_of(key)] += rows
    for name, parts in built.accounting.items():
        for table, counted in ((name, parts.curated), (f"{name}_rejected", sum(parts.rejected.values()))):
            if table in written and written[table] != counted:
                raise PlatformFailed(f"{table} has {written[table]:,} rows in its files, and dbt counted {counted:,}")


def written_objects(lake: Lake, branch: str, built: BuildResult, prefix: str = "") -> dict[str, LakeObject]:
    """Return the Parquet that dbt wrote by key, as lakeFS lists it.

    Args:
        lake: The repository.
        branch: The branch.
        built: dbt's results.
        prefix: Where all keys are, if they may be many: they are listed then, and not looked up one by one.

    Raises:
        PlatformFailed: Some of it is missing. DuckDB has reported success for writes that never arrived.
    """
    listed = {stored.key: stored for stored in lake.objects(branch, prefix)} if prefix else {}
    found = {key: listed.get(key) if prefix else lake.stat(branch, key) for key in built.rows}
    missing = [key for key, stored in found.items() if stored is None]
    if missing:
        raise PlatformFailed(f"dbt reported success, but {branch} lacks {key_list(missing)}")
    return {key: stored for key, stored in found.items() if stored is not None}


def date_receipt(
    execution_date: str, pages: Iterable[Page], outputs: Mapping[str, LakeObject], built: BuildResult, code: str
) -> Receipt:
    """Return the receipt of a date whose tests passed.

    Args:
        execution_date: The date.
        pages: Its raw pages.
        outputs: The Parquet that dbt wrote by key, as lakeFS lists it now.
        built: dbt's results.
        code: The digest of the code that built it.
    """
    objects: dict[str, str] = {}
    details: dict[str, dict[str, Any]] = {}
    inputs: dict[str, list[str]] = {}
    for page in pages:
        objects[page.key] = page.md5
        details[page.key] = {"bytes": page.bytes, "sha256": page.sha256}
        if page.decoded:
            details[page.key]["decoded"] = list(page.decoded)
        if page.no_data:
            details[page.key]["no_data"] = one_line(page.no_data)
        inputs.setdefault(page.table, []).append(page.key)
    for key, stored in outputs.items():
        objects[key] = stored.checksum
        details[key] = {"bytes": stored.bytes, "rows": built.rows[key]}
    accounting = {
        table: {
            "raw": parts.raw,
            "curated": parts.curated,
            "identical": parts.identical,
            "conflicting": parts.conflicting,
            "accepted_keys": parts.accepted_keys,
            "curated_keys": parts.curated_keys,
            "rejected": dict(parts.rejected),
            "drift": dict(parts.drift),
            "drift_fields": parts.undeclared,
            **({"other_dates": parts.other_dates} if parts.other_dates else {}),
        }
        for table, parts in built.accounting.items()
    }
    content = {
        "execution_date": execution_date,
        "objects": objects,
        "details": details,
        "inputs": inputs,
        "accounting": accounting,
    }
    return new_receipt(keys.date_receipt(execution_date), content, built, code)


def new_receipt(key: str, content: Mapping[str, Any], built: BuildResult, code: str) -> Receipt:
    """Return a receipt with this content and the fields that all receipts share: tests, code, engine and versions."""
    tests = {
        node.name: {"status": node.status, "failures": node.failures or 0}
        for node in built.nodes
        if node.kind == "test"
    }
    judged = {"format": FORMAT, "status": "pass", "tests": tests, "code": code, "versions": dict(built.versions)}
    # Receipts of DuckDB have no such field, as before there was another engine.
    engine = {"engine": built.engine} if built.engine != "duckdb" else {}
    return Receipt(key, {**content, **judged, **engine})
