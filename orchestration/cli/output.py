"""Output of commands: results to stdout, as text or as one JSON object; progress and failures to stderr."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import typer

from orchestration.errors import IngestCleanError
from orchestration.text import log_line, one_line, printable

_CELL = 1_000
"""Characters shown of one cell."""

Json = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Engine = Annotated[
    Literal["duckdb", "spark"] | None,
    typer.Option(help="The engine of dbt builds (default: ELT_ENGINE, else duckdb)."),
]


def say(text: str) -> None:
    """Print one line of progress to stderr."""
    typer.echo(log_line(text), err=True)


def show(result: Any, text: str, as_json: bool) -> None:
    """Print a command's result: `result` as JSON with exact values, or `text` made printable."""
    typer.echo(_json(result) if as_json else printable(text))


def show_failure(error: IngestCleanError, as_json: bool) -> None:
    """Print an error: to stderr as text, with --json also to stdout as one object."""
    typer.echo(printable(f"{error.outcome}: {error.describe()}"), err=True)
    if as_json:
        typer.echo(_json(error.parts()))


def format_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Format a table: one line per row, cells cut at 1,000 characters, columns as wide as their cells."""
    cells = [[one_line(str(name), _CELL) for name in columns], *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _cell(value: Any) -> str:
    return "" if value is None else one_line(str(value), _CELL)


def _json(value: Any) -> str:
    # The only control character that JSON does not escape.
    return json.dumps(value, default=_plain).replace("\x7f", "\\u007f")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return str(value)
