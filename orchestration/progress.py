"""Progress reports: one line of text at a time, with a log level."""

from __future__ import annotations

import logging
from collections.abc import Callable

Report = Callable[[str], None]
"""Takes one line of text. The CLI prints it to stderr, a flow logs it."""


class Line(str):
    """A line with its own level, as `logging` numbers levels. Plain text counts as INFO."""

    level: int

    def __new__(cls, text: str, level: int) -> Line:
        """Return the text as a line with this level."""
        line = super().__new__(cls, text)
        line.level = level
        return line


def warning(text: str) -> Line:
    """Return a line with level WARNING."""
    return Line(f"warning: {text}", logging.WARNING)


def level_of(line: str) -> int:
    """Return the level at which to log a line."""
    return line.level if isinstance(line, Line) else logging.INFO


def silent(text: str) -> None:
    """Discard the line."""
