"""A real lake with a long history: one date published by the pipeline, and copies of it under other dates.

Every copy has its own objects, receipt, branch, and merge through the gate, with the metadata of a run. A run commits
its branch twice, and a copy once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from benchmarks.day import DAY
from orchestration.audit import Candidate
from orchestration.context import DateRun
from orchestration.lake import keys
from orchestration.lake.branch_names import RUN, new_branch_name
from orchestration.lake.checksum import checksum_of
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.log import SILENT
from orchestration.publish import publish
from orchestration.run import run_date
from orchestration.settings import Settings

ORIGIN = {
    "code_version": "0" * 40,
    "flow_run_id": "00000000-0000-4000-8000-000000000000",
    keys.LINK: "http://127.0.0.1:4200/runs/flow-run/00000000-0000-4000-8000-000000000000",
}
"""What a flow run adds to the metadata of a merge."""

_PREPARED_AT_ONCE = 4


@dataclass(frozen=True)
class Template:
    """The date that is copied: its receipt and the bytes of its objects."""

    receipt: Receipt
    bodies: Mapping[str, bytes]

    def bodies_of(self, execution_date: str) -> dict[str, bytes]:
        """Return the objects of a copy by key."""
        return {key.replace(str(DAY), execution_date): body for key, body in self.bodies.items()}

    def receipt_of(self, execution_date: str, bodies: Mapping[str, bytes]) -> Receipt:
        """Return the receipt of a copy with these objects."""
        content = json.loads(json.dumps(self.receipt.content).replace(str(DAY), execution_date))
        for key, body in bodies.items():
            content["objects"][key] = checksum_of(body)
            content["details"][key]["bytes"] = len(body)
        return Receipt(keys.date_receipt(execution_date), content)


def run_of(lake: Lake, settings: Settings, execution_date: str) -> DateRun:
    """Return the run context of a date, as a nightly flow run makes it."""
    return DateRun(execution_date=execution_date, lake=lake, settings=settings, log=SILENT, origin=ORIGIN)


def publish_template(lake: Lake, settings: Settings) -> Template:
    """Publish the date that is copied, by the pipeline itself, and return it."""
    run_date(run_of(lake, settings, str(DAY)))
    receipt = read_receipt(lake, MAIN, keys.date_receipt(str(DAY)))
    assert receipt
    return Template(receipt, {key: lake.read(MAIN, key) or b"" for key in receipt.objects})


def grow(lake: Lake, settings: Settings, template: Template, dates: int) -> Iterator[str]:
    """Publish copies until the lake has so many dates, and yield each one. Dates that exist are skipped.

    Branches are filled in parallel, a few ahead of the merges, which follow one another.
    """
    there = {stored.key for stored in lake.objects(MAIN, keys.RECEIPTS)}
    wanted = [str(DAY - timedelta(days=number)) for number in range(dates - 1, 0, -1)]
    missing = iter([day for day in wanted if keys.date_receipt(day) not in there])
    with ThreadPoolExecutor(_PREPARED_AT_ONCE) as pool:

        def prepare(days: Sequence[str]) -> list[Future[tuple[DateRun, Candidate]]]:
            return [pool.submit(candidate_of, run_of(lake, settings, day), template) for day in days]

        ahead = prepare(list(islice(missing, 2 * _PREPARED_AT_ONCE)))
        while ahead:
            run, candidate = ahead.pop(0).result()
            ahead += prepare(list(islice(missing, 1)))
            publish(run, candidate)
            pool.submit(lake.delete_branch, candidate.branch)
            yield run.execution_date


def candidate_of(run: DateRun, template: Template) -> tuple[DateRun, Candidate]:
    """Write a copy on a branch of its own, and return it with its run."""
    lake, day = run.lake, run.execution_date
    base, branch = lake.head(MAIN), new_branch_name(f"{RUN}{day}")
    lake.create_branch(branch, base)
    bodies = template.bodies_of(day)
    for key, body in bodies.items():
        lake.put(branch, key, body, keys.RAW_CONTENT_TYPE)
    receipt = template.receipt_of(day, bodies)
    lake.put(branch, receipt.key, receipt.to_bytes(), keys.JSON_CONTENT_TYPE)
    commit = lake.commit(branch, "curated", run.metadata(base=base, code=receipt.code))
    return run, Candidate(branch, base, commit, receipt, supersedes=False)
