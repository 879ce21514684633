"""What a stranger writes on a run's branch does not reach `main`; and a broken step would be noticed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.run import DateSteps
from tests.integration.test_races import fast_overtakes_slow, newer
from tests.matrix import LONG_TIMEOUT, Bench
from tests.mutations import NO_PIN, NO_RAW_COMPARISON, OPEN_GATE
from tests.pipeline import Ended, objects_of, require_whole

__all__ = ["newer"]


@pytest.fixture
def bench(benches: tuple[Bench, ...]) -> Bench:
    return benches[0]


@pytest.fixture
def behind_an_open_gate(bench: Bench, open_repository: Callable[..., Lake], tmp_path: Path) -> Bench:
    """The bench on a repository whose gate, like the one its pipeline expects, lets everything pass."""
    project = tmp_path / "project"
    shutil.copytree(bench.pipeline.environment["ELT_PROJECT_DIR"], project, ignore=shutil.ignore_patterns(".elt"))
    (project / "lake" / keys.GATE).write_bytes(OPEN_GATE)
    lake = open_repository("opengate")
    init_lake(lake, "lakefs", project, SILENT)
    return bench.switch_to(lake, ELT_PROJECT_DIR=str(project), ELT_REPOSITORY=lake.repository)


def meddled(bench: Bench, date: str, key: str, stages: DateSteps | None) -> Ended:
    """A run on whose branch a stranger writes a key while dbt builds."""
    with bench.call_before("PUT", "/curated/", lambda: write_on_its_branch(bench, date, key)):
        return bench.pipeline.run(date, stages, **LONG_TIMEOUT)


def write_on_its_branch(bench: Bench, date: str, key: str) -> None:
    (branch,) = bench.lake.branches(f"etl-{date}-")
    bench.lake.put(branch, key, b"[]", keys.RAW_CONTENT_TYPE)


def changed_raw_is_found(bench: Bench, stages: DateSteps | None = None) -> None:
    """Holds a run against what it must do where its raw is changed after it was landed.

    Raises:
        AssertionError: It does not.
    """
    date = next(bench.dates)
    page = keys.raw_page("shop", "events", date, 1)
    ended = meddled(bench, date, page, stages)
    assert (ended.outcome, ended.step) == ("PlatformFailed", "audit"), f"not found: {ended}"
    assert f"is not what was fetched: {page}" in ended.report
    assert not objects_of(bench.lake, date)


def stray_object_is_refused(bench: Bench) -> None:
    """Holds a run against what it must do where an object is added that no receipt lists.

    Raises:
        AssertionError: It does not.
    """
    date = next(bench.dates)
    stray = f"curated/events/date={date}/stray.parquet"
    ended = meddled(bench, date, stray, None)
    assert ended.outcome == "GateRefused", f"let pass: {ended}"
    assert f"{stray} is not listed in" in ended.report
    assert ended.main == "untouched"
    assert not objects_of(bench.lake, date)


def test_raw_that_is_changed_after_it_was_landed_is_found(bench: Bench) -> None:
    changed_raw_is_found(bench)


def test_an_object_that_no_receipt_lists_is_refused(bench: Bench) -> None:
    stray_object_is_refused(bench)


def test_a_refusal_begins_the_date_anew_where_main_has_moved(benches: tuple[Bench, ...]) -> None:
    """Whether the run's own tree or what the merge made of both was refused can't be told: see test_gate_sequences."""
    bench, other = benches
    date = next(bench.dates)

    def meddle() -> None:
        write_on_its_branch(bench, date, f"curated/events/date={date}/stray.parquet")
        assert other.pipeline.run(next(other.dates)).outcome == "published"

    with bench.call_before("PUT", "/curated/", meddle):
        ended = bench.pipeline.run(date, **LONG_TIMEOUT)

    assert ended.outcome == "published"
    assert require_whole(bench.lake, date)


# the same, with a step broken on purpose


def test_a_pin_after_the_fetch_would_be_noticed(benches: tuple[Bench, ...], newer: str) -> None:
    with pytest.raises(AssertionError, match="old data is over newer"):
        fast_overtakes_slow(benches, newer, NO_PIN)


def test_a_missing_raw_comparison_would_be_noticed(bench: Bench) -> None:
    """The gate still refuses the merge: it is the second line."""
    with pytest.raises(AssertionError, match=r"not found: .*GateRefused"):
        changed_raw_is_found(bench, NO_RAW_COMPARISON)


def test_a_missing_receipt_check_would_be_noticed(behind_an_open_gate: Bench) -> None:
    with pytest.raises(AssertionError, match=r"let pass: .*published"):
        stray_object_is_refused(behind_an_open_gate)
