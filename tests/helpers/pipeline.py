"""The pipeline in a separate process that tests can kill, and checks of what `main` has afterwards."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from orchestration.context import DateRun
from orchestration.endpoints import open_lake
from orchestration.errors import IngestCleanError
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.log import SILENT
from orchestration.run import PLAIN_STEPS, DateSteps, run_date
from orchestration.settings import read_settings
from tests.helpers.warm import warm

_LIMIT = 120.0
_TABLES = ("events", "products")

KILLED = "killed"


@dataclass(frozen=True)
class Ended:
    """How one run ended.

    Attributes:
        outcome: `published`, `superseded`, `unchanged` or the outcome of a failure; `killed`, `hung`, or `crashed` for
            an exception that is not one of the project's.
        step: The step that failed.
        report: The error message of the run.
        main: What the message says about `main`.
    """

    outcome: str
    step: str = ""
    report: str = ""
    main: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the run reported that the date is on `main`."""
        return self.outcome in ("published", "superseded", "unchanged")


class Pipeline:
    """Runs dates with an environment, each in its own process group."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self._running = 0

    def run(self, execution_date: str, steps: DateSteps | None = None, /, **environment: str) -> Ended:
        """Runs a date; `steps` replaces some of its steps, and `environment` is added to the usual one."""
        receiver, sender = warm().Pipe(duplex=False)
        process = warm().Process(
            target=_run, args=(self.environment | environment, execution_date, steps, sender), daemon=True
        )
        process.start()
        sender.close()
        assert process.pid
        self._running = process.pid
        try:
            ended: Ended = receiver.recv() if receiver.poll(_LIMIT) else Ended("hung")
        except EOFError:
            process.join(10)
            ended = Ended(KILLED if process.exitcode == -signal.SIGKILL else "crashed")
        finally:
            self.kill()
            process.join()
            self._running = 0
            receiver.close()
        return ended

    def kill(self) -> None:
        """Sends SIGKILL to the process group of the current run."""
        if self._running:
            with suppress(ProcessLookupError):
                os.killpg(self._running, signal.SIGKILL)


def _run(environment: Mapping[str, str], execution_date: str, steps: DateSteps | None, answer: Connection) -> None:
    os.setpgid(0, 0)
    os.environ.update(environment)
    # A resource tracker for this process only: the shared one would report what a killed run leaves.
    tracker: Any = resource_tracker._resource_tracker
    tracker._fd = tracker._pid = None
    settings = read_settings()
    try:
        published = run_date(
            DateRun(execution_date=execution_date, lake=open_lake(settings), settings=settings, log=SILENT),
            steps or PLAIN_STEPS,
        )
        answer.send(Ended(published.outcome))
    except IngestCleanError as error:
        answer.send(Ended(error.outcome, error.step, error.describe(), error.main))


def objects_of(lake: Lake, execution_date: str) -> dict[str, str]:
    """Returns the checksums of a date's objects on `main` by key, including the receipt's."""
    folders = [
        f"{tree}/date={execution_date}/" for table in _TABLES for tree in (f"raw/shop/{table}", *_curated(table))
    ]
    prefixes = (*folders, keys.date_receipt(execution_date))
    return {stored.key: stored.checksum for prefix in prefixes for stored in lake.objects(MAIN, prefix)}


def _curated(table: str) -> tuple[str, str]:
    return f"curated/{table}", f"curated/{table}_rejected"


def require_whole(lake: Lake, execution_date: str) -> bool:
    """Returns whether `main` has the date; it must have all of it, as listed in the receipt, or nothing.

    Raises:
        AssertionError: `main` has a part of the date, or an object that differs from the receipt.
    """
    there = objects_of(lake, execution_date)
    if not there:
        return False
    receipt = lake.read(MAIN, keys.date_receipt(execution_date))
    assert receipt is not None, f"{execution_date}: {len(there)} objects on main and no receipt"
    content = json.loads(receipt)
    assert content["status"] == "pass"
    listed = content["objects"]
    del there[keys.date_receipt(execution_date)]
    assert there == listed, f"{execution_date}: main and its receipt differ"
    return True


def publications_of(lake: Lake, execution_date: str) -> int:
    """Counts the merges into `main` that published the date."""
    return sum(
        "curated" in merge.metadata and merge.metadata.get("execution_date") == execution_date
        for merge in lake.log(MAIN)
    )
