"""A sample of the fault matrix; `make test-faults` runs all of it."""

from __future__ import annotations

import pytest

from tests.helpers.invariant import require_sound
from tests.helpers.matrix import FAULTS, Bench, Cell, CellResult, Fault, Matrix, run_cells


@pytest.fixture(scope="module")
def requests(benches: tuple[Bench, ...]) -> int:
    """The requests of one run."""
    return max(bench.count_requests() for bench in benches)


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_date_with_a_fault_is_whole_or_absent_and_succeeds_when_run_again(
    benches: tuple[Bench, ...], requests: int, fault: Fault
) -> None:
    """Two requests, half a run apart; each fault starts a few requests later than the one before."""
    start = FAULTS.index(fault) * requests // (2 * len(FAULTS))
    cells = [Cell(start + half * requests // 2, fault) for half in range(2)]

    matrix = run_cells(cells, benches, lambda _: None)

    assert not matrix.violations
    require_sound(benches[0].lake)
    assert all(cell.request for cell in matrix.results)
    if fault.kind == "kill":
        assert {cell.first for cell in matrix.results} == {"killed"}


def test_the_matrix_counts_passed_cells_and_names_violations() -> None:
    matrix = Matrix(
        [
            CellResult("GET api", "429", "published"),
            CellResult("GET api", "429", "PlatformFailed", "main has a part"),
            CellResult("PUT s3/x", "killed after", "killed"),
            CellResult("", "429", "published"),
        ]
    )

    header, _, api, s3, _, total = matrix.lines(
        (Fault("429", "429", processed=False), Fault("killed after", "kill", processed=True))
    )

    assert header == "| request | 429 | killed after |"
    assert (api, s3) == ("| `GET api` | 1/2 |  |", "| `PUT s3/x` |  | 1/1 |")
    assert total.startswith("3 cells: 1 succeeded in the faulty run itself, 1 failed and 1 were killed")
    assert [cell.violation for cell in matrix.violations] == ["main has a part"]
