"""Let the contenders publish one day in turn, and check that each of them published the same events."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.compare.contenders import Contender
from benchmarks.compare.measure import Measured, measure
from benchmarks.compare.results import DayResult, Outcome, Run
from benchmarks.compare.stage import Day, Published, Stage
from benchmarks.run import steps_of
from examples.events_api.dirt import accounting

_OUT_OF_MEMORY = re.compile(r"out of memory|MemoryError|ArrowMemoryError|Cannot allocate memory", re.IGNORECASE)
_LAST_LINES = 15
_COPIES = 3
"""Copies of the day beside those on the lake: the source's, the contender's, and what DuckDB spills."""


class BenchFailed(Exception):
    """A contender failed, or did other work than the others, so there is nothing to compare."""


@dataclass
class _Standing:
    """What is known of a contender while the rounds go on."""

    contender: Contender
    runs: list[Run] = field(default_factory=list)
    note: str = ""


def in_turn(contenders: Sequence[Contender], number: int) -> list[Contender]:
    """Return the order of a round: each begins with another contender, so that none always follows the same one."""
    first = number % len(contenders) if contenders else 0
    return [*contenders[first:], *contenders[:first]]


def compare(
    stage: Stage, day: Day, contenders: Sequence[Contender], rounds: int, report: Callable[[str], None]
) -> DayResult:
    """Run the contenders that know the day's form, each once a round, and return what was measured.

    Raises:
        BenchFailed: One failed for another reason than memory, or published other events; or there is no space.
    """
    fitting = [contender for contender in contenders if day.form in contender.forms]
    available = psutil.virtual_memory().available
    standings = {one.name: _Standing(one, note=one.obstacle(day.rows, available)) for one in fitting}
    require_space(day.size * (rounds * len(fitting) + _COPIES), stage.folder)
    expected = accounting(day.rows).curated
    first: tuple[str, Published] | None = None
    for number in range(rounds):
        for contender in in_turn(fitting, number):
            standing = standings[contender.name]
            if standing.note:
                continue
            load = os.getloadavg()[0]
            execution_date = stage.next_date()
            command = contender.prepare(stage, day, execution_date)
            measured = measure(command.arguments, command.environment, day.project)
            standing.note = ended_early(contender, measured)
            if standing.note:
                report(f"  {contender.name}: {standing.note}")
                continue
            published = stage.published(command.repository, command.ref, execution_date)
            first = first or (contender.name, published)
            require_same(contender.name, published, first, expected)
            report(f"  {contender.name}: {measured.seconds:.2f} s, {measured.peak / 1e6:,.0f} MB, load {load:.1f}")
            standing.runs.append(Run(measured.seconds, measured.peak, load, steps_of(measured.log)))
    outcomes = [Outcome(name, one.contender.title, tuple(one.runs), one.note) for name, one in standings.items()]
    return DayResult(day.rows, day.form, day.size, expected, outcomes)


def ended_early(contender: Contender, measured: Measured) -> str:
    """Return how a contender died of memory; empty if it succeeded.

    Raises:
        BenchFailed: It failed otherwise.
    """
    if measured.code == 0:
        return ""
    if measured.code == -9 or _OUT_OF_MEMORY.search(measured.output + measured.log):
        return f"out of memory after {measured.seconds:.1f} s, at {measured.peak / 1e6:,.0f} MB"
    last = "\n".join((measured.output + measured.log).splitlines()[-_LAST_LINES:])
    raise BenchFailed(f"{contender.name} failed with exit code {measured.code}:\n{last}")


def require_space(needed: int, folder: Path) -> None:
    """Require so many free bytes. lakeFS keeps what each contender uploads, as a user's would.

    Raises:
        BenchFailed: There are fewer.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BenchFailed(
            f"{needed / 1e9:.0f} GB are needed in {folder}, and {free / 1e9:.0f} GB are free: "
            "take a smaller size or fewer rounds, or set TMPDIR to a larger disk"
        )


def require_same(name: str, published: Published, first: tuple[str, Published], expected: int) -> None:
    """Require that a contender published what the first one did, and as many events as the day has.

    Raises:
        BenchFailed: It did not.
    """
    if published.rows != expected:
        raise BenchFailed(f"{name} published {published.rows:,} events, not {expected:,}")
    other, its = first
    if published != its:
        raise BenchFailed(f"{name} published as many events as {other}, but with other values")
