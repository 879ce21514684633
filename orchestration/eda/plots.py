"""Draw the report's plots as SVG text to be inserted into a page. The same numbers give the same text.

Colours are variables of the page, so plots follow its light and dark themes. Texts stay texts, in the page's font.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import date
from html import escape
from io import StringIO
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from orchestration.eda.model import Histogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import MaxNLocator

# Placeholder colours for Matplotlib, and the page's variables that replace them. The page uses the colours of Okabe
# and Ito, which people with any kind of colour blindness can distinguish.
_BLUE, _RED, _TEXT, _GRID = "#0072b2", "#d55e00", "#1b1f24", "#d0d7de"
_VARIABLES = {_BLUE: "--blue", _RED: "--red", _TEXT: "--text", _GRID: "--grid"}
_WIDE, _NARROW = (10.0, 2.2), (4.6, 2.0)
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "ingest-clean",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _TEXT,
    "axes.labelcolor": _TEXT,
    "axes.edgecolor": _GRID,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.unicode_minus": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": _TEXT,
    "ytick.labelcolor": _TEXT,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "path.simplify": False,
}
_LONG_GAP = 45
"""Days without a date after which the axis of dates omits a gap and shows a break instead."""

_TICKS, _FEW_DAYS = 10, 10


def over_dates(title: str, dates: Sequence[str], values: Sequence[float], *, kind: str = "count") -> str:
    """Draw bars over days. A day that is not among the dates has no bar, and a long gap is omitted.

    Args:
        title: A description of the plot for people who cannot see it.
        dates: ISO dates in order; at least one.
        values: One value for each date.
        kind: `count`; `share`, 0 to 1, shown in per cent; `bad share`, the same in the colour of errors.
    """

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import PercentFormatter

        places, breaks = _places(dates)
        axes.bar(places, values, width=0.8, color=_RED if kind.startswith("bad") else _BLUE, linewidth=0)
        # Leave room at both sides, so that a few bars do not fill the whole width.
        room = max(0.8, (_FEW_DAYS - places[-1]) / 2)
        axes.set_xlim(-room, places[-1] + room)
        for place in breaks:
            axes.axvline(place, color=_TEXT, linewidth=0.8, linestyle=(0, (2, 3)))
        shown = _spread(places)
        axes.set_xticks([places[at] for at in shown], [dates[at] for at in shown])
        if kind.endswith("share"):
            axes.set_ylim(0, max(*values, 0.001) * 1.1)
            axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
        _upright(axes)

    return _svg(title, _WIDE, draw)


def histogram(title: str, bars: Histogram) -> str:
    """Draw a histogram. The text next to it covers the numbers outside the bars."""

    def draw(axes: Axes) -> None:
        places = [bars.low + bars.width * at for at in range(len(bars.counts))]
        if bars.whole and bars.width == 1:
            axes.bar(places, bars.counts, width=0.85, color=_BLUE, linewidth=0)
        else:
            axes.bar(places, bars.counts, width=bars.width * 0.92, align="edge", color=_BLUE, linewidth=0)
        axes.xaxis.set_major_locator(_locator(6, whole=bars.whole))
        axes.xaxis.set_major_formatter(_plain)
        _upright(axes)

    return _svg(title, _NARROW, draw)


def hours_of_day(title: str, counts: Sequence[int]) -> str:
    """Draw the counts of each hour of the day, 0 to 23."""

    def draw(axes: Axes) -> None:
        axes.bar(range(24), counts, width=0.85, color=_BLUE, linewidth=0)
        axes.set_xlim(-0.8, 23.8)
        axes.set_xticks(range(0, 24, 3), [f"{hour:02d}:00" for hour in range(0, 24, 3)])
        _upright(axes)

    return _svg(title, _NARROW, draw)


def _places(dates: Sequence[str]) -> tuple[list[float], list[float]]:
    """Return the position of each date on an axis of days without long gaps, and the positions of those gaps."""
    days = [date.fromisoformat(day) for day in dates]
    steps = [(after - before).days for before, after in pairwise(days)]
    cut = max(2.0, 0.06 * sum(step for step in steps if step <= _LONG_GAP))
    places, breaks = [0.0], []
    for step in steps:
        if step > _LONG_GAP:
            breaks.append(places[-1] + cut / 2)
        places.append(places[-1] + (cut if step > _LONG_GAP else step))
    return places, breaks


def has_breaks(dates: Sequence[str]) -> bool:
    """Return whether the axis of these dates omits a long gap."""
    return bool(_places(dates)[1])


def _spread(places: Sequence[float]) -> list[int]:
    """Return the indices of the places that get a tick: the last one, and others far enough apart to be read."""
    apart = max(places[-1], _FEW_DAYS) / _TICKS
    chosen = [len(places) - 1]
    for at in range(len(places) - 2, -1, -1):
        if places[chosen[-1]] - places[at] >= apart:
            chosen.append(at)
    return sorted(chosen)


def _upright(axes: Axes) -> None:
    """Apply the style that all plots share: a vertical axis of counts from zero, and a grid for that axis only."""
    axes.grid(visible=False, axis="x")
    axes.tick_params(length=0, axis="y")
    axes.margins(y=0.08)
    if axes.get_ylim()[1] > 1:
        axes.yaxis.set_major_locator(_locator(4, whole=True))
        axes.yaxis.set_major_formatter(_plain)


def _locator(ticks: int, *, whole: bool) -> MaxNLocator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(ticks, integer=whole, steps=[1, 2, 2.5, 5, 10])


def _plain(value: float, _: object = None) -> str:
    """Format the number of a tick, with a true minus sign."""
    text = f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:,.6g}"
    return text.replace("-", "−")


def _svg(title: str, size: tuple[float, float], draw: Callable[[Axes], None]) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        written = StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _inline(written.getvalue(), title)


def _inline(svg: str, title: str) -> str:
    """Return an SVG file as an element of a page.

    Its ids are unique on the page, it uses the page's colours, and it has a title for screen readers.
    """
    body = svg[svg.index(">", svg.index("<svg")) + 1 :].strip()
    box = re.search(r'viewBox="([^"]+)"', svg)
    own = hashlib.sha256(title.encode()).hexdigest()[:8]
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda found: f' id="{own}-{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r'(?:xlink:)?(url\(|href=")#', rf"\1#{own}-", body)
    # The style rule would apply to the whole page. Texts use the page's font.
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r"font-family: [^;\"]*;? ?", "", body)
    for stand_in, variable in _VARIABLES.items():
        body = body.replace(stand_in, f"var({variable}, {stand_in})")
    name = escape(title)
    return f'<svg viewBox="{box[1] if box else ""}" role="img" aria-label="{name}"><title>{name}</title>\n{body}'
