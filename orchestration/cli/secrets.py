"""`elt secrets`: secrets of a deployment in Prefect's Secret blocks."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orchestration.cli.output import Json, show

app = typer.Typer(help="Secrets of deployments, in Prefect's Secret blocks.", rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", help="lakefs-creds, <source>-api-token or the like, notify-url.")]


@app.callback()
def secrets() -> None:
    """Secrets of deployments, in Prefect's Secret blocks."""


@app.command("set")
def set_secret(name: Name, as_json: Json = False) -> None:
    """Write a secret of this project, read from stdin or at a prompt.

    It is not an argument, because the process list would show it.
    Its block's name in Prefect is <project>--NAME. lakefs-creds is {"access_key": …, "secret_key": …} or access:secret.
    """
    from orchestration.endpoints import use_prefect
    from orchestration.flows.secrets import save
    from orchestration.settings import read_settings

    text = typer.prompt(name, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    settings = read_settings()
    url = use_prefect(settings)
    save(settings.project, name, text)
    show({"set": name}, f"{name} is set at {url}", as_json)
