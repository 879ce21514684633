"""The command line: each command is a few lines over a function.

Results go to stdout, as text or with --json as one JSON object; what happens meanwhile goes to stderr. Exit codes are
those of section 8 of the design. Heavy imports stay inside the commands, so that `elt --help` is quick.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer

from orchestration import cli_sandbox, cli_secrets
from orchestration.cli_output import Json, say, show, show_failure
from orchestration.errors import Cancelled, IngestCleanError, UsageError
from orchestration.private import restrict_rights
from orchestration.text import one_line

app = typer.Typer(
    name="elt",
    help="Nightly ELT with write-audit-publish: from an HTTP API to tested Parquet on a versioned lake.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(cli_sandbox.app, name="sandbox")
app.add_typer(cli_secrets.app, name="secrets")

_EXIT_LIMIT = 10.0
_RECORD = 2_000
"""Characters shown of one record or publication; --json has it whole."""

Date = Annotated[str, typer.Argument(metavar="DATE", help="The logical day, YYYY-MM-DD in UTC.")]


class RunTypes(StrEnum):
    """The kinds of a run."""

    daily = "daily"
    backfill = "backfill"


def main() -> NoReturn:
    """Run `elt`; an error of this package ends in a few lines and its own exit code."""
    as_json = "--json" in sys.argv
    restrict_rights()
    # A run that is told to stop ends as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(standalone_mode=False)
        if code == Cancelled.exit_code:
            # What Typer makes of Ctrl-C, without a word.
            raise KeyboardInterrupt
    except (typer.Abort, KeyboardInterrupt):
        _fail(Cancelled("interrupted; main holds whole dates only, run again"), as_json)
    except typer.TyperException as error:
        # Typer's own report of a usage error takes several lines.
        _fail(UsageError(f"{error.format_message()} (elt --help lists the commands)"), as_json)
    except IngestCleanError as error:
        _fail(error, as_json)
    _leave(code)


def _leave(code: int | None) -> NoReturn:
    # At the interpreter's exit Prefect sends what it has still to tell, and would try for minutes where it is gone.
    watch = threading.Timer(_EXIT_LIMIT, os._exit, (code or 0,))
    watch.daemon = True
    watch.start()
    sys.exit(code)


def _fail(error: IngestCleanError, as_json: bool) -> NoReturn:
    show_failure(error, as_json)
    _leave(error.exit_code)


@app.command()
def up(
    worker: Annotated[
        bool, typer.Option("--worker", help="Deploy prefect.yaml too, and start a worker for what it schedules.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Start lakeFS and a Prefect server on 127.0.0.1, unless others are configured."""
    from orchestration.servers import local
    from orchestration.settings import read_settings

    settings = read_settings()
    servers = local.up(settings, say)
    if worker:
        from orchestration.launch import deploy_all

        ui = deploy_all(settings, say)
        servers = (*servers, local.up_worker(settings, say))
        say(f"Prefect's pages are at {ui}")
    if any(server.state == "running" for server in servers):
        say("the pages of local servers ask for a login: `elt status --show-login` prints it")
    show({"servers": servers}, _table_of(servers), as_json)


@app.command()
def deploy(as_json: Json = False) -> None:
    """Make the work pool and deploy what prefect.yaml says, at the Prefect API that is configured or runs here."""
    from orchestration.launch import deploy_all
    from orchestration.settings import read_settings

    ui = deploy_all(read_settings(), say)
    show({"ui": ui}, f"deployed: {ui}/deployments", as_json)


