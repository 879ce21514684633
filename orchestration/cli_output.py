"""How commands tell: results to stdout, as text or as one JSON object, what happens meanwhile to stderr."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]


def say(text: str) -> None:
    """Tells a person what happens."""
    typer.echo(text, err=True)


def show(result: Any, text: str, as_json: bool) -> None:
    """Prints a command's result: `result` as JSON, or `text`."""
    typer.echo(json.dumps(result, default=_plain) if as_json else text)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)
