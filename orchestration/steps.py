"""A step of the run protocol: where an error learns which date and step it belongs to, and how `main` stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.errors import IngestCleanError


@contextmanager
def step(name: str, execution_date: str, *, main: str = "untouched", branch: str = "") -> Iterator[None]:
    """Marks the errors that pass through with date, step, the state of `main`, the kept branch and the next command."""
    try:
        yield
    except IngestCleanError as error:
        error.execution_date = execution_date
        error.step = error.step or name
        error.main = error.main or main
        error.branch = error.branch or branch
        error.command = error.command or f"elt land {execution_date}"
        raise
