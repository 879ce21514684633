"""The marts from published dates to `main`: the run protocol once more, with receipts in place of pages."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestration.context import MartsRequest
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import UsageError
from orchestration.lake import keys
from orchestration.lake.catalog import PublishedDates, published_dates
from orchestration.lake.receipt import Receipt, marts_receipt, read_receipt
from orchestration.lake.setup import require_lake
from orchestration.publish import (
    Published,
    Vouched,
    begin_anew,
    commit_vouched,
    merge_to_main,
    outputs,
    tidy,
    unchanged,
)
from orchestration.transform import build_marts, current_code, outputs_of
from orchestration.workdir import spool


@dataclass(frozen=True)
class Pinned:
    """What the marts are made from.

    Attributes:
        base: `main`'s head, which the branch is cut from.
        dates: All dates published there.
        former: The marts' receipt there, if they were published before.
        commit: The commit that published rows are read at: `base`, or the one the marts were made from if it has the
            same dates, for the receipt names it and equal marts are to have equal receipts.
        unchanged: Whether the former receipt vouches for the same dates under the same code.
    """

    base: str
    dates: PublishedDates
    former: Receipt | None
    commit: str
    unchanged: bool


def pin_dates(request: MartsRequest) -> Pinned:
    """Pins `main`'s head and decides, by the receipts there, whether there is anything to do.

    Raises:
        UsageError: Nothing is published yet.
        PlatformFailed: The lake is out of reach or lacks its gate.
    """
    lake, settings = request.lake, request.settings
    with request.step("pin"):
        code = current_code(request)
        base = require_lake(lake, settings.elt.bucket, settings.project_dir)
    with request.step("decide"):
        dates = published_dates(lake, base)
        if not dates.receipts:
            raise UsageError("no date is published yet, so there is nothing to make marts of", remedy="elt run DATE")
        former = read_receipt(lake, base, keys.MARTS_RECEIPT)
        told = former.content.get("inputs", {}) if former else {}
        same_dates = told.get("receipts") == dates.checksums
        same = former is not None and same_dates and former.code == code
        commit = str(told["commit"]) if same_dates else base
    return Pinned(base, dates, former, commit, same and not request.force)


def cut_branch(request: MartsRequest, pinned: Pinned) -> str:
    """Cuts the run's own branch and deletes the marts that the run will not write."""
    branch = f"etl-marts-{secrets.token_hex(4)}"
    with request.step("branch"):
        written = {*outputs_of(request), keys.MARTS_RECEIPT}
        request.lake.create_branch(branch, pinned.base)
    with request.step("clear", branch=branch):
        request.lake.delete(branch, sorted(pinned.former.keys - written if pinned.former else ()))
    return branch


def build(request: MartsRequest, pinned: Pinned, branch: str, folder: Path) -> BuildResult:
    """Builds and tests the marts: see `transform.build_marts`."""
    return build_marts(request, pinned.dates, pinned.commit, branch, folder)


def commit_marts(request: MartsRequest, pinned: Pinned, branch: str, built: BuildResult) -> Vouched:
    """Writes the marts' receipt and commits: see `publish.commit_vouched`."""
    with request.step("commit", branch=branch):
        made = outputs(request.lake, branch, built)
        receipt = marts_receipt(pinned.commit, pinned.dates.checksums, made, built)
        commit = commit_vouched(request, branch, pinned.base, receipt, "marts") or pinned.base
    return Vouched(branch, pinned.base, commit, receipt, pinned.former is not None)


@dataclass(frozen=True)
class MartsStages:
    """The steps as functions; the flow puts tasks in their place."""

    pin_dates: Callable[[MartsRequest], Pinned] = pin_dates
    cut_branch: Callable[[MartsRequest, Pinned], str] = cut_branch
    build: Callable[[MartsRequest, Pinned, str, Path], BuildResult] = build
    commit_marts: Callable[[MartsRequest, Pinned, str, BuildResult], Vouched] = commit_marts
    merge_to_main: Callable[[MartsRequest, Vouched], Published] = merge_to_main


def run_marts(request: MartsRequest, stages: MartsStages | None = None) -> Published:
    """Publishes the marts, or finds them unchanged.

    Raises:
        IngestCleanError: Marked with step, the state of `main`, the kept branch and the next command.
    """
    stages = stages or MartsStages()
    return begin_anew(request, lambda: _attempt(request, stages))


def _attempt(request: MartsRequest, stages: MartsStages) -> Published:
    pinned = stages.pin_dates(request)
    if pinned.unchanged:
        return unchanged(request, pinned.base, pinned.former)
    with spool(request.settings.state_dir, "marts") as folder:
        branch = stages.cut_branch(request, pinned)
        built = stages.build(request, pinned, branch, folder)
        vouched = stages.commit_marts(request, pinned, branch, built)
        published = stages.merge_to_main(request, vouched)
    tidy(request, branch)
    return published
