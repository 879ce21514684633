"""How long steps say what they do: one line of text at a time, to whoever listens."""

from __future__ import annotations

from collections.abc import Callable

Report = Callable[[str], None]
"""Takes one line for a person; the CLI prints it to stderr, a flow logs it."""


def silent(text: str) -> None:
    """The report nobody listens to."""
