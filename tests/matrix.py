"""The fault matrix: one harm to one request of a run, what `main` holds then, and whether running again heals it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import count
from pathlib import Path

from orchestration.lake.client import Lake
from tests.pipeline import KILLED, Ended, Pipeline, publications_of, require_whole
from tests.proxy import Proxy, Spoil, kind_of, proxied

PATIENT = {"ELT_LAKE_TIMEOUT": "60"}
"""For a run that is held up on purpose: the benches' own give a request up after a second."""


@dataclass(frozen=True)
class Harm:
    """One way to spoil a request, or `times` from it on; `acted` says whether lakeFS got it first."""

    name: str
    spoil: Spoil
    acted: bool
    times: int = 1


HARMS = (
    Harm("killed before", "kill", acted=False),
    Harm("killed after", "kill", acted=True),
    Harm("reply dropped", "drop", acted=True),
    Harm("request dropped", "drop", acted=False),
    Harm("stalled", "stall", acted=True),
    Harm("cut mid-body", "cut", acted=False),
    Harm("500 before", "500", acted=False),
    Harm("500 after", "500", acted=True),
    Harm("429", "429", acted=False),
    Harm("gone from here", "drop", acted=False, times=9_999),
)


@dataclass
class Bench:
    """A lake behind a proxy, a pipeline that runs through it, and dates to run.

    Attributes:
        lake: The lake itself, past the proxy.
        proxy: Between the pipeline and the lake.
        pipeline: Runs dates through the proxy.
        dates: Dates that no other cell has.
    """

    lake: Lake
    proxy: Proxy
    pipeline: Pipeline
    dates: Iterator[str]

    def elsewhere(self, lake: Lake, **environment: str) -> Bench:
        """The bench on another repository, with a pipeline that has other settings."""
        return replace(self, lake=lake, pipeline=Pipeline(self.pipeline.environment | environment))

    @contextmanager
    def when(self, method: str, part: str, happens: Callable[[], object]) -> Iterator[None]:
        """Lets something happen before the first request of a method whose path contains `part`; it has to come."""
        self.proxy.reset()
        self.proxy.call = happens
        self.proxy.spoil(method, part, "call")
        yield
        assert self.proxy.struck, f"no {method} {part} among {len(self.proxy.requests)} requests"
        self.proxy.reset()

    def requests_of_a_run(self) -> int:
        """How many requests an undisturbed run makes."""
        self.proxy.reset()
        ended = self.pipeline.run(next(self.dates))
        assert ended.outcome == "published", ended
        return len(self.proxy.requests)


@dataclass(frozen=True)
class Cell:
    """One harm to the `number`th request of a run, from 0."""

    number: int
    harm: Harm


@dataclass(frozen=True)
class Struck:
    """A cell that was tried.

    Attributes:
        request: The kind of request that was hit; empty where the run ended sooner.
        harm: The harm's name.
        first: How the run ended that was hit.
        fault: What broke a promise; empty where none was broken.
    """

    request: str
    harm: str
    first: str
    fault: str = ""


def strike(bench: Bench, cell: Cell) -> Struck:
    """Hits one request of a run of a new date, then runs the date again undisturbed."""
    date = next(bench.dates)
    bench.proxy.reset()
    bench.proxy.call = bench.pipeline.kill
    harm = cell.harm
    bench.proxy.spoil("", "", harm.spoil, acted=harm.acted, times=harm.times, after=cell.number)
    first = bench.pipeline.run(date)
    request = kind_of(bench.proxy.struck[0]) if bench.proxy.struck else ""
    bench.proxy.reset()
    try:
        require_healed(bench, date, first)
    except AssertionError as broken:
        return Struck(request, harm.name, first.outcome, str(broken) or repr(broken))
    return Struck(request, harm.name, first.outcome)


def require_healed(bench: Bench, execution_date: str, first: Ended) -> None:
    """Holds what a run left against the promises, and runs its date again.

    Raises:
        AssertionError: `main` has a part of the date or not what the run said, or running again did not mend it.
    """
    published = require_whole(bench.lake, execution_date)
    assert first.well or first.outcome in ("PlatformFailed", KILLED), f"told as {first.outcome}: {first.told}"
    assert published or not first.well, f"told as {first.outcome}, and main has nothing"
    assert not published or first.main != "untouched", f"said main is untouched, which has the date: {first.told}"
    require_published_once(bench, execution_date, "unchanged" if published else "published")


