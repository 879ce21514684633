"""`make test-faults`: every harm to every request of a run; prints the matrix that docs/reliability.md shows."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from examples.events_api import Options, create_app, serving
from orchestration.servers.local import LakeAccess
from tests.matrix import all_cells, open_bench, run_cells
from tests.support import copy_project, fetched_in_pages


def test_every_harm_to_every_request_heals(access: LakeAccess, tmp_path: Path) -> None:
    project = fetched_in_pages(copy_project(tmp_path))
    api = create_app(Options(rows=200, form="envelope", paging="page", page_size=100))
    with serving(api) as shop, ExitStack() as stack:
        benches = [stack.enter_context(open_bench(access, f"faults-{number}", project, shop)) for number in range(2)]
        requests = max(bench.requests_of_a_run() for bench in benches)
        matrix = run_cells(
            all_cells(requests), benches, lambda cell: print(cell if cell.fault else ".", end="", flush=True)
        )
    print("\n" + "\n".join(matrix.lines()))
    assert not matrix.faults
