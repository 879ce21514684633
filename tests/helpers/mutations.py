"""Steps of the run protocol, broken on purpose, to check that the tests of faults and races notice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestration import audit
from orchestration.audit import Candidate
from orchestration.context import DateRun
from orchestration.dbt_runner.results import BuildResult
from orchestration.extract import Extracted, extract
from orchestration.lake import gate
from orchestration.lake.client import MAIN
from orchestration.land import Landed
from orchestration.plan import Plan
from orchestration.run import DateSteps

OPEN_GATE = b"""name: gate main
on:
  pre-merge:
    branches: ["main"]
hooks:
  - id: audited
    type: lua
    properties:
      script: print("everything is allowed")
"""


def _pinned_after_the_fetch(run: DateRun, plan: Plan, folder: Path) -> Extracted:
    return replace(extract(run, plan, folder), base=run.lake.head(MAIN))


def _without_the_raw_comparison(
    run: DateRun, plan: Plan, extracted: Extracted, landed: Landed, built: BuildResult
) -> Candidate:
    # This process runs one date only, so the change is not undone.
    audit._require_raw = lambda *_: None
    return audit.audit(run, plan, extracted, landed, built)


def _with_the_open_gate(run: DateRun, plan: Plan, folder: Path) -> Extracted:
    gate.gate_file = lambda: OPEN_GATE
    return extract(run, plan, folder)


NO_PIN = DateSteps(extract=_pinned_after_the_fetch)
NO_RAW_COMPARISON = DateSteps(audit=_without_the_raw_comparison)
EXPECTS_OPEN_GATE = DateSteps(extract=_with_the_open_gate)