def require_published_once(bench: Bench, execution_date: str, outcome: str = "published") -> None:
    """Runs a date again.

    Raises:
        AssertionError: It does not end with this outcome, or the date was not published exactly once.
    """
    again = bench.pipeline.run(execution_date)
    assert again.outcome == outcome, f"again: {again}"
    assert require_whole(bench.lake, execution_date), "run again, and main has nothing"
    assert publications_of(bench.lake, execution_date) == 1, "published more than once"


@dataclass
class Matrix:
    """What became of all cells, by kind of request and harm."""

    struck: list[Struck] = field(default_factory=list)

    @property
    def faults(self) -> list[Struck]:
        """The cells that broke a promise."""
        return [cell for cell in self.struck if cell.fault]

    def lines(self, harms: Iterable[Harm] = HARMS) -> Iterator[str]:
        """The matrix as Markdown: of how many cells, all healed, how many rode the harm out; then the sums."""
        names = [harm.name for harm in harms]
        yield f"| request | {' | '.join(names)} |"
        yield f"| --- |{' ---: |' * len(names)}"
        for request in dict.fromkeys(
            cell.request for cell in sorted(self.struck, key=lambda cell: _place(cell.request))
        ):
            if request:
                yield f"| `{request}` | {' | '.join(self._count(request, name) for name in names)} |"
        hit = [cell for cell in self.struck if cell.request]
        ends = Counter(cell.first for cell in hit)
        rode_out = sum(count for outcome, count in ends.items() if outcome in ("published", "unchanged"))
        yield ""
        yield (
            f"{len(hit)} cells: {rode_out} ridden out by the run itself, {ends['PlatformFailed']} failed and "
            f"{ends[KILLED]} killed, healed by running again; {len(self.faults)} broke a promise"
        )

    def _count(self, request: str, harm: str) -> str:
        cells = [cell for cell in self.struck if (cell.request, cell.harm) == (request, harm)]
        return f"{sum(not cell.fault for cell in cells)}/{len(cells)}" if cells else ""


def _place(request: str) -> tuple[bool, str]:
    method, _, path = request.partition(" ")
    return path.startswith("s3"), f"{path} {method}"


def all_cells(requests: int, harms: Sequence[Harm] = HARMS) -> list[Cell]:
    """Every harm to every request."""
    return [Cell(number, harm) for number in range(requests) for harm in harms]


def run_cells(cells: Sequence[Cell], benches: Sequence[Bench], told: Callable[[Struck], None]) -> Matrix:
    """Tries the cells, one at a time on each bench."""
    from concurrent.futures import ThreadPoolExecutor
    from queue import SimpleQueue

    free: SimpleQueue[Bench] = SimpleQueue()
    for bench in benches:
        free.put(bench)

    def one(cell: Cell) -> Struck:
        bench = free.get()
        try:
            return strike(bench, cell)
        finally:
            free.put(bench)

    matrix = Matrix()
    with ThreadPoolExecutor(len(benches)) as pool:
        for struck in pool.map(one, cells):
            matrix.struck.append(struck)
            told(struck)
    return matrix


@contextmanager
def open_bench(lake: Lake, project: Path, shop: str, first: date) -> Iterator[Bench]:
    """A bench of one repository; `project` holds the dbt project and takes the pipeline's state."""
    access = lake.connection.access
    with proxied(access.endpoint) as proxy:
        pipeline = Pipeline(
            {
                "ELT_PROJECT_DIR": str(project),
                "ELT_REPOSITORY": lake.repository,
                # So that a stalled request is soon given up.
                "ELT_LAKE_TIMEOUT": "1",
                "LAKEFS_ENDPOINT": proxy.url,
                "LAKEFS_ACCESS_KEY": access.access_key.get_secret_value(),
                "LAKEFS_SECRET_KEY": access.secret_key.get_secret_value(),
                "SHOP_API_URL": shop,
            }
        )
        yield Bench(lake, proxy, pipeline, (str(first + timedelta(days=number)) for number in count()))
