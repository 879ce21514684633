"""Publish days that are much larger than DuckDB's memory limit; print time, memory, and what was spilled.

    tools/uv run python -m benchmarks.large_input
    tools/uv run python -m benchmarks.large_input --only 10,000 pages

Each case runs once, by `elt run` in a process of its own, against a lakeFS and a Prefect server of the benchmark's own.
The spilled bytes are sampled. "Left" counts the files that a run leaves where it spilled: 0 is right.
It takes up to 60 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.compare.measure import Measured, Peak, measure
from benchmarks.compare.stage import Stage, open_stage
from benchmarks.day import fetched_as, serving, write_day, write_pages
from benchmarks.run import ELT
from examples.events_api.forms import MEDIA_TYPES
from examples.events_api.options import Form
from orchestration.workdir import WORK_FOLDER
from tests.helpers.projects import copy_project, fetched_in_pages

_SAMPLE_EVERY = 0.2


@dataclass(frozen=True)
class Case:
    """A day and the limits that it is published under.

    Attributes:
        rows: The events of the day.
        limit: DuckDB's memory limit.
        page_size: The events of a page; 0 for one page.
        form: How one page is sent; several are envelopes.
        environment: Further settings.
    """

    rows: int
    limit: str = "1GB"
    page_size: int = 0
    form: Form = "ndjson"
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Return what the table calls it."""
        pages = f"{self.rows // self.page_size:,} pages" if self.page_size else f"1 {self.form}"
        return f"{self.rows:,} rows, {pages}, {self.limit}"


_ONE_LARGE_PAGE = {"ELT_MAX_PAGE_BYTES": "10000000000"}
CASES = (
    Case(2_000_000, page_size=200),
    Case(8_400_000, "2GB", form="array"),
    Case(10_000_000),
    Case(10_000_000, "4GB"),
    # 5 GB, the largest page that is allowed by default.
    Case(20_000_000),
    Case(30_000_000, environment=_ONE_LARGE_PAGE),
    Case(30_000_000, "4GB", environment=_ONE_LARGE_PAGE),
)


def spilled_bytes(folder: Path) -> int:
    """Return the bytes that DuckDB has spilled below a folder."""
    total = 0
    # Files and folders vanish at any time.
    with suppress(OSError):
        for path in folder.rglob("*.tmp"):
            # The blocks that are used: DuckDB's files have holes.
            total += path.stat().st_blocks * 512
    return total


@contextmanager
def source_of(case: Case, stage: Stage) -> Iterator[tuple[Path, str, int]]:
    """Generate the day and serve it; yield a project that fetches it, the address, and the bytes of all pages."""
    with tempfile.TemporaryDirectory(dir=stage.folder) as name:
        bodies, project = Path(name, "bodies"), Path(name, "project")
        bodies.mkdir()
        copy_project(project)
        form: Form = "envelope" if case.page_size else case.form
        fetched_as(form, project)
        if case.page_size:
            fetched_in_pages(project)
            write_pages(case.rows, case.page_size, bodies)
        else:
            write_day(case.rows, form, bodies)
        size = sum(path.stat().st_size for path in bodies.glob("events*"))
        with serving(bodies, MEDIA_TYPES[form]) as url:
            yield project, url, size


def published_by(done: Measured) -> str:
    """Return the outcome of an `elt run --json` and its events, or the end of its log."""
    result = json.loads(done.output) if done.output.startswith("{") else {"outcome": done.log[-2_000:]}
    return f"{result['outcome']} {(result.get('rows') or {}).get('events', 0):,}"


def run_case(case: Case, stage: Stage) -> None:
    """Publish the day of a case, and print its line."""
    with source_of(case, stage) as (project, url, size):
        environment = {
            **stage.environment,
            "ELT_PROJECT_DIR": str(project),
            "SHOP_API_URL": url,
            "ELT_DUCKDB_MEMORY": case.limit,
            **case.environment,
        }
        work = Path(stage.environment["ELT_STATE_DIR"]) / WORK_FOLDER
        spilled = Peak(partial(spilled_bytes, work), _SAMPLE_EVERY)
        try:
            done = measure((*ELT, "run", stage.next_date(), "--run-type", "backfill", "--json"), environment, project)
        finally:
            peak = spilled.stop()
        left = sum(path.is_file() for path in work.rglob("*"))
    print(
        f"{case.title:<36}{size / 1e6:>9,.0f}{done.seconds:>9.1f}{done.peak / 1e6:>9,.0f}{peak / 1e6:>11,.0f}"
        f"{left:>6}  {published_by(done)}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def main() -> None:
    """Run the cases, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="cases with this text in their title")
    options = parser.parse_args()
    only = " ".join(options.only or ())
    print(
        f"{'day, limit of DuckDB':<36}{'raw MB':>9}{'seconds':>9}{'peak MB':>9}{'spilled MB':>11}{'left':>6}  published"
    )
    for case in CASES:
        if only in case.title:
            # Servers of its own, so that the disk holds one case at a time.
            with open_stage() as stage:
                run_case(case, stage)


if __name__ == "__main__":
    main()
