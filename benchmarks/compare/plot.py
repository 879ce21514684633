"""The plots of a comparison: each contender's median time, and where the time of the pipeline goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare.results import DayResult, Outcome

_PIPELINE, _OTHER = "#1f5fa8", "#9aa5b1"
_STEPS = {
    "start and end": "#9aa5b1",
    "plan": "#5b3f8c",
    "extract": "#a1622f",
    "land": "#d9a441",
    "transform": "#1f5fa8",
    "audit": "#3b8c5a",
    "publish": "#7cc49a",
}


def draw(days: Sequence[DayResult], file: Path) -> None:
    """Write the plot of all contenders as SVG: for each day the medians, with their spread."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    heights = [max(len(day.outcomes), 1) + 1.5 for day in days]
    figure, found = plt.subplots(
        len(days), 1, figsize=(8, 0.35 * sum(heights)), height_ratios=heights, squeeze=False, layout="constrained"
    )
    for axes, day in zip(found[:, 0], days, strict=True):
        measured = [outcome for outcome in reversed(day.outcomes) if outcome.seconds and outcome.spread]
        seconds = [outcome.seconds or 0 for outcome in measured]
        spreads = [outcome.spread or (0, 0) for outcome in measured]
        axes.barh(
            [outcome.name for outcome in measured],
            seconds,
            xerr=[
                [middle - shortest for middle, (shortest, _) in zip(seconds, spreads, strict=True)],
                [longest - middle for middle, (_, longest) in zip(seconds, spreads, strict=True)],
            ],
            color=[_PIPELINE if outcome.steps else _OTHER for outcome in measured],
            capsize=3,
        )
        axes.set_title(day.title, loc="left", fontsize=10)
        _show_seconds(axes)
    _save(figure, file)


def draw_steps(days: Sequence[DayResult], file: Path) -> None:
    """Write a plot as SVG that splits the pipeline's median time by step. The rest is the process's start and end."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    bars = [
        (f"{outcome.name}, {day.rows:,} {day.form}", {"start and end": _outside(outcome), **outcome.steps})
        for day in days
        for outcome in day.outcomes
        if outcome.steps
    ]
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.4 * len(bars)), layout="constrained")
    bars.reverse()
    left = [0.0] * len(bars)
    for step, color in _STEPS.items():
        widths = [parts.get(step, 0.0) for _, parts in bars]
        axes.barh([label for label, _ in bars], widths, left=left, color=color, label=step)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    _show_seconds(axes)
    figure.legend(loc="outside lower center", ncols=len(_STEPS), fontsize=8, frameon=False)
    _save(figure, file)


def _outside(outcome: Outcome) -> float:
    return max(0.0, (outcome.seconds or 0.0) - sum(outcome.steps.values()))


def _show_seconds(axes: Any) -> None:
    axes.set_xlabel("seconds", fontsize=9)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Any, file: Path) -> None:
    from matplotlib import pyplot as plt

    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
