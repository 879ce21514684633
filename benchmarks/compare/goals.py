"""What the pipeline is to reach in the comparison, and what it reached."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.compare.contenders import BARE
from benchmarks.compare.results import DayResult, Outcome
from benchmarks.compare.stage import MEMORY_MB

Figure = Callable[[DayResult], float | None]


@dataclass(frozen=True)
class Goal:
    """One goal.

    Attributes:
        rows: The events of the day.
        form: How the source sends them.
        what: What is measured.
        reach: The figure to reach.
        beyond: The figure that would be better still. One below `reach` means that less is better.
        figure: Takes the figure from the results of the day.
    """

    rows: int
    form: str
    what: str
    reach: float
    beyond: float
    figure: Figure

    def is_met(self, measured: float) -> bool:
        """Return whether a figure reaches the goal."""
        return measured <= self.reach if self.beyond < self.reach else measured >= self.reach


def _seconds(name: str) -> Figure:
    return lambda day: _of(day, name, lambda outcome: outcome.seconds)


def _ratio(above: str, below: str) -> Figure:
    def figure(day: DayResult) -> float | None:
        first, second = _seconds(above)(day), _seconds(below)(day)
        return first / second if first and second else None

    return figure


def _beyond_limit(day: DayResult) -> float | None:
    peak = _of(day, "backfill", lambda outcome: outcome.peak)
    return peak / 1e6 - MEMORY_MB if peak else None


def _of(day: DayResult, name: str, value: Callable[[Outcome], float | None]) -> float | None:
    return next((value(outcome) for outcome in day.outcomes if outcome.name == name), None)


GOALS = (
    Goal(1_000, "ndjson", "seconds of a backfill run", 5, 3, _seconds("backfill")),
    Goal(1_000, "ndjson", "seconds of a daily run", 6, 4, _seconds("daily")),
    Goal(200_000, "array", "dlt's seconds ÷ the pipeline's", 1.5, 3, _ratio("dlt", "backfill")),
    Goal(2_000_000, "ndjson", "the pipeline's seconds ÷ the bare script's", 1.7, 1.3, _ratio("backfill", BARE)),
    Goal(2_000_000, "ndjson", "pandas' seconds ÷ the pipeline's", 2.8, 4, _ratio("pandas", "backfill")),
    Goal(2_000_000, "array", "dlt's seconds ÷ the pipeline's", 5, 8, _ratio("dlt", "backfill")),
    Goal(10_000_000, "ndjson", "seconds of a backfill run", 45, 35, _seconds("backfill")),
    Goal(10_000_000, "ndjson", "MB of peak memory above DuckDB's limit", 600, 400, _beyond_limit),
)


def goals_table(days: Sequence[DayResult]) -> str:
    """Return the goals of the measured days as a Markdown table; empty without any."""
    lines = []
    for goal in GOALS:
        for day in days:
            if (day.rows, day.form) != (goal.rows, goal.form) or (measured := goal.figure(day)) is None:
                continue
            met = "reached" if goal.is_met(measured) else "missed"
            what = f"{goal.rows:,} events as {goal.form}: {goal.what}"
            lines.append(f"| {what} | {goal.reach:g} | {goal.beyond:g} | {measured:,.2f} | {met} |")
    if not lines:
        return ""
    return "\n".join(["| goal | reach | beyond | measured | |", "| --- | ---: | ---: | ---: | --- |", *lines])
