"""`elt verify`: rebuild what `main` has of a date from its raw, and compare the bytes with the receipt.

The rebuild is written to a branch that is never merged, and is deleted at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Literal, TypeVar

from orchestration.audit import written_objects
from orchestration.context import DateRun, MartsRun, RunContext
from orchestration.dbt_runner.manifest import published_models
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import (
    Cancelled,
    DataFailed,
    IngestCleanError,
    PlatformFailed,
    SourceFailed,
    TimedOut,
    UsageError,
)
from orchestration.extract import extract
from orchestration.lake import keys
from orchestration.lake.branch_names import new_branch_name
from orchestration.lake.catalog import date_checksums
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.lake.setup import require_lake
from orchestration.land import Landed
from orchestration.log import Log
from orchestration.marts import MartsInputs, transform_marts
from orchestration.marts_dates import all_dates
from orchestration.operations.code import CodeHistory, TableCode, code_of
from orchestration.plan import Plan, make_plan
from orchestration.run import delete_branch
from orchestration.settings import EngineName, Settings
from orchestration.transform import transform
from orchestration.workdir import work_directory

Outcome = Literal["identical", "differs", "failed"]


@dataclass(frozen=True)
class Difference:
    """A published table or mart whose rebuild has other bytes.

    Attributes:
        table: Its name.
        published: Its rows on `main` in files that differ; None if `main` does not have it.
        rebuilt: Their rows now; None if it was not built.
        models: The models that build it, inputs first.
    """

    table: str
    published: int | None
    rebuilt: int | None
    models: tuple[str, ...]


@dataclass(frozen=True)
class Verified:
    """The result for one date, or for the marts.

    Attributes:
        subject: The date, or `marts`.
        outcome: `identical`, `differs`, or `failed` if lakeFS, the disk or dbt failed, so that nothing was compared.
        commit: The commit of `main` whose version was rebuilt; empty if nothing was compared.
        differences: What differs.
        reasons: Why.
    """

    subject: str
    outcome: Outcome
    commit: str = ""
    differences: tuple[Difference, ...] = ()
    reasons: tuple[str, ...] = ()


def verify_dates(lake: Lake, settings: Settings, dates: Sequence[str], log: Log) -> Iterator[Verified]:
    """Rebuild dates one after the other, and yield the result of each. `main` is only read.

    A date that fails does not stop the others. The project is parsed once.

    Raises:
        UsageError: `main` does not have one of the dates, or the project does not parse.
        PlatformFailed: lakeFS does not answer.
    """
    if missing := [date for date in dates if lake.stat(MAIN, keys.date_receipt(date)) is None]:
        raise UsageError(f"{MAIN} does not have {', '.join(missing)}", remedy="elt log lists what was published")
    history = CodeHistory(lake, settings.project_dir)
    plans = _Plans()
    for date in dates:
        run = DateRun(lake=lake, settings=settings, log=log, execution_date=date, from_raw=True, force=True)
        # A project that does not parse ends all dates.
        plans.of(run)
        yield _reported(run, partial(_verify_date, run, plans, history))


def verify_marts(lake: Lake, settings: Settings, log: Log) -> Verified | None:
    """Rebuild the marts from the dates that they were made from; None if `main` has no marts.

    Raises:
        UsageError: The project does not parse.
        PlatformFailed: lakeFS does not answer.
    """
    if lake.stat(MAIN, keys.MARTS_RECEIPT) is None:
        return None
    plans, run = _Plans(), MartsRun(lake=lake, settings=settings, log=log, force=True)
    plans.of(run)
    return _reported(run, partial(_verify_marts, run, plans, CodeHistory(lake, settings.project_dir)))


RunT = TypeVar("RunT", bound=RunContext)


class _Plans:
    """Plans by engine, each made once."""

    def __init__(self) -> None:
        self._made: dict[EngineName, Plan] = {}

    def of(self, run: RunContext) -> Plan:
        """Return the plan of a run, on the engine of its settings."""
        engine = run.settings.elt.engine
        if engine not in self._made:
            self._made[engine] = make_plan(run)
        return self._made[engine]

    def on_engine_of(self, run: RunT, receipt: Receipt) -> tuple[RunT, Plan]:
        """Return a run and its plan on the engine that built a version, whatever the settings say now.

        Raises:
            PlatformFailed: This machine lacks what that engine needs.
        """
        own = replace(run, settings=run.settings.with_elt(engine=receipt.engine))
        try:
            return own, self.of(own)
        except UsageError as error:
            raise PlatformFailed(f"it was built on {receipt.engine}: {error.cause}", remedy=error.remedy) from error


def _reported(run: RunContext, verify: Callable[[], Verified]) -> Verified:
    try:
        found = verify()
    except (Cancelled, TimedOut):
        raise
    except UsageError as error:
        # Declared since: a table of which `main` has no raw.
        found = Verified(run.subject, "differs", reasons=(error.cause,))
    except IngestCleanError as error:
        found = Verified(run.subject, "failed", reasons=(error.cause,))
    run.log.info(f"{run.subject}: {found.outcome}")
    return found


def _verify_date(run: DateRun, plans: _Plans, history: CodeHistory) -> Verified:
    with work_directory(run.settings.state_dir, run.subject) as folder:
        extracted = extract(run, plans.of(run).of_date(run.execution_date), folder)
        if (receipt := extracted.former) is None:
            raise PlatformFailed(f"{run.subject} was taken off {MAIN} in the meantime")
        run, plan = plans.on_engine_of(run, receipt)
        plan = plan.of_date(run.execution_date)
        with _scratch_branch(run, extracted.base, receipt) as branch:
            # The branch has the pages from `main`, and they are what the receipt lists.
            landed = Landed(branch, extracted.base, extracted.base, extracted.pages)
            built = _build(run, lambda: transform(run, plan, landed, folder))
            return _compared(run, plan, history, landed.base, receipt, branch, *built)


def _verify_marts(run: MartsRun, plans: _Plans, history: CodeHistory) -> Verified:
    lake = run.lake
    base = require_lake(lake, run.settings.elt.bucket, run.settings.project_dir)
    if (receipt := read_receipt(lake, base, keys.MARTS_RECEIPT)) is None:
        raise PlatformFailed(f"the marts were taken off {MAIN} in the meantime")
    run, plan = plans.on_engine_of(run, receipt)
    commit = str(receipt.content["inputs"]["commit"])
    checksums = date_checksums(lake, commit)
    inputs = MartsInputs(base, checksums, receipt, commit, all_dates(run, commit, checksums))
    with (
        work_directory(run.settings.state_dir, run.subject) as folder,
        _scratch_branch(run, base, receipt) as branch,
    ):
        built = _build(run, lambda: transform_marts(run, plan, inputs, branch, folder))
        return _compared(run, plan, history, base, receipt, branch, *built)


@contextmanager
def _scratch_branch(run: RunContext, base: str, receipt: Receipt) -> Iterator[str]:
    """Create a branch of `base` without the Parquet that a receipt lists, and delete it at the end."""
    branch = new_branch_name(f"verify-{run.subject}")
    try:
        run.lake.create_branch(branch, base)
        # DuckDB has reported success for writes that never arrived, so a former file must not pass for the rebuilt one.
        run.lake.delete(branch, sorted(_parquet(receipt)))
        yield branch
    finally:
        delete_branch(run, branch)


def _build(run: RunContext, build: Callable[[], BuildResult]) -> tuple[BuildResult, str]:
    """Build, and return the result with the reason why it would not be published; empty if it would be."""
    try:
        return build(), ""
    except (DataFailed, SourceFailed) as error:
        if run.record.built is None:
            raise
        return run.record.built, error.cause


def _compared(
    run: RunContext,
    plan: Plan,
    history: CodeHistory,
    base: str,
    receipt: Receipt,
    branch: str,
    built: BuildResult,
    refused: str,
) -> Verified:
    """Compare what was built on the branch with what the receipt lists."""
    written = {key: stored.checksum for key, stored in written_objects(run.lake, branch, built).items()}
    published = _parquet(receipt)
    rows = {key: detail.get("rows") for key, detail in receipt.content.get("details", {}).items()}
    models = _models_by_table(run, plan)
    differing = [key for key in sorted(written.keys() | published.keys()) if written.get(key) != published.get(key)]
    differences = tuple(
        Difference(
            table,
            _sum(rows.get(key) for key in of_table),
            _sum(built.rows.get(key) for key in of_table),
            _code(run, plan, models[table]).models if table in models else (),
        )
        for table, of_table in ((table, tuple(group)) for table, group in groupby(differing, key=keys.table_of))
    )
    if not (differences or refused):
        return Verified(run.subject, "identical", base)
    used = [_code(run, plan, models[one.table]).files for one in differences if one.models]
    reasons = [*_changes(plan, history, receipt, built, frozenset[str]().union(*used))]
    if refused:
        reasons.append(f"the code would not publish it now: {refused}")
    return Verified(run.subject, "differs", base, differences, tuple(reasons))


def _code(run: RunContext, plan: Plan, unique_id: str) -> TableCode:
    return code_of(plan.manifest, unique_id, run.settings.project_dir, run.settings.elt.engine)


def _models_by_table(run: RunContext, plan: Plan) -> Mapping[str, str]:
    published = published_models(plan.manifest, run.selector, files=[""])
    return {keys.table_of(key): unique_id for key, unique_id in published.items()}


def _sum(rows: Iterable[int | None]) -> int | None:
    known = [count for count in rows if count is not None]
    return sum(known) if known else None


def _parquet(receipt: Receipt) -> Mapping[str, str]:
    return {key: checksum for key, checksum in receipt.objects.items() if key.endswith(".parquet")}


def _changes(
    plan: Plan, history: CodeHistory, receipt: Receipt, built: BuildResult, used: frozenset[str]
) -> Iterator[str]:
    """Yield what changed since the receipt was written that may have changed the bytes, of the files that are used."""
    if code := receipt.code != plan.code:
        files = sorted(history.changed_files(receipt.code) & used)
        yield f"the code changed: {', '.join(files)}" if files else "the code changed"
    then = receipt.content.get("versions", {})
    versions = [name for name in sorted({*then, *built.versions}) if then.get(name) != built.versions.get(name)]
    for name in versions:
        yield f"{name} was {then.get(name, 'not recorded')} and is {built.versions.get(name, 'not used')}"
    if not (code or versions):
        yield "neither the code nor a version changed, so the build is not deterministic"
