"""The fault matrix: one fault in one request of a run, what `main` has then, and whether running again publishes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path

from orchestration.lake.client import Lake
from tests.helpers.pipeline import KILLED, Ended, Pipeline, publications_of, require_whole
from tests.helpers.projects import share_manifests
from tests.helpers.proxy import FaultKind, Proxy, normalize_request, run_proxy

LONG_TIMEOUT = {"ELT_LAKE_TIMEOUT": "60"}
"""For a run that is delayed on purpose: the timeout of the benches themselves is one second."""


@dataclass(frozen=True)
class Fault:
    """A fault in one request, or in `times` requests from there on; `processed`: lakeFS handles the request first."""

    name: str
    kind: FaultKind
    processed: bool
    times: int = 1


FAULTS = (
    Fault("killed before", "kill", processed=False),
    Fault("killed after", "kill", processed=True),
    Fault("reply dropped", "drop", processed=True),
    Fault("request dropped", "drop", processed=False),
    Fault("stalled", "stall", processed=True),
    Fault("cut mid-body", "cut", processed=False),
    Fault("500 before", "500", processed=False),
    Fault("500 after", "500", processed=True),
    Fault("429", "429", processed=False),
    Fault("gone from here", "drop", processed=False, times=9_999),
)


@dataclass
class Bench:
    """A lake behind a proxy, a pipeline that runs through the proxy, and dates to run.

    Attributes:
        lake: The lake itself, without the proxy.
        proxy: Between the pipeline and the lake.
        pipeline: Runs dates through the proxy.
        dates: Dates that no other cell uses.
    """

    lake: Lake
    proxy: Proxy
    pipeline: Pipeline
    dates: Iterator[str]

    def switch_to(self, lake: Lake, **environment: str) -> Bench:
        """Returns a bench on another repository, with changed settings of the pipeline."""
        return replace(self, lake=lake, pipeline=Pipeline(self.pipeline.environment | environment))

    @contextmanager
    def call_before(self, method: str, part: str, action: Callable[[], object]) -> Iterator[None]:
        """Calls `action` before the first request of a method whose path contains `part`.

        Raises:
            AssertionError: No such request was made.
        """
        self.proxy.reset()
        self.proxy.call = action
        self.proxy.inject(method, part, "call")
        yield
        assert self.proxy.hits, f"no {method} {part} among {len(self.proxy.requests)} requests"
        self.proxy.reset()

    def count_requests(self) -> int:
        """Counts the requests of a run without faults."""
        self.proxy.reset()
        ended = self.pipeline.run(next(self.dates))
        assert ended.outcome == "published", ended
        return len(self.proxy.requests)


@dataclass(frozen=True)
class Cell:
    """One fault in request `number` of a run, counted from 0."""

    number: int
    fault: Fault


@dataclass(frozen=True)
class CellResult:
    """The result of one cell.

    Attributes:
        request: The kind of request that had the fault; empty if the run ended before it.
        fault: The name of the fault.
        first: The outcome of the run with the fault.
        violation: How a promise was broken; empty if none was.
    """

    request: str
    fault: str
    first: str
    violation: str = ""


def inject(bench: Bench, cell: Cell) -> CellResult:
    """Injects a fault into one request of a run of a new date, then runs the date again without it."""
    date = next(bench.dates)
    bench.proxy.reset()
    bench.proxy.call = bench.pipeline.kill
    fault = cell.fault
    bench.proxy.inject("", "", fault.kind, processed=fault.processed, times=fault.times, after=cell.number)
    first = bench.pipeline.run(date)
    request = normalize_request(bench.proxy.hits[0]) if bench.proxy.hits else ""
    bench.proxy.reset()
    try:
        require_recovery(bench, date, first)
    except AssertionError as broken:
        return CellResult(request, fault.name, first.outcome, str(broken) or repr(broken))
    return CellResult(request, fault.name, first.outcome)


def require_recovery(bench: Bench, execution_date: str, first: Ended) -> None:
    """Compares what a run left with the promises, and runs its date again.

    Raises:
        AssertionError: `main` has a part of the date, or differs from what the run reported, or running again failed.
    """
    published = require_whole(bench.lake, execution_date)
    assert first.succeeded or first.outcome in ("PlatformFailed", KILLED), f"{first.outcome}: {first.report}"
    assert published or not first.succeeded, f"{first.outcome}, but main has nothing"
    assert not published or first.main != "untouched", (
        f"reported main as untouched, but it has the date: {first.report}"
    )
    require_published_once(bench, execution_date, "unchanged" if published else "published")


def require_published_once(bench: Bench, execution_date: str, outcome: str = "published") -> None:
    """Runs a date again.

    Raises:
        AssertionError: It does not end with this outcome, or the date was not published exactly once.
    """
    again = bench.pipeline.run(execution_date)
    assert again.outcome == outcome, f"again: {again}"
    assert require_whole(bench.lake, execution_date), "run again, but main has nothing"
    assert publications_of(bench.lake, execution_date) == 1, "published more than once"


@dataclass
class Matrix:
    """The results of all cells, by kind of request and fault."""

    results: list[CellResult] = field(default_factory=list)

    @property
    def violations(self) -> list[CellResult]:
        """Returns the cells that broke a promise."""
        return [cell for cell in self.results if cell.violation]

    def lines(self, faults: Iterable[Fault] = FAULTS) -> Iterator[str]:
        """Yields the matrix as Markdown: passed cells of all cells, for each request and fault; then the sums."""
        names = [fault.name for fault in faults]
        yield f"| request | {' | '.join(names)} |"
        yield f"| --- |{' ---: |' * len(names)}"
        for request in dict.fromkeys(
            cell.request for cell in sorted(self.results, key=lambda cell: _place(cell.request))
        ):
            if request:
                yield f"| `{request}` | {' | '.join(self._count(request, name) for name in names)} |"
        hit = [cell for cell in self.results if cell.request]
        ends = Counter(cell.first for cell in hit)
        succeeded = sum(count for outcome, count in ends.items() if outcome in ("published", "unchanged"))
        yield ""
        yield (
            f"{len(hit)} cells: {succeeded} succeeded in the faulty run itself, {ends['PlatformFailed']} failed and "
            f"{ends[KILLED]} were killed, and their dates were run again; {len(self.violations)} broke a promise"
        )

    def _count(self, request: str, fault: str) -> str:
        cells = [cell for cell in self.results if (cell.request, cell.fault) == (request, fault)]
        return f"{sum(not cell.violation for cell in cells)}/{len(cells)}" if cells else ""


def _place(request: str) -> tuple[bool, str]:
    method, _, path = request.partition(" ")
    return path.startswith("s3"), f"{path} {method}"


def all_cells(requests: int, faults: Sequence[Fault] = FAULTS) -> list[Cell]:
    """Returns a cell for every request and every fault."""
    return [Cell(number, fault) for number in range(requests) for fault in faults]


def run_cells(cells: Sequence[Cell], benches: Sequence[Bench], report: Callable[[CellResult], None]) -> Matrix:
    """Runs the cells, one at a time on each bench, and reports each result."""
    from concurrent.futures import ThreadPoolExecutor
    from queue import SimpleQueue

    free: SimpleQueue[Bench] = SimpleQueue()
    for bench in benches:
        free.put(bench)

    def one(cell: Cell) -> CellResult:
        bench = free.get()
        try:
            return inject(bench, cell)
        finally:
            free.put(bench)

    matrix = Matrix()
    with ThreadPoolExecutor(len(benches)) as pool:
        for results in pool.map(one, cells):
            matrix.results.append(results)
            report(results)
    return matrix


@contextmanager
def open_bench(lake: Lake, project: Path, shop: str, first: date) -> Iterator[Bench]:
    """Opens a bench on one repository; `project` has the dbt project, and the pipeline keeps its state there."""
    access = lake.connection.access
    share_manifests(project)
    with run_proxy(access.endpoint) as proxy:
        pipeline = Pipeline(
            {
                "ELT_PROJECT_DIR": str(project),
                "ELT_REPOSITORY": lake.repository,
                # A stalled request ends soon.
                "ELT_LAKE_TIMEOUT": "1",
                "LAKEFS_ENDPOINT": proxy.url,
                "LAKEFS_ACCESS_KEY": access.access_key.get_secret_value(),
                "LAKEFS_SECRET_KEY": access.secret_key.get_secret_value(),
                "SHOP_API_URL": shop,
            }
        )
        yield Bench(lake, proxy, pipeline, (str(first + timedelta(days=number)) for number in count()))
