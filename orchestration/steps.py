"""A step of the run protocol: where an error learns its date and step and how `main` stands, and where time is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.errors import Conflict, GateRefused, IngestCleanError
from orchestration.progress import Report

UNTOUCHED = "untouched"
IN_DOUBT = "untouched, unless elt log shows this run's commit"


@contextmanager
def step(name: str, execution_date: str, report: Report, *, main: str = UNTOUCHED, branch: str = "") -> Iterator[None]:
    """Tells the step's seconds; marks an error with date, step, the state of `main`, kept branch and next command."""
    begun = time.monotonic()
    try:
        yield
    except IngestCleanError as error:
        error.execution_date = execution_date
        error.step = error.step or name
        # Refused or in conflict is a clear answer.
        error.main = error.main or (UNTOUCHED if isinstance(error, (GateRefused, Conflict)) else main)
        error.branch = error.branch or branch
        error.command = error.command or f"elt run {execution_date}"
        raise
    report(f"{name}: {time.monotonic() - begun:.2f} s")