@app.command()
def down(
    purge: Annotated[bool, typer.Option("--purge", help="Remove their data too, after asking.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Stop the servers that `elt up` started."""
    from orchestration.servers import local
    from orchestration.settings import read_settings

    settings = read_settings()
    if purge and not yes:
        typer.confirm(f"Remove all data of the local lakeFS and Prefect in {settings.state_dir}?", abort=True, err=True)
    local.down(settings, say, purge=purge)
    servers = local.status(settings)
    show({"servers": servers}, _table_of(servers), as_json)


@app.command()
def status(
    show_login: Annotated[
        bool, typer.Option("--show-login", help="Print too what opens the pages of the local servers: secrets.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show which servers run, where, and whether they are well."""
    from orchestration.servers import local
    from orchestration.settings import read_settings

    settings = read_settings()
    servers = local.status(settings)
    if not show_login:
        show({"servers": servers}, _table_of(servers), as_json)
        return
    found = local.logins(settings)
    lines = (
        f"{name:<9}{'  '.join(f'{part} {value}' for part, value in login.items())}" for name, login in found.items()
    )
    show({"servers": servers, "logins": found}, "\n".join([_table_of(servers), *lines]), as_json)


def _table_of(servers: Any) -> str:
    return "\n".join(
        f"{server.name:<9}{server.state:<12}{server.url or '':<32}{server.log or ''}" for server in servers
    )


@app.command()
def init(
    discard_stray: Annotated[
        bool, typer.Option("--discard-stray", help="Remove uncommitted writes from main, which block every merge.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make the repository, install its gate and protect main; what stands already is left as it is."""
    from orchestration.lake import open_lake
    from orchestration.lake_setup import init_lake
    from orchestration.settings import read_settings

    settings = read_settings()
    done = init_lake(open_lake(settings), settings.elt.bucket, settings.project_dir, say, discard_stray=discard_stray)
    text = f"{done.storage}: repository {done.repository}, gate {done.gate}, protection {done.protection}"
    show(done, text, as_json)


@app.command()
def run(
    date: Annotated[
        str | None, typer.Argument(metavar="[DATE]", help="The logical day, YYYY-MM-DD in UTC; yesterday unless given.")
    ] = None,
    run_type: Annotated[RunTypes, typer.Option(help="daily shows each dbt node in Prefect, backfill is quicker.")] = (
        RunTypes.daily
    ),
    force: Annotated[
        bool,
        typer.Option("--force", help="Build again although nothing changed; publish although most rows would be lost."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Publish one date: fetch, land, clean, test, vouch, merge, as a Prefect flow run."""
    from orchestration.dates import day_before, parse_execution_date

    execution_date = parse_execution_date(day_before(datetime.now(UTC)) if date is None else date)
    from orchestration.launch import run_date_flow
    from orchestration.settings import read_settings

    _show_ended(run_date_flow(read_settings(), execution_date, run_type.value, force), as_json)


@app.command()
def marts(
    force: Annotated[bool, typer.Option("--force", help="Build again although no date and no code changed.")] = False,
    as_json: Json = False,
) -> None:
    """Publish the marts, made from all published dates of one commit of main, as a Prefect flow run."""
    from orchestration.launch import run_marts_flow
    from orchestration.settings import read_settings

    _show_ended(run_marts_flow(read_settings(), force), as_json)


@app.command()
def report(
    commit: Annotated[
        str | None, typer.Argument(metavar="[COMMIT]", help="A commit of main; its head unless given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Profile what is published into a page on the branch reports, as a Prefect flow run."""
    from orchestration.launch import run_report_flow
    from orchestration.settings import read_settings

    _show_ended(run_report_flow(read_settings(), commit), as_json)


def _show_ended(ended: Any, as_json: bool) -> None:
    if ended.error:
        _fail(ended.error, as_json)
    show(ended.result, ended.message, as_json)


@app.command()
def log(
    limit: Annotated[int, typer.Option(min=1, help="The most publications to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Show what was published, latest first: date, outcome, commit, time, rows, flow run."""
    from itertools import islice

    from orchestration.history import publications
    from orchestration.lake import open_lake
    from orchestration.settings import read_settings

    found = tuple(islice(publications(open_lake(read_settings())), limit))
    show(
        {"publications": found},
        "\n".join(one_line(str(one), _RECORD) for one in found) or "nothing is published yet",
        as_json,
    )


@app.command()
def rejects(
    date: Date,
    ref: Annotated[str, typer.Option(help="main, or the branch that a failed run left.")] = "main",
    examples: Annotated[int, typer.Option(min=0, help="The most rows to show of a reason.")] = 5,
    as_json: Json = False,
) -> None:
    """Show the rows of a date that were rejected: reasons, counts, examples."""
    from orchestration.dates import parse_execution_date
    from orchestration.lake import open_lake
    from orchestration.reader import rejects as read_rejects
    from orchestration.settings import read_settings

    execution_date = parse_execution_date(date)
    settings = read_settings()
    found = read_rejects(open_lake(settings), settings, execution_date, ref, examples)
    lines = (
        line
        for of_reason in found
        for line in (
            f"{of_reason.table}  {of_reason.reason}  {of_reason.count:,}",
            *(f"    {one_line(page)}: {one_line(record, _RECORD)}" for page, record in of_reason.examples),
        )
    )
    show({"rejects": found}, "\n".join(lines) or f"nothing of {execution_date} was rejected", as_json)


@app.command()
def sql(query: Annotated[str, typer.Argument(help="SQL for DuckDB.")], as_json: Json = False) -> None:
    """Ask the published tables, each a view with all its dates, at one pinned commit of main."""
    from orchestration.lake import open_lake
    from orchestration.reader import aligned
    from orchestration.reader import query as ask
    from orchestration.settings import read_settings

    answer = ask(open_lake(read_settings()), query)
    say(f"main at {answer.commit[:12]}")
    show(answer, aligned(answer.columns, answer.rows), as_json)


@app.command()
def models(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a file is not what would be written.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the tables' dbt models, SQL and contracts, from what the sources' YAML declares."""
    from orchestration.models.generate import require_current, write_models
    from orchestration.settings import read_settings

    project_dir = read_settings().project_dir
    if check:
        count = require_current(project_dir)
        show({"files": count}, f"{count} generated files are up to date", as_json)
        return
    written = write_models(project_dir)
    show({"written": written}, "\n".join(written) or "the models are up to date", as_json)
