"""How long steps say what they do: one line of text at a time, to whoever listens."""

from __future__ import annotations

import logging
from collections.abc import Callable

Report = Callable[[str], None]
"""Takes one line for a person; the CLI prints it to stderr, a flow logs it."""


class Line(str):
    """A line with a level of its own, as `logging` numbers them; plain text counts as INFO."""

    level: int

    def __new__(cls, text: str, level: int) -> Line:
        """The line."""
        line = super().__new__(cls, text)
        line.level = level
        return line


def warning(text: str) -> Line:
    """A line that warns."""
    return Line(f"warning: {text}", logging.WARNING)


def level_of(line: str) -> int:
    """The level a line is to be logged at."""
    return line.level if isinstance(line, Line) else logging.INFO


def silent(text: str) -> None:
    """The report nobody listens to."""
