"""Writes of another client on a run's branch do not reach `main`; and the tests notice a broken step."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestration.lake import keys
from orchestration.lake.client import Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.run import DateSteps
from orchestration.settings import PROJECT_DIR
from tests.helpers.gate_versions import version_with_gate
from tests.helpers.matrix import LONG_TIMEOUT, Bench
from tests.helpers.mutations import EXPECTS_OPEN_GATE, NO_PIN, NO_RAW_COMPARISON, OPEN_GATE
from tests.helpers.pipeline import Ended, objects_of, require_whole
from tests.integration.test_races import newer, overtake_slow_run

__all__ = ["newer"]


@pytest.fixture
def bench(benches: tuple[Bench, ...]) -> Bench:
    return benches[0]


@pytest.fixture
def bench_with_open_gate(bench: Bench, open_repository: Callable[..., Lake]) -> Bench:
    """Returns a bench on a repository with a gate that accepts everything."""
    lake = open_repository("opengate")
    with version_with_gate(OPEN_GATE):
        init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    return bench.switch_to(lake, ELT_REPOSITORY=lake.repository)


def run_with_tampering(bench: Bench, date: str, key: str, steps: DateSteps | None) -> Ended:
    """Runs a date, and writes a key on its branch while dbt builds."""
    with bench.call_before("PUT", "/curated/", lambda: write_on_its_branch(bench, date, key)):
        return bench.pipeline.run(date, steps, **LONG_TIMEOUT)


def write_on_its_branch(bench: Bench, date: str, key: str) -> None:
    (branch,) = bench.lake.branches(f"etl-{date}-")
    bench.lake.put(branch, key, b"[]", keys.RAW_CONTENT_TYPE)


def require_changed_raw_found(bench: Bench, steps: DateSteps | None = None) -> None:
    """Checks that a run fails in `audit` if its raw is changed after it was landed.

    Raises:
        AssertionError: The run ended differently.
    """
    date = next(bench.dates)
    page = keys.raw_page("shop", "events", date, 1)
    ended = run_with_tampering(bench, date, page, steps)
    assert (ended.outcome, ended.step) == ("PlatformFailed", "audit"), f"not found: {ended}"
    assert f"is not what was fetched: {page}" in ended.report
    assert not objects_of(bench.lake, date)


def require_stray_object_refused(bench: Bench, steps: DateSteps | None = None) -> None:
    """Checks that the gate refuses a run if an object is added that no receipt lists.

    Raises:
        AssertionError: The run ended differently.
    """
    date = next(bench.dates)
    stray = f"curated/events/date={date}/stray.parquet"
    ended = run_with_tampering(bench, date, stray, steps)
    assert ended.outcome == "GateRefused", f"accepted: {ended}"
    assert f"{stray} is not listed in" in ended.report
    assert ended.main == "untouched"
    assert not objects_of(bench.lake, date)


def test_raw_changed_after_it_was_landed_is_found(bench: Bench) -> None:
    require_changed_raw_found(bench)


def test_an_object_that_no_receipt_lists_is_refused(bench: Bench) -> None:
    require_stray_object_refused(bench)


def test_a_refusal_starts_the_date_again_if_main_has_moved(benches: tuple[Bench, ...]) -> None:
    """The run cannot know whether its own tree or the merged tree was refused: see test_gate_sequences."""
    bench, other = benches
    date = next(bench.dates)

    def tamper_and_move_main() -> None:
        write_on_its_branch(bench, date, f"curated/events/date={date}/stray.parquet")
        assert other.pipeline.run(next(other.dates)).outcome == "published"

    with bench.call_before("PUT", "/curated/", tamper_and_move_main):
        ended = bench.pipeline.run(date, **LONG_TIMEOUT)

    assert ended.outcome == "published"
    assert require_whole(bench.lake, date)


# The same checks, with a step broken on purpose.


def test_a_pin_after_the_fetch_is_noticed(benches: tuple[Bench, ...], newer: str) -> None:
    with pytest.raises(AssertionError, match="old data replaced newer data"):
        overtake_slow_run(benches, newer, NO_PIN)


def test_a_missing_raw_comparison_is_noticed(bench: Bench) -> None:
    """The gate still refuses the merge."""
    with pytest.raises(AssertionError, match=r"not found: .*GateRefused"):
        require_changed_raw_found(bench, NO_RAW_COMPARISON)


def test_a_missing_receipt_check_is_noticed(bench_with_open_gate: Bench) -> None:
    with pytest.raises(AssertionError, match=r"accepted: .*published"):
        require_stray_object_refused(bench_with_open_gate, EXPECTS_OPEN_GATE)
