"""Write the dbt docs as one static page: `python -m orchestration.dbt_runner.docs`, which `make docs` runs.

Its types and rows are those of the raw sample, which is built first. The build uses its own database and lake folder,
so an analyst may have `dev.duckdb` open, or build, at the same time.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from orchestration.dbt_runner.inputs import RunFile, sample_run
from orchestration.dbt_runner.session import Project, dbt_session, invoke
from orchestration.errors import PlatformFailed
from orchestration.lake import keys
from orchestration.log import SILENT, Log, log_to
from orchestration.program import run_program
from orchestration.settings import find_project
from orchestration.workdir import translate_disk_errors

_COMMANDS = (("run",), ("docs", "generate", "--static"))


def write_docs(project_dir: Path, folder: Path, log: Log = SILENT) -> Path:
    """Build the raw sample's latest date below `folder`, and write the page there.

    Raises:
        UsageError: There is no raw sample.
        PlatformFailed: dbt could not build the sample, or describe what it built.
        DiskFailed: The files could not be written.
    """
    work = folder / "build"
    run_file, page = work / "run.json", folder / "index.html"
    with translate_disk_errors(folder):
        work.mkdir(parents=True, exist_ok=True)
        run_file.write_text(json.dumps(asdict(_sample_in(work, project_dir))), encoding="utf-8")
    project = Project(project_dir, "dev", work)
    environment = {
        "ELT_RUN_FILE": str(run_file),
        "ELT_DUCKDB_PATH": str(work / "dev.duckdb"),
        "ELT_DUCKDB_DIR": str(work / "duckdb"),
        "ELT_DUCKDB_TEMP": str(work / "duckdb" / "temp"),
    }
    for command in _COMMANDS:
        with dbt_session(environment):
            outcome = invoke(project, project.arguments(*command), log=log)
        if not outcome.success:
            raise PlatformFailed(
                f"dbt {' '.join(command)} failed: {outcome.exception or 'see its output above'}",
                remedy="dbt build",
            ) from outcome.exception
    with translate_disk_errors(page):
        (work / "target" / "static_index.html").replace(page)
    return page


def _sample_in(work: Path, project_dir: Path) -> RunFile:
    """Return the build of target dev, moved below `work`. It covers one date, whatever else the analyst has built."""
    run = sample_run("", project_dir)
    lake = str(work / "lake")
    published = {table: [keys.curated(table, run.execution_date)] for table in run.published}
    return replace(run, lake_root=lake, published_root=lake, published=published)


def main() -> int:
    """Write the page of the project to `target/docs`, and print its path."""
    log = log_to(lambda line: print(line, file=sys.stderr))

    def write() -> str:
        project_dir = find_project()
        return str(write_docs(project_dir, project_dir / "target" / "docs", log))

    return run_program(write)


if __name__ == "__main__":
    sys.exit(main())
