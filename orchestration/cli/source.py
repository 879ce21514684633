"""`elt source`: begin a table of an API, and try a date of one."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.output import Json, format_table, say, show
from orchestration.cli.table_options import (
    Auth,
    Day,
    Force,
    Headers,
    Key,
    Parameters,
    PathBelow,
    Records,
    Sample,
    Url,
)

if TYPE_CHECKING:
    from orchestration.declare.draft import Draft

app = typer.Typer(help="Sources: begin a table of an API, and try a date of one.", rich_markup_mode=None)


@app.command()
def add(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source: a new one, or one that has tables.")],
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The new table.")],
    url: Url = "",
    path: PathBelow = "",
    sample: Sample = None,
    parameter: Parameters = None,
    header: Headers = None,
    auth: Auth = "",
    records: Records = None,
    key: Key = "",
    date: Day = None,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Declare a table from one answer of its API.

    The guesses are shown with their reasons. The files are written if dbt build passes on the answer.
    """
    from orchestration.declare.add import add as add_table
    from orchestration.declare.add import draft, next_commands
    from orchestration.declare.options import TableOptions
    from orchestration.errors import Cancelled
    from orchestration.log import log_to
    from orchestration.settings import read_settings
    from orchestration.workdir import work_directory

    settings, log = read_settings(), log_to(say)
    options = TableOptions(url, path, sample, parameter or (), header or (), auth, records, key, date)
    with work_directory(settings.state_dir, "source-add") as folder:
        drafted = draft(settings, options.table(source, table), folder, log)
        commands = next_commands(drafted, "dbt build")
        result: dict[str, Any] = {
            "date": drafted.date,
            "guesses": drafted.guesses,
            "notes": drafted.notes,
            "declared": drafted.declared,
            "next": commands,
        }
        if not as_json:
            typer.echo(shown(drafted))
        if not yes and not sys.stdin.isatty():
            show({**result, "written": []}, "nothing was written: repeat the command with --yes", as_json)
            return
        if not yes and not typer.confirm("Write it?", default=True, err=True):
            raise Cancelled("nothing was written")
        added = add_table(settings, drafted, folder, log, force=force)
    text = "\n".join([*(f"wrote {name}" for name in added.written), "", "next:", *(f"  {one}" for one in commands)])
    show({**result, "written": added.written, "accounting": added.accounting}, text, as_json)


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A source, or SOURCE.TABLE.")],
    date: Annotated[
        str | None, typer.Argument(metavar="[DATE]", help="The logical day, YYYY-MM-DD in UTC (default: yesterday).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Report what a run of a date would find.

    The date is fetched and built in a temporary folder. What would be rejected and what looks incomplete is shown.
    Needs no lakeFS. The exit codes are those of elt run.
    """
    from orchestration.dates import day_before, parse_execution_date
    from orchestration.declare.check import check as check_date
    from orchestration.declare.check import lines_of
    from orchestration.log import log_to
    from orchestration.settings import read_settings
    from orchestration.workdir import work_directory

    execution_date = parse_execution_date(day_before(datetime.now(UTC)) if date is None else date)
    settings = read_settings()
    with work_directory(settings.state_dir, "source-check") as folder:
        checked = check_date(settings, name, execution_date, folder, log_to(say))
    failure = checked.failure
    result = {"date": checked.date, "tables": checked.tables, "notes": checked.notes}
    show({**result, "failure": failure.parts() if failure else None}, "\n".join(lines_of(checked)), as_json)
    if failure and as_json:
        # The object has the failure already.
        raise typer.Exit(failure.exit_code)
    if failure:
        raise failure


def shown(drafted: Draft) -> str:
    """Return the guesses with their reasons, and the declaration that they give."""
    from orchestration.declare.add import declared_text

    rows = [(one.what, one.value, one.why) for one in drafted.guesses]
    parts = [
        format_table(("guess", "value", "because"), rows),
        "",
        f"{drafted.records:,} records of {drafted.date} are declared as:",
        "",
        declared_text(drafted),
        *(f"note: {note}" for note in drafted.notes),
    ]
    return "\n".join(parts)
