"""Steps of the run protocol, broken on purpose: what proves that the tests of faults and races bite."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestration import publish
from orchestration.context import DateRequest
from orchestration.dbt_runner.results import BuildResult
from orchestration.extract import Extracted, extract_raw
from orchestration.lake.client import MAIN
from orchestration.land import Landed
from orchestration.publish import Vouched, commit_curated
from orchestration.run import Stages

OPEN_GATE = b"""name: gate main
on:
  pre-merge:
    branches: ["main"]
hooks:
  - id: vouched
    type: lua
    properties:
      script: print("whatever you say")
"""


def _pinned_after_the_fetch(request: DateRequest, spool: Path) -> Extracted:
    return replace(extract_raw(request, spool), base=request.lake.head(MAIN))


def _without_the_raw_comparison(
    request: DateRequest, extracted: Extracted, landed: Landed, built: BuildResult
) -> Vouched:
    # In a process of its own, which ends with this run.
    publish._require_raw = lambda *_: None
    return commit_curated(request, extracted, landed, built)


NO_PIN = Stages(extract_raw=_pinned_after_the_fetch)
NO_RAW_COMPARISON = Stages(commit_curated=_without_the_raw_comparison)
