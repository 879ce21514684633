"""`elt source add`: draft a table from one answer, build it in a copy of the project, and write it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestration.dates import day_before
from orchestration.dbt_runner.inputs import raw_sample
from orchestration.dbt_runner.results import TableAccounting
from orchestration.declare.answer import LENIENT_TYPES, ask, read_answer
from orchestration.declare.draft import Draft, Wanted, draft_table
from orchestration.declare.files import require_appended, sources_file, table_text, with_table, write_all
from orchestration.declare.options import NewTable
from orchestration.declare.trial import build_tables, copy_project
from orchestration.errors import UsageError
from orchestration.lake import keys
from orchestration.log import Log
from orchestration.models.generate import generated_files, write_models
from orchestration.models.sql import model_names
from orchestration.settings import Settings, SourceSettings, source_settings
from orchestration.source.allowed import explained
from orchestration.source.auth import variables
from orchestration.source.config import TAKEN, Table, declared_tables, read_tables
from orchestration.source.schema import Fetch

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ENDINGS = ("_checked", "_rejected", "_accounting", "_across_dates")


@dataclass(frozen=True)
class Added:
    """A table that was written.

    Attributes:
        written: The files, below the project.
        accounting: What became of the sample's rows.
    """

    written: tuple[str, ...]
    accounting: TableAccounting | None


def require_new(project_dir: Path, source: str, table: str) -> None:
    """Require that a source and a table may have these names, and that nothing has them yet.

    Raises:
        UsageError: A name is not allowed, or the table or one of its models exists.
    """
    for kind, name in (("source", source), ("table", table)):
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is not the name of a {kind}",
                remedy="use lower-case letters, digits and underscores, with a letter first",
            )
    if source in TAKEN:
        raise UsageError(f"{source!r} cannot be a source: {TAKEN[source]}", remedy="choose another name")
    if table.endswith(_ENDINGS):
        raise UsageError(f"{table!r} ends like a model that every table has", remedy="choose another name")
    if found := next((one for one in declared_tables(project_dir) if one.name == table), None):
        raise UsageError(
            f"{found.label} is declared in {found.file}, and two tables need two names", remedy="choose another name"
        )
    models = {path.stem: path for path in (project_dir / "models").rglob("*.sql")}
    for name in (table, *(f"{table}{ending}" for ending in _ENDINGS[:3]), f"stg_{source}__{table}"):
        if name in models:
            raise UsageError(
                f"there is a model {name} already, in {models[name].relative_to(project_dir)}",
                remedy="choose another name",
            )


def draft(settings: Settings, new: NewTable, folder: Path, log: Log) -> Draft:
    """Draft a table from a saved answer, or from the answer of one request.

    Args:
        settings: The settings.
        new: The table, and where its answer comes from.
        folder: A folder for temporary files.
        log: Takes progress lines.

    Raises:
        UsageError: A name is taken, the address is unknown, or the answer cannot be declared.
        SourceFailed: The API gave no usable answer.
    """
    wanted, asked, date = new.wanted, new.asked, new.date
    require_new(settings.project_dir, wanted.source, wanted.table)
    if new.sample:
        answer = read_answer(new.sample)
    else:
        source = _source(settings.project_dir, wanted.source, asked.url)
        content_types = tuple(filter(None, LENIENT_TYPES))
        fetch = _fetch(
            {
                "path": asked.path,
                "parameters": dict(asked.parameters),
                "headers": dict(wanted.headers),
                **({"auth": dict(wanted.auth)} if wanted.auth else {}),
                "day": {"end": asked.end},
                "form": "array",
                "content_types": content_types,
            }
        )
        log.info(f"asking for {wanted.source}.{wanted.table} of {date}")
        label = (wanted.source, wanted.table)
        answer = ask(settings.elt, label, source, fetch, date or "", folder, log)
    drafted = draft_table(wanted, asked, answer, date, folder)
    return drafted if drafted.date else replace(drafted, date=day_before(datetime.now(UTC)))


def _source(project_dir: Path, name: str, url: str) -> SourceSettings:
    source = source_settings(name, project_dir)
    if url:
        return source.model_copy(update={"url": url})
    if source.url is None:
        raise UsageError(
            f"the address of source {name} is unknown", remedy=f"give --url, or set {name.upper()}_API_URL"
        )
    return source


def _fetch(given: dict[str, Any]) -> Fetch:
    import msgspec

    try:
        return msgspec.convert(given, Fetch)
    except msgspec.ValidationError as error:
        raise UsageError(explained(error, Fetch, given, "fetch")) from None


def add(settings: Settings, drafted: Draft, folder: Path, log: Log, *, force: bool = False) -> Added:
    """Build a drafted table on its sample, in a copy of the project, and write it if the build passes.

    Args:
        settings: The settings.
        drafted: The table.
        folder: A folder for the copy.
        log: Takes progress lines.
        force: Write it even if the build fails.

    Raises:
        UsageError: The declaration is not valid.
        DataFailed: The sample breaks a test, and `force` is not set.
        DiskFailed: A file could not be written. All files are then as before.
    """
    project_dir, wanted = settings.project_dir, drafted.wanted
    copy = copy_project(project_dir, folder / "project")
    file = sources_file(project_dir, wanted.source)
    declaration = file.relative_to(project_dir).as_posix()
    text = with_table(file, wanted.source, drafted.declared)
    if file.exists():
        require_appended(file.read_text(encoding="utf-8"), text, wanted.source, wanted.table)
    write_all(copy, {declaration: text.encode()})
    table = _declared(copy, wanted)
    page = keys.raw_page(wanted.source, wanted.table, drafted.date, 1)
    write_all(raw_sample(copy), {page: drafted.body})
    write_models(copy)
    log.info(f"building {table.label} on the sample of {drafted.date}")
    pages = {table.label: [page]}
    built = build_tables(settings, copy, [table], pages, raw_sample(copy), drafted.date, folder)
    if not force:
        built.require_passed()
    for level, note in built.notes():
        log.log(level, note)
    generated = {
        name: content for name, content in generated_files(copy).items() if Path(name).stem in _own(table, copy)
    }
    sample = raw_sample(project_dir).relative_to(project_dir) / page
    files = {declaration: text.encode(), sample.as_posix(): drafted.body}
    files |= {name: content.encode() for name, content in generated.items()}
    return Added(tuple(write_all(project_dir, files)), built.accounting.get(table.name))


def _own(table: Table, project_dir: Path) -> set[str]:
    return {table.name, *model_names(table, project_dir)}


def _declared(project_dir: Path, wanted: Wanted) -> Table:
    label = f"{wanted.source}.{wanted.table}"
    return next(table for table in read_tables(project_dir) if table.label == label)


def declared_text(drafted: Draft) -> str:
    """Return the part of the source's YAML that declares a drafted table."""
    return table_text(drafted.declared, 6)


def next_commands(drafted: Draft, *before: str) -> list[str]:
    """Return what to do for the first day: the variables to set, and the commands, with others before these."""
    wanted = drafted.wanted
    secrets = variables(wanted.source, _fetch_auth(drafted)) if wanted.auth else ()
    # A request without a day is answered with what is current, so only the default day, yesterday, can be fetched.
    is_snapshot = "snapshot_age" in drafted.declared["config"]["meta"]["fetch"].get("day", {})
    day = "" if is_snapshot else f" {drafted.date}"
    return [
        f"export {wanted.source.upper()}_API_URL={drafted.url or '…'}",
        *(f"export {name}=…" for name in secrets),
        *before,
        f"elt source check {wanted.source}.{wanted.table}{day}",
        f"elt run{day}",
    ]


def _fetch_auth(drafted: Draft) -> Any:
    return _fetch({"path": "/", "form": "array", "auth": dict(drafted.wanted.auth)}).auth
