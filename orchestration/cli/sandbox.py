"""`elt sandbox`: branches of `main` for an analyst's dbt."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.output import Json, format_table, say, show

app = typer.Typer(help="Sandboxes: branches of main for dbt build --target sandbox.", rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, - and _.")]


@app.command()
def create(
    name: Name,
    env: Annotated[
        Path | None, typer.Option("--env", metavar="FILE", help="Also write the variables to a new file.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a sandbox from main; print the variables that dbt needs.

    The output is meant for the shell: eval "$(elt sandbox create NAME)".
    """
    from orchestration.analyst.sandbox import create as create_sandbox
    from orchestration.analyst.sandbox import variables
    from orchestration.endpoints import open_own_lake
    from orchestration.errors import UsageError
    from orchestration.settings import read_settings
    from orchestration.workdir import translate_disk_errors

    if env and env.exists():
        raise UsageError(f"{env} exists already", remedy="name a file that does not exist")
    settings = read_settings()
    needed = variables(create_sandbox(open_own_lake(settings), settings.state_dir, name))
    if env:
        with translate_disk_errors(env):
            env.write_text("".join(f"{variable}={shlex.quote(value)}\n" for variable, value in needed.items()))
    say(f"sandbox {name} was created from main: set these variables, then run dbt build --target sandbox")
    show(needed, "\n".join(f"export {variable}={shlex.quote(value)}" for variable, value in needed.items()), as_json)


@app.command("list")
def list_sandboxes(as_json: Json = False) -> None:
    """List the sandboxes: branch, commit, folder, planned removal."""
    from orchestration.analyst import sandbox
    from orchestration.endpoints import open_lake
    from orchestration.settings import read_settings

    settings = read_settings()
    found = list(sandbox.list_sandboxes(open_lake(settings), settings.state_dir))
    rows = [
        (one.name, one.branch, one.base[:12], one.folder, f"{one.removed_after:%Y-%m-%d}" if one.removed_after else "")
        for one in found
    ]
    columns = ("sandbox", "branch", "cut from", "folder", "removed after")
    text = format_table(columns, rows) if rows else "no sandboxes"
    show({"sandboxes": found}, text, as_json)


@app.command()
def diff(name: Name, as_json: Json = False) -> None:
    """Show how a sandbox differs from the commit it was cut from."""
    from orchestration.analyst.sandbox import differences
    from orchestration.endpoints import open_lake
    from orchestration.settings import read_settings

    found = list(differences(open_lake(read_settings()), name))
    rows = [
        (one.type, one.key, one.rows_before, one.rows_after, one.rows_gone, one.rows_new, one.problem) for one in found
    ]
    columns = ("change", "key", "rows before", "after", "gone", "new", "problem")
    text = format_table(columns, rows) if rows else f"sandbox {name} does not differ from its commit of main"
    show({"differences": found}, text, as_json)


@app.command()
def drop(name: Name, as_json: Json = False) -> None:
    """Delete a sandbox: its branch and its local folder."""
    from orchestration.analyst.sandbox import drop as drop_sandbox
    from orchestration.endpoints import open_own_lake
    from orchestration.settings import read_settings

    settings = read_settings()
    drop_sandbox(open_own_lake(settings), settings.state_dir, name)
    show({"dropped": name}, f"sandbox {name} deleted", as_json)
