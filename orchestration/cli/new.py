"""`elt new` and `elt upgrade`: a project of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.output import Json, say, show
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
    from orchestration.scaffold.upgrade import Upgraded


def new(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder. Its name is the project's.")],
    source: Annotated[str, typer.Option(metavar="NAME", help="The first source (default: the project's name).")] = "",
    table: Annotated[str, typer.Option(metavar="NAME", help="Its table (default: from --url or --sample).")] = "",
    url: Url = "",
    path: PathBelow = "",
    sample: Sample = None,
    parameter: Parameters = None,
    header: Headers = None,
    auth: Auth = "",
    records: Records = None,
    key: Key = "",
    date: Day = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Begin a project, with a table of your API.

    With --url the API is asked for one day; with --sample a saved answer is read.
    """
    from orchestration.declare.add import next_commands
    from orchestration.declare.options import TableOptions
    from orchestration.errors import UsageError
    from orchestration.log import log_to
    from orchestration.scaffold.create import create_project, name_of, table_name

    folder = directory.absolute()
    options = TableOptions(url, path, sample, parameter or (), header or (), auth, records, key, date)
    first = None
    if url or sample:
        first = options.table(source or name_of(folder), table or table_name(url, path, sample))
    elif source or table or path:
        raise UsageError("a table is declared from an answer of its API", remedy="give --url or --sample")
    created = create_project(folder, first, log_to(say), force=force)
    drafted, added = created.drafted, created.added
    first_day = next_commands(drafted, "elt up", "elt init") if drafted else ["elt source add SOURCE TABLE"]
    commands = [f"cd {directory}", "make test", ". .venv/bin/activate", *first_day]
    result = {
        "folder": str(created.folder),
        "name": created.name,
        "date": drafted.date if drafted else None,
        "guesses": drafted.guesses if drafted else (),
        "notes": drafted.notes if drafted else (),
        "accounting": added.accounting if added else None,
        "next": commands,
    }
    if drafted and not as_json:
        from orchestration.cli.source import shown

        typer.echo(shown(drafted))
    text = "\n".join([f"project {created.name} is in {created.folder}", "", "next:", *(f"  {one}" for one in commands)])
    show(result, text, as_json)


def upgrade(as_json: Json = False) -> None:
    """Bring a project's files to the installed version.

    Files that you changed are left, and the new ones are written beside them as NAME.new. Again, it changes nothing.
    """
    from orchestration.scaffold.upgrade import upgrade_project
    from orchestration.settings import find_project

    done = upgrade_project(find_project())
    show(done, _upgraded(done), as_json)


def _upgraded(done: Upgraded) -> str:
    from orchestration.scaffold.upgrade import BESIDE

    lines = [f"replaced {name}" for name in (*done.replaced, *done.models)]
    lines += [f"kept {name}, which you changed: {name}{BESIDE} is this version's" for name in done.compare]
    lines += [f"left out {name}, which you deleted" for name in done.deleted]
    ended = f"the project is of version {done.version}"
    if done.before != done.version:
        lines += [f"{ended}, and was of {done.before}", "", "next:", "  elt init", "  elt doctor"]
    else:
        lines.append(ended)
    return "\n".join(lines)
