"""Publish a project's raw sample on a lakeFS of its own, through the real gate: what a new project's test does."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from orchestration.context import DateRun
from orchestration.dbt_runner.inputs import raw_sample
from orchestration.errors import UsageError
from orchestration.extract import Extracted, extract_with
from orchestration.lake import keys
from orchestration.lake.checksum import checksum_of
from orchestration.lake.client import Lake
from orchestration.lake.connection import LakeConnection
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT, Log
from orchestration.plan import Plan
from orchestration.publish import RunResult
from orchestration.run import DateSteps, run_date
from orchestration.servers import lakefs
from orchestration.servers.background import LocalServer
from orchestration.servers.local import lake_access
from orchestration.settings import LakeSettings, Settings, read_settings
from orchestration.source.config import Table, read_tables
from orchestration.source.pages import Page


def publish_sample(
    project_dir: Path, state_dir: Path, *, times: int = 1, log: Log = SILENT
) -> list[tuple[RunResult, ...]]:
    """Publish each date of the raw sample, as a run of the API would, and return the results of each round.

    lakeFS is started for this, with its data in `state_dir`, and stopped at the end. The project's own servers, its
    `.elt` and the addresses in its settings are not used.

    Args:
        project_dir: The project.
        state_dir: An empty folder.
        times: How many rounds. A second one finds each date unchanged.
        log: Takes progress lines.

    Raises:
        UsageError: The sample has no date with a page of each table.
        IngestCleanError: A date is not published.
    """
    settings = replace(read_settings(project_dir), lake=LakeSettings()).with_elt(state_dir=state_dir.absolute())
    dates = sample_dates(project_dir, read_tables(project_dir))
    with _lake(settings, log) as lake:
        return [
            tuple(
                run_date(DateRun(lake=lake, settings=settings, log=log, execution_date=date), _STEPS) for date in dates
            )
            for _ in range(times)
        ]


def sample_dates(project_dir: Path, tables: Sequence[Table]) -> list[str]:
    """Return the dates of which the raw sample has a page of each table.

    Raises:
        UsageError: No date has one.
    """
    found = {table.label: _dates(project_dir, table) for table in tables}
    dates = sorted(set.intersection(*found.values())) if found else []
    if not dates:
        has = "; ".join(f"{label} has {', '.join(sorted(its)) or 'no page'}" for label, its in found.items())
        raise UsageError(
            f"the raw sample in {raw_sample(project_dir)} has no date with a page of each table: {has or 'no table'}",
            remedy="save an answer of the same date for each: elt source add --date, or copy one there",
        )
    return dates


def _dates(project_dir: Path, table: Table) -> set[str]:
    pages = raw_sample(project_dir).glob(f"raw/{table.source}/{table.name}/date=*/page-*.json")
    return {page.parent.name.removeprefix("date=") for page in pages}


def _extract(run: DateRun, plan: Plan, folder: Path) -> Extracted:
    return extract_with(run, plan, lambda *_: tuple(_pages(run, plan, folder)))


def _pages(run: DateRun, plan: Plan, folder: Path) -> Iterator[Page]:
    """Copy the sample's pages into the work directory, as if the API had sent them."""
    sample = raw_sample(run.settings.project_dir)
    for table in plan.tables:
        below = keys.raw_folder(table.source, table.name, run.execution_date)
        for file in sorted((sample / below).glob("page-*.json")):
            path = folder / below / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, path)
            content = path.read_bytes()
            md5 = checksum_of(content)
            sha256 = hashlib.sha256(content).hexdigest()
            yield Page(table.label, f"{below}{file.name}", path, len(content), sha256, md5)


_STEPS = DateSteps(extract=_extract)


@contextmanager
def _lake(settings: Settings, log: Log) -> Iterator[Lake]:
    server = LocalServer(lakefs.SPEC, settings)
    server.start(log)
    try:
        server.wait(log)
        with closing(LakeConnection(lake_access(settings), timeout=settings.elt.lake_timeout)) as connection:
            lake = Lake(connection, settings.repository)
            init_lake(lake, settings.elt.bucket, settings.project_dir, log)
            yield lake
    finally:
        server.stop(log)
