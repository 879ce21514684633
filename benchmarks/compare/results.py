"""What was measured: medians, spread, ratios, and the tables that show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.compare.contenders import BARE

_FORMS = {"ndjson": "NDJSON", "array": "one JSON array"}


@dataclass(frozen=True)
class Run:
    """One run of a contender that published the day.

    Attributes:
        seconds: Its wall time.
        peak: The peak memory of its process tree, in bytes.
        load: The load of the machine before it, over one minute.
        steps: The seconds of the pipeline's steps.
    """

    seconds: float
    peak: int
    load: float
    steps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """All runs of a contender on one day.

    Attributes:
        name: The contender's name.
        title: Its name in the report.
        runs: Its runs that published the day.
        note: Why it has no runs, or fewer than others.
    """

    name: str
    title: str
    runs: tuple[Run, ...]
    note: str = ""

    @property
    def seconds(self) -> float | None:
        """Return the median of the wall times."""
        return median(run.seconds for run in self.runs) if self.runs else None

    @property
    def spread(self) -> tuple[float, float] | None:
        """Return the shortest and the longest wall time."""
        seconds = [run.seconds for run in self.runs]
        return (min(seconds), max(seconds)) if seconds else None

    @property
    def peak(self) -> float | None:
        """Return the median of the peaks of memory, in bytes."""
        return median(run.peak for run in self.runs) if self.runs else None

    @property
    def steps(self) -> dict[str, float]:
        """Return the median of each step of the pipeline."""
        names = self.runs[0].steps if self.runs else ()
        return {name: median(run.steps[name] for run in self.runs) for name in names}


@dataclass(frozen=True)
class DayResult:
    """What was measured on one day.

    Attributes:
        rows: The events that the source sent.
        form: How it sent them.
        size: The bytes of their body.
        published: The events that every contender published.
        outcomes: The contenders, in the order of the report.
    """

    rows: int
    form: str
    size: int
    published: int
    outcomes: Sequence[Outcome]

    @property
    def title(self) -> str:
        """Return the heading of the day."""
        return f"{self.rows:,} events, {self.size / 1e6:,.1f} MB as {_FORMS[self.form]}"

    def ratio(self, outcome: Outcome) -> float | None:
        """Return how many times as long as the bare script a contender took; None if one of them has no time."""
        bare = next((other.seconds for other in self.outcomes if other.name == BARE), None)
        return outcome.seconds / bare if outcome.seconds and bare else None


def as_json(day: DayResult) -> dict[str, Any]:
    """Return a day's results for the JSON report."""
    return {
        "rows": day.rows,
        "form": day.form,
        "bytes": day.size,
        "published": day.published,
        "contenders": [
            {
                "name": outcome.name,
                "title": outcome.title,
                "seconds": outcome.seconds,
                "ratio_to_bare": day.ratio(outcome),
                "peak_bytes": outcome.peak,
                "steps": outcome.steps,
                "note": outcome.note,
                "runs": [
                    {"seconds": run.seconds, "peak_bytes": run.peak, "load": run.load, "steps": dict(run.steps)}
                    for run in outcome.runs
                ],
            }
            for outcome in day.outcomes
        ],
    }


def table(day: DayResult) -> str:
    """Return a day's results as a Markdown table, with the steps of the pipeline below it."""
    lines = [
        f"**{day.title}.** Each contender published the same {day.published:,} events.",
        "",
        "| contender | seconds, median | shortest to longest | × the bare script | peak memory, MB |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(_line(day, outcome) for outcome in day.outcomes),
    ]
    steps = [
        f"Steps of {outcome.title}, in seconds: "
        + ", ".join(f"{name} {seconds:.2f}" for name, seconds in outcome.steps.items())
        + "."
        for outcome in day.outcomes
        if outcome.steps
    ]
    return "\n".join([*lines, *(line for step in steps for line in ("", step))])


def _line(day: DayResult, outcome: Outcome) -> str:
    title = f"{outcome.title} ({outcome.note})" if outcome.note else outcome.title
    if not outcome.seconds or not outcome.spread or not outcome.peak:
        return f"| {title} | | | | |"
    shortest, longest = outcome.spread
    ratio = day.ratio(outcome)
    spread = f"{shortest:.2f} to {longest:.2f}"
    times = f"{ratio:.2f}" if ratio else ""
    return f"| {title} | {outcome.seconds:.2f} | {spread} | {times} | {outcome.peak / 1e6:,.0f} |"
