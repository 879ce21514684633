"""`elt`: register the commands, and define how each of them ends.

Results go to stdout, as text or with --json as one JSON object. Progress and failures go to stderr. `errors.py` defines
the exit codes. Slow imports stay inside the commands, so that `elt --help` is quick.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import NoReturn

import typer

from orchestration.arenas import share_arenas
from orchestration.cli import (
    backfill,
    check,
    data,
    doctor,
    housekeeping,
    models,
    new,
    operations,
    runs,
    sandbox,
    secrets,
    servers,
    source,
    stack,
    verify,
)
from orchestration.cli.output import show_failure
from orchestration.errors import Cancelled, IngestCleanError, UsageError
from orchestration.private import restrict_rights

app = typer.Typer(
    name="elt",
    help="Nightly ELT with write-audit-publish: from an HTTP API to tested Parquet on a versioned lake.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    *(new.new, new.upgrade),
    *(servers.up, servers.deploy, servers.down, servers.status, doctor.doctor, servers.init),
    *(runs.run, backfill.backfill, runs.marts, runs.report),
    *(data.log, data.rejects, data.sql, models.models, operations.audit, operations.rollback),
    *(verify.verify, check.check, housekeeping.clean),
):
    app.command()(command)
app.command(name="show")(operations.show_date)
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(source.app, name="source")
app.add_typer(secrets.app, name="secrets")
app.add_typer(stack.app, name="stack")

_EXIT_LIMIT = 10.0
_INTERRUPTED = threading.Event()


def main() -> NoReturn:
    """Run `elt`. An error of this package is printed in a few lines and sets the exit code."""
    as_json = "--json" in sys.argv
    # Registered before what Prefect and dbt register, it runs after that.
    atexit.register(_end_if_interrupted)
    restrict_rights()
    share_arenas()
    # SIGTERM ends a run like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = app(standalone_mode=False)
        if code == Cancelled.exit_code:
            # Typer returns this code for Ctrl-C, and prints nothing.
            raise KeyboardInterrupt
    except (typer.Abort, KeyboardInterrupt):
        _fail(Cancelled("interrupted; main contains only complete dates, run again"), as_json)
    except typer.TyperException as error:
        # Typer's own report of a usage error takes several lines.
        _fail(UsageError(f"{error.format_message()} (elt --help lists the commands)"), as_json)
    except IngestCleanError as error:
        _fail(error, as_json)
    _leave(code)


def _leave(code: int | None) -> NoReturn:
    # Prefect sends its last logs at exit, and can block for minutes if the server is down.
    watch = threading.Timer(_EXIT_LIMIT, os._exit, (code or 0,))
    watch.daemon = True
    watch.start()
    if code == Cancelled.exit_code:
        _INTERRUPTED.set()
    sys.exit(code)


def _end_if_interrupted() -> None:
    """End an interrupted process before Python ends its threads.

    A thread of a cancelled build can still be in DuckDB's C++. Python would end it there, which aborts the process.
    """
    if not _INTERRUPTED.is_set():
        return
    for stream in (sys.stdout, sys.stderr):
        # The reader of a pipe may be gone.
        with suppress(OSError):
            stream.flush()
    os._exit(Cancelled.exit_code)


def _fail(error: IngestCleanError, as_json: bool) -> NoReturn:
    show_failure(error, as_json)
    _leave(error.exit_code)
