"""`make test-faults`: every harm to every request of a run; prints the matrix that docs/reliability.md shows."""

from __future__ import annotations

from tests.invariant import require_sound
from tests.matrix import Bench, Struck, all_cells, run_cells


def test_every_harm_to_every_request_heals(benches: tuple[Bench, ...]) -> None:
    def told(cell: Struck) -> None:
        print(f"\n{cell}\n" if cell.fault else ".", end="", flush=True)

    requests = max(bench.requests_of_a_run() for bench in benches)
    matrix = run_cells(all_cells(requests), benches, told)

    print("\n" + "\n".join(matrix.lines()))
    assert not matrix.faults
    require_sound(benches[0].lake)
