"""The raw sample, published through the gate of a lakeFS that this test starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.scaffold.sample import publish_sample
from orchestration.source.config import declared_tables

PROJECT = Path(__file__).parents[1]


@pytest.mark.skipif(not declared_tables(PROJECT), reason="the project has no table yet: elt source add")
def test_the_sample_is_published_and_again_changes_nothing(tmp_path: Path) -> None:
    first, again = publish_sample(PROJECT, tmp_path, times=2)

    assert {run.outcome for run in first} == {"published"}
    assert {run.outcome for run in again} == {"unchanged"}
    assert all(sum(run.rows.values()) for run in first)
