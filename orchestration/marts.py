"""Publish the marts from the published dates: the same five steps, with receipts in place of pages.

Marts by date are built for the dates that changed: see `marts_dates`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestration.audit import Candidate, commit_candidate, new_receipt, written_objects
from orchestration.context import MartsRun
from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import UsageError
from orchestration.lake import keys
from orchestration.lake.branch_names import RUN, new_branch_name
from orchestration.lake.bundles import bundle_bytes, bundled
from orchestration.lake.catalog import date_checksums, read_bodies
from orchestration.lake.listed import LakeObject
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.lake.setup import require_lake
from orchestration.marts_dates import NO_DATES, MartsDates, dates_to_build
from orchestration.plan import Plan, make_plan
from orchestration.publish import RunResult, publish, unchanged
from orchestration.run import delete_branch, retry_on_conflict
from orchestration.transform import build_models, require_passed
from orchestration.workdir import work_directory


@dataclass(frozen=True)
class MartsInputs:
    """Inputs of the marts.

    Attributes:
        base: The pinned head of `main`, which the branch is cut from.
        checksums: The checksum of the receipt of each date published there, by its key.
        former: The receipt of the marts there, if they were published before.
        commit: The commit at which published rows are read. It is `base`, or the commit that the marts were made from
            if it has the same dates. The receipt names it, and equal marts must have equal receipts.
        dates: What is built and read.
        unchanged: Whether the former receipt covers the same dates under the same code.
        no_marts: Whether the project has no marts, and `main` has none to remove.
    """

    base: str
    checksums: Mapping[str, str]
    former: Receipt | None
    commit: str
    dates: MartsDates = NO_DATES
    unchanged: bool = False
    no_marts: bool = False


def extract_dates(run: MartsRun, plan: Plan) -> MartsInputs:
    """Pin the head of `main`, list the receipts there and find the dates to build; all of them under `run.force`.

    Raises:
        UsageError: Nothing is published yet, and the project has marts; or see `dates_to_build`.
        PlatformFailed: The lake is out of reach or lacks its gate.
    """
    lake, settings = run.lake, run.settings
    with run.step("extract"):
        base = require_lake(lake, settings.elt.bucket, settings.project_dir)
        checksums = date_checksums(lake, base)
        former = read_receipt(lake, base, keys.MARTS_RECEIPT)
        if former is None and not plan.selected.keys:
            return MartsInputs(base, checksums, former, base, no_marts=True)
        if not checksums:
            raise UsageError("no date is published yet, so there is no input for the marts", remedy="elt run DATE")
        run.record.former = former
        same_dates = former is not None and former.made_from == checksums
        commit = str(former.content["inputs"]["commit"]) if former and same_dates else base
        if former and plan.is_code_of(former) and same_dates and not run.force:
            return MartsInputs(base, checksums, former, commit, unchanged=True)
        return MartsInputs(base, checksums, former, commit, dates_to_build(run, plan, base, former, checksums))


def land_branch(run: MartsRun, plan: Plan, inputs: MartsInputs) -> str:
    """Create the run's branch, delete the former marts that are not kept, and return the branch's name.

    What is written again is deleted too: DuckDB has reported success for writes that never arrived, so a former file
    must not pass for the new one.
    """
    branch = new_branch_name(f"{RUN}marts")
    with run.step("land") as step:
        run.lake.create_branch(branch, inputs.base)
        step.branch = branch
        kept = {*kept_files(plan, inputs), *kept_bundles(run, plan, inputs), keys.MARTS_RECEIPT}
        run.lake.delete(branch, sorted(inputs.former.keys - kept if inputs.former else ()))
    return branch


def kept_files(plan: Plan, inputs: MartsInputs) -> frozenset[str]:
    """Return the keys of the marts that stay on `main` as they are."""
    return plan.outputs(inputs.dates.dated.names) - plan.outputs(inputs.dates.dated.written)


def kept_bundles(run: MartsRun, plan: Plan, inputs: MartsInputs) -> frozenset[str]:
    """Return the keys of the bundles of receipts that stay as they are: those of months without a changed date."""
    if not plan.selected.keys or inputs.former is None or run.force:
        return frozenset()
    now, before = bundled(inputs.checksums), bundled(inputs.former.made_from)
    return frozenset(key for key in now if now[key] == before.get(key) and key in inputs.former.objects)


def write_bundles(run: MartsRun, plan: Plan, inputs: MartsInputs, branch: str) -> Iterator[LakeObject]:
    """Write the other bundles, unless the project has dropped its marts, and yield each one as lakeFS lists it."""
    kept = kept_bundles(run, plan, inputs)
    for key, checksums in bundled(inputs.checksums).items() if plan.selected.keys else ():
        if key not in kept:
            bodies = read_bodies(run.lake, inputs.base, checksums)
            yield run.lake.put(branch, key, bundle_bytes(bodies), keys.JSON_CONTENT_TYPE)


def transform_marts(run: MartsRun, plan: Plan, inputs: MartsInputs, branch: str, folder: Path) -> BuildResult:
    """Build and test the marts. Published dates are read at the pinned commit, and outputs are written to the branch.

    Raises:
        DataFailed: A test failed or a contract broke.
        PlatformFailed: dbt, DuckDB or the gateway failed.
    """
    repository = run.lake.repository
    run_file = RunFile(
        execution_date="",
        lake_root=f"s3://{repository}/{branch}",
        published_root=f"s3://{repository}/{inputs.commit}",
        published=inputs.dates.published,
        built=inputs.dates.built,
        dated=inputs.dates.dated,
    )
    with run.step("transform", branch=branch):
        built = build_models(run, plan, run_file, branch, folder)
        require_passed(run, built)
    return built


def audit_marts(run: MartsRun, plan: Plan, inputs: MartsInputs, branch: str, built: BuildResult) -> Candidate:
    """Require the Parquet that dbt wrote, write the receipt of the marts and commit: see `audit.commit_candidate`.

    Raises:
        PlatformFailed: An output is missing, something was written after the commit, or `main` lost the base.
        GateMissing: The commit does not have the expected gate, so lakeFS would not run it on the merge.
    """
    with run.step("audit", branch=branch):
        written = written_objects(run.lake, branch, built, keys.MARTS)
        objects = {key: stored.checksum for key, stored in written.items()}
        details = {key: {"bytes": stored.bytes, "rows": built.rows[key]} for key, stored in written.items()}
        for stored in write_bundles(run, plan, inputs, branch):
            objects[stored.key], details[stored.key] = stored.checksum, {"bytes": stored.bytes}
        if inputs.former:
            for key in kept_files(plan, inputs) | kept_bundles(run, plan, inputs):
                objects[key] = inputs.former.objects[key]
                details[key] = inputs.former.content["details"][key]
        content = {
            "objects": objects,
            "details": details,
            "inputs": {"commit": inputs.commit, "receipts": dict(inputs.checksums)},
            "accounting": {table: dict(rows) for table, rows in built.across_dates.items()},
        }
        receipt = new_receipt(keys.MARTS_RECEIPT, content, built, plan.code)
        commit = commit_candidate(run, branch, inputs.base, receipt, "marts") or inputs.base
    return Candidate(branch, inputs.base, commit, receipt, inputs.former is not None)


@dataclass(frozen=True)
class MartsSteps:
    """The five steps as functions. The flow passes its tasks instead."""

    extract: Callable[[MartsRun, Plan], MartsInputs] = extract_dates
    land: Callable[[MartsRun, Plan, MartsInputs], str] = land_branch
    transform: Callable[[MartsRun, Plan, MartsInputs, str, Path], BuildResult] = transform_marts
    audit: Callable[[MartsRun, Plan, MartsInputs, str, BuildResult], Candidate] = audit_marts
    publish: Callable[[MartsRun, Candidate], RunResult] = publish


PLAIN_STEPS = MartsSteps()


def run_marts(run: MartsRun, steps: MartsSteps = PLAIN_STEPS) -> RunResult:
    """Publish the marts, or find them unchanged. A project that has no marts skips them.

    Marts that the project no longer has are removed from `main`.

    Raises:
        IngestCleanError: With step, the state of `main`, the kept branch and the next command.
    """
    plan = make_plan(run)
    return retry_on_conflict(run, lambda: _attempt(run, plan, steps))


def _attempt(run: MartsRun, plan: Plan, steps: MartsSteps) -> RunResult:
    inputs = steps.extract(run, plan)
    if inputs.no_marts:
        return RunResult(run.subject, "skipped", inputs.base, {})
    if inputs.unchanged:
        return unchanged(run, inputs.base, inputs.former)
    with work_directory(run.settings.state_dir, run.subject) as folder:
        branch = steps.land(run, plan, inputs)
        built = steps.transform(run, plan, inputs, branch, folder)
        candidate = steps.audit(run, plan, inputs, branch, built)
        result = steps.publish(run, candidate)
    delete_branch(run, branch)
    return result
