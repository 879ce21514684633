"""`make test-faults`: every fault in every request of a run; prints the matrix of docs/reliability.md."""

from __future__ import annotations

from tests.helpers.invariant import require_sound
from tests.helpers.matrix import Bench, CellResult, all_cells, run_cells


def test_every_date_with_a_fault_succeeds_when_run_again(benches: tuple[Bench, ...]) -> None:
    def report(cell: CellResult) -> None:
        print(f"\n{cell}\n" if cell.violation else ".", end="", flush=True)

    requests = max(bench.count_requests() for bench in benches)
    matrix = run_cells(all_cells(requests), benches, report)

    print("\n" + "\n".join(matrix.lines()))
    assert not matrix.violations
    require_sound(benches[0].lake)
