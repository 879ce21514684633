"""How a module that runs as a program ends: `python -m orchestration.…` of the Makefile."""

from __future__ import annotations

import sys
from collections.abc import Callable

from orchestration.errors import IngestCleanError


def run_program(work: Callable[[], str]) -> int:
    """Do the work, print what it returns, or the error that ended it, and return the exit code."""
    try:
        print(work())
    except IngestCleanError as error:
        print(f"{error.outcome}: {error.describe()}", file=sys.stderr)
        return error.exit_code
    return 0
