"""Inputs and outputs of one dbt build: of a run, of a sandbox, or of the raw sample on target dev."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.errors import UsageError
from orchestration.lake import keys
from orchestration.lake.dated_files import DatedFiles, all_files
from orchestration.sql import identifier, literal, literals

SANDBOX_FILE = "sandbox.json"

NO_PAGES = Path(__file__).with_name("no_pages.json")
"""A page without a record in any form. DuckDB rejects an empty list of files."""


@dataclass(frozen=True)
class RunFile:
    """What one build reads and where it writes. Inputs are always lists of keys, never patterns.

    Attributes:
        execution_date: ISO date; empty for the marts, which have none.
        lake_root: URI or folder that outputs are written below.
        raw_root: URI or folder of the raw pages; on the lake a commit, so that they cannot change.
        raw: The keys of each table's pages below `raw_root`, by `<source>.<table>`.
        published_root: URI or folder of the published Parquet.
        published: The keys of each table's Parquet below `published_root`, of all published dates, by table.
        raw_dates: The date of a table's pages where it is another one, by table. Only the raw sample has such tables.
        built: Of `published`, the keys of the dates that marts by date are built for; by default all.
        dated: The files of marts by date; by default, they are built from all dates of `published`.
    """

    execution_date: str
    lake_root: str
    raw_root: str = ""
    raw: Mapping[str, Sequence[str]] = field(default_factory=dict)
    published_root: str = ""
    published: Mapping[str, Sequence[str]] = field(default_factory=dict)
    raw_dates: Mapping[str, str] = field(default_factory=dict)
    built: Mapping[str, Sequence[str]] = field(default_factory=dict)
    dated: DatedFiles | None = None

    @property
    def dated_files(self) -> DatedFiles:
        """Return the files of marts by date."""
        return self.dated or all_files({keys.date_of(key) for files in self.published.values() for key in files})


def read_run_file(file: Path) -> RunFile:
    """Return the build that a run file describes: the JSON of a `RunFile`."""
    content = json.loads(file.read_text(encoding="utf-8"))
    dated = content.pop("dated")
    return RunFile(**content, dated=DatedFiles(**dated) if dated else None)


@dataclass(frozen=True)
class Sandbox:
    """What dbt needs to know about a sandbox: the content of its file.

    Attributes:
        repository: The lakeFS repository.
        branch: The sandbox's branch.
        base: The commit of `main` that the branch was cut from. Raw is read there.
        raw: The keys of the raw pages, by date and `<source>.<table>`.
        published: The keys of each table's Parquet of all published dates, by table.
    """

    repository: str
    branch: str
    base: str
    raw: Mapping[str, Mapping[str, Sequence[str]]]
    published: Mapping[str, Sequence[str]]

    def run_of(self, date: str) -> RunFile:
        """Return the build of a published date, which reads raw of the base and writes to the branch.

        An empty `date` selects the latest date.

        Raises:
            UsageError: The sandbox has no such date.
        """
        dates = sorted(self.raw)
        if date and date not in self.raw:
            raise UsageError(
                f"ELT_DEV_DATE={date}: {self.branch} has no such date",
                remedy=f"set one of its {len(dates)} dates, {dates[0]} to {dates[-1]}, or none for the latest",
            )
        date = date or dates[-1]
        root = f"s3://{self.repository}/{self.branch}"
        raw_root = f"s3://{self.repository}/{self.base}"
        return RunFile(date, root, raw_root, self.raw[date], published_root=root, published=self.published)


def open_sandbox(folder: Path) -> Sandbox:
    """Return the sandbox of a folder.

    Raises:
        UsageError: The folder is not a sandbox's.
    """
    try:
        return Sandbox(**json.loads((folder / SANDBOX_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"ELT_SANDBOX={folder} is not a sandbox folder: {error}", remedy="elt sandbox create NAME prints the folder"
        ) from error


def sample_run(date: str, project_dir: Path) -> RunFile:
    """Return the build of the project's raw sample, which writes below `.elt/dev`.

    With a `date` it reads that date's pages only. Without one it reads the latest date of each table, and writes the
    date that is the latest of most tables. Earlier builds in `.elt/dev` count as published.

    Raises:
        UsageError: The sample has no page of that date.
    """
    sample, lake = raw_sample(project_dir), project_dir / ".elt" / "dev"
    pages = sorted(sample.glob("raw/*/*/date=*/page-*.json"))
    dates = sorted({page.parent.name.removeprefix("date=") for page in pages})
    if not dates or (date and date not in dates):
        raise UsageError(
            f"ELT_DEV_DATE={date}: the raw sample in {sample} has no page of that date",
            remedy=f"set one of {', '.join(dates)}, or none for the latest"
            if dates
            else f"put pages below {sample}/raw",
        )
    # Pages are sorted, so that a table's latest date is its last one.
    latest = {page.parent.parent: page.parent.name.removeprefix("date=") for page in pages}
    run_date = date or max(latest.values(), key=lambda one: (list(latest.values()).count(one), one))
    raw: dict[str, list[str]] = {}
    published: dict[str, list[str]] = {}
    raw_dates: dict[str, str] = {}
    for folder, last in latest.items():
        table, read = folder.name, date or last
        raw[f"{folder.parent.name}.{table}"] = [
            page.relative_to(sample).as_posix() for page in pages if page.parent == folder / f"date={read}"
        ]
        if read != run_date:
            raw_dates[table] = read
        built = {file.relative_to(lake).as_posix() for file in lake.glob(f"curated/{table}/date=*/data.parquet")}
        published[table] = sorted({*built, keys.curated(table, run_date)})
    return RunFile(run_date, str(lake), str(sample), raw, str(lake), published, raw_dates=raw_dates)


def raw_sample(project_dir: Path) -> Path:
    """Return the folder of the raw pages that target dev reads."""
    return project_dir / "examples" / "raw_sample"


def raw_variable(table: str) -> str:
    """Return the name of the variable with the raw pages of a table, `<source>.<table>`."""
    return f"raw_{table.replace('.', '__')}"


def variables(run: RunFile) -> dict[str, str | list[str]]:
    """Return the DuckDB variables that describe a build."""
    raw_root, published_root = run.raw_root.rstrip("/"), run.published_root.rstrip("/")
    named: dict[str, str | list[str]] = {
        "lake_root": run.lake_root.rstrip("/"),
        "lake_date": run.execution_date,
        "raw_root": raw_root,
    }
    for table, pages in run.raw.items():
        named[raw_variable(table)] = [f"{raw_root}/{key}" for key in pages] or [str(NO_PAGES)]
    for table, date in run.raw_dates.items():
        named[f"lake_date_{table}"] = date
    for kind, read in (("published", run.published), ("built", run.built or run.published)):
        for table, files in read.items():
            named[f"{kind}_{table}"] = [f"{published_root}/{key}" for key in files]
    dated = run.dated_files
    return {
        **named,
        "dates_built": list(dated.dates),
        "dated_files": list(dated.names),
        "written_files": list(dated.written),
        "former_files": list(dated.former),
        "former_root": dated.former_root,
    }


def set_statement(name: str, value: str | Sequence[str]) -> str:
    """Return the statement that sets one variable on one cursor."""
    text = literal(value) if isinstance(value, str) else literals(value)
    return f"set variable {identifier(name)} = {text}"
