"""How steps report progress: a standard logger that is passed in, not looked up.

dbt's threads lose the context of a Prefect run, so a logger found by name would not reach the run's log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

Log = logging.Logger | logging.LoggerAdapter[Any]
"""Takes progress; the CLI prints it to stderr, a flow run sends it to Prefect."""

SILENT = logging.Logger("silent", logging.CRITICAL + 1)
"""The logger that drops everything."""


class _Lines(logging.Handler):
    """Passes each record on as one line; a warning or an error begins with its level."""

    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self._write(text if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {text}")


def log_to(write: Callable[[str], object]) -> logging.Logger:
    """Return a logger that calls `write` with each line from level INFO on."""
    logger = logging.Logger("elt", logging.INFO)
    logger.addHandler(_Lines(write))
    return logger
