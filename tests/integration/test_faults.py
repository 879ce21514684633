"""A sample of the fault matrix; `make test-faults` runs all of it."""

from __future__ import annotations

import pytest

from tests.invariant import require_sound
from tests.matrix import HARMS, Bench, Cell, Harm, Matrix, Struck, run_cells


@pytest.fixture(scope="module")
def requests(benches: tuple[Bench, ...]) -> int:
    """The requests of one run."""
    return max(bench.requests_of_a_run() for bench in benches)


@pytest.mark.parametrize("harm", HARMS, ids=[harm.name for harm in HARMS])
def test_a_harm_anywhere_leaves_a_date_whole_or_absent_and_heals(
    benches: tuple[Bench, ...], requests: int, harm: Harm
) -> None:
    """Four requests that lie a quarter of the run apart, for each harm a few further on."""
    start = HARMS.index(harm) * requests // (4 * len(HARMS))
    cells = [Cell(start + quarter * requests // 4, harm) for quarter in range(4)]

    matrix = run_cells(cells, benches, lambda _: None)

    assert not matrix.faults
    require_sound(benches[0].lake)
    assert all(cell.request for cell in matrix.struck)
    if harm.spoil == "kill":
        assert {cell.first for cell in matrix.struck} == {"killed"}


def test_the_matrix_counts_what_healed_and_names_what_did_not() -> None:
    matrix = Matrix(
        [
            Struck("GET api", "429", "published"),
            Struck("GET api", "429", "PlatformFailed", "main has a part"),
            Struck("PUT s3/x", "killed after", "killed"),
            Struck("", "429", "published"),
        ]
    )

    header, _, api, s3, _, total = matrix.lines(
        (Harm("429", "429", acted=False), Harm("killed after", "kill", acted=True))
    )

    assert header == "| request | 429 | killed after |"
    assert (api, s3) == ("| `GET api` | 1/2 |  |", "| `PUT s3/x` |  | 1/1 |")
    assert total.startswith("3 cells: 1 ridden out by the run itself, 1 failed and 1 killed")
    assert [cell.fault for cell in matrix.faults] == ["main has a part"]
