"""`python -m tests.spark.publish DATE…`: publish dates, or `marts`, in this process; print each outcome as JSON."""

from __future__ import annotations

import json
import sys
import time

from orchestration.context import DateRun, MartsRun
from orchestration.endpoints import open_lake
from orchestration.errors import IngestCleanError
from orchestration.log import log_to
from orchestration.marts import run_marts
from orchestration.run import run_date
from orchestration.settings import read_settings


def main(subjects: list[str]) -> None:
    """Publish each subject; one that fails does not stop the others."""
    settings = read_settings()
    lake, log = open_lake(settings), log_to(lambda line: print(line, file=sys.stderr, flush=True))
    for subject in subjects:
        begun = time.monotonic()
        try:
            if subject == "marts":
                outcome = run_marts(MartsRun(lake=lake, settings=settings, log=log)).outcome
            else:
                outcome = run_date(DateRun(execution_date=subject, lake=lake, settings=settings, log=log)).outcome
            ended = {"outcome": outcome, "report": ""}
        except IngestCleanError as error:
            ended = {"outcome": error.outcome, "report": error.describe()}
        print(json.dumps({"date": subject, **ended, "seconds": round(time.monotonic() - begun, 1)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
