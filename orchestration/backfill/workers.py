"""Worker processes of a backfill. Two dbt runs in one process would mix up their rows, so each has its own.

They are spawned, because dbt, DuckDB and Prefect start threads, which a fork does not copy.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from orchestration.arenas import share_arenas
from orchestration.backfill.dates import DateEnd, Dates, Order
from orchestration.errors import Cancelled, PlatformFailed
from orchestration.private import restrict_rights

_GRACE = 30.0
"""Seconds that an interrupted worker has to end its step."""


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    execution_date: str = ""


def publish_dates(order: Order, waiting: deque[str], workers: int) -> Generator[DateEnd, None, None]:
    """Publish dates in worker processes, and yield how each ended, in the order of their ends.

    If the caller closes the generator, or this process is interrupted, the workers are interrupted like `elt run` by
    Ctrl-C. If this process is killed, each ends after its current date.

    Args:
        order: What the dates have in common.
        waiting: The dates, which are taken from the left as they are started. A caller that clears it lets the started
            ones end.
        workers: How many processes. There are never more than dates.
    """
    running: list[_Worker] = []
    try:
        for _ in range(min(workers, len(waiting))):
            running.append(_start(order))
            _give(running[-1], waiting)
        while running:
            for ready in wait([worker.connection for worker in running]):
                worker = next(one for one in running if one.connection is ready)
                try:
                    ended: DateEnd = worker.connection.recv()
                except (EOFError, OSError):
                    running.remove(worker)
                    yield _killed(worker)
                    if waiting:
                        running.append(_start(order))
                        _give(running[-1], waiting)
                    continue
                yield ended
                if not _give(worker, waiting):
                    running.remove(worker)
                    _end(worker)
    finally:
        _interrupt(running)


def _start(order: Order) -> _Worker:
    context = multiprocessing.get_context("spawn")
    own, its = context.Pipe()
    process = context.Process(target=_work, args=(order, its), name="backfill", daemon=True)
    process.start()
    # Only the worker holds its end now, so that the end of one process is the end of the connection for the other.
    its.close()
    return _Worker(process, own)


def _give(worker: _Worker, waiting: deque[str]) -> bool:
    """Send the next date to a worker; return whether there was one."""
    if not waiting:
        return False
    worker.execution_date = waiting.popleft()
    # A worker that has just died is noticed when its answer is read.
    with suppress(OSError):
        worker.connection.send(worker.execution_date)
    return True


def _end(worker: _Worker) -> None:
    with suppress(OSError):
        worker.connection.send(None)
    worker.process.join(_GRACE)
    worker.connection.close()


def _killed(worker: _Worker) -> DateEnd:
    worker.process.join(_GRACE)
    code, date = worker.process.exitcode, worker.execution_date
    worker.connection.close()
    how = f"by signal {-code}" if code and code < 0 else f"with code {code}"
    error = PlatformFailed(
        f"its process ended {how}; out of memory ends processes by signal 9",
        remedy=f"elt backfill {date} {date}",
    )
    error.subject = date
    return DateEnd(date, error.outcome, error.describe(), error.exit_code, 0.0)


def _interrupt(running: Sequence[_Worker]) -> None:
    for worker in running:
        worker.process.terminate()
    for worker in running:
        worker.process.join(_GRACE)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.connection.close()


def _work(order: Order, connection: Connection) -> None:
    """Publish the dates that come over the connection, until it ends."""
    restrict_rights()
    share_arenas()
    # Ctrl-C reaches all processes of the terminal, and only the first one decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    dates: Dates | None = None
    with suppress(EOFError, OSError):
        while (execution_date := connection.recv()) is not None:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            try:
                dates = dates or Dates(order)
                ended = dates.publish(execution_date)
            except (Cancelled, KeyboardInterrupt):
                return
            signal.signal(signal.SIGTERM, _leave)
            connection.send(ended)


def _leave(*_: Any) -> None:
    sys.stderr.flush()
    os._exit(130)
