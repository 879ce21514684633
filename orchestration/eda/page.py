"""Render the report as one self-contained page: no script, no request, no time of creation."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, get_args

from orchestration.eda import plots
from orchestration.eda.calendar import Gap, calendar_months
from orchestration.eda.model import Booleans, Instants, Numbers, Profile, Status, Texts

if TYPE_CHECKING:
    from jinja2 import Environment


def render(profile: Profile) -> str:
    """Return the page. The same profile gives the same text."""
    statuses = list(profile.calendar.values())
    page = _environment().get_template("page.html.j2")
    return page.render(
        profile=profile,
        days={status: statuses.count(status) for status in get_args(Status)},
        sheets=calendar_months(profile.calendar),
    )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("orchestration.eda", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(number=number, share=share, text=text)
    environment.globals.update(
        over_dates=_drawn(plots.over_dates),
        histogram=_drawn(plots.histogram),
        hours_of_day=_drawn(plots.hours_of_day),
        has_breaks=plots.has_breaks,
    )
    for name, kind in (
        ("numbers", Numbers),
        ("texts", Texts),
        ("instants", Instants),
        ("booleans", Booleans),
        ("gap", Gap),
    ):
        environment.tests[name] = lambda value, kind=kind: isinstance(value, kind)
    return environment


def _drawn(plot: Any) -> Any:
    """Return a plot function whose SVG the page inserts unescaped.

    The plot escapes its title, and nothing else in the SVG comes from data.
    """
    from markupsafe import Markup

    return lambda *args, **options: Markup(plot(*args, **options))  # noqa: S704


def number(value: float) -> str:
    """Format a number with thousands separators and a true minus sign.

    Integers have no decimals, and other numbers from 1,000 on have two. Smaller ones, and all from 10^15 on, have at
    most six significant digits.
    """
    if not isfinite(value):
        return "∞" if value > 0 else "−∞"
    whole = float(value).is_integer() and abs(value) < 1e15
    if whole or 1000 <= abs(value) < 1e15:
        shown = f"{value:,.0f}" if whole else f"{value:,.2f}"
    else:
        shown = f"{value:.6g}"
    return shown.replace("-", "−")


def share(value: float) -> str:
    """Format a share of 0 to 1 as a percentage.

    Below 0.01 % and above 99.99 % it gives a bound, so that only 0 and 1 become 0 % and 100 %.
    """
    if 0 < value < 0.0001:
        return "< 0.01 %"
    if 0.9999 < value < 1:
        return "> 99.99 %"
    if value in (0, 1):
        return f"{value:.0%}".replace("%", " %")
    return f"{value * 100:.{1 if 0.1 <= abs(value) < 0.9995 else 2}f} %".replace("-", "−")


def text(value: str) -> str:
    """Return a value from the data in visible form: a character without a glyph becomes a dot."""
    if not value.strip():
        return "(blank)" if value else "(empty)"
    return "".join(sign if sign.isprintable() else "·" for sign in value)
