"""The plot of a comparison: for each day, the median time of each contender, with its spread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.compare.results import DayResult

_PIPELINE, _OTHER = "#1f5fa8", "#9aa5b1"


def draw(days: Sequence[DayResult], file: Path) -> None:
    """Write the plot as SVG."""
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
        axes.set_xlabel("seconds", fontsize=9)
        axes.tick_params(labelsize=9)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
