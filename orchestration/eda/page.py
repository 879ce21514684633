"""The report as one page that needs nothing but itself: no script, no request, no clock."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, get_args

from orchestration.eda import plots
from orchestration.eda.calendar import Gap, sheets
from orchestration.eda.model import Booleans, Instants, Numbers, Profile, Status, Texts

if TYPE_CHECKING:
    from jinja2 import Environment


def render(profile: Profile) -> str:
    """The page; the same profile gives the same text."""
    statuses = list(profile.calendar.values())
    page = _environment().get_template("page.html.j2")
    return page.render(
        profile=profile,
        days={status: statuses.count(status) for status in get_args(Status)},
        sheets=sheets(profile.calendar),
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
    """A plot whose SVG the page takes as it is: its title is escaped there, and nothing else comes from data."""
    from markupsafe import Markup

    return lambda *args, **options: Markup(plot(*args, **options))  # noqa: S704


def number(value: float) -> str:
    """A number as people write it: thousands apart, at most six digits that count, a true minus."""
    if not isfinite(value):
        return "∞" if value > 0 else "−∞"
    whole = float(value).is_integer() and abs(value) < 1e15
    if whole or 1000 <= abs(value) < 1e15:
        shown = f"{value:,.0f}" if whole else f"{value:,.2f}"
    else:
        shown = f"{value:.6g}"
    return shown.replace("-", "−")


def share(value: float) -> str:
    """A share of 0 to 1 in per cent; one that is not quite none, or not quite all, does not look so."""
    if 0 < value < 0.0001:
        return "< 0.01 %"
    if 0.9999 < value < 1:
        return "> 99.99 %"
    if value in (0, 1):
        return f"{value:.0%}".replace("%", " %")
    return f"{value * 100:.{1 if abs(value) >= 0.1 else 2}f} %".replace("-", "−")


def text(value: str) -> str:
    """A value from the data, so that it can be seen: what has no glyph is shown as a dot."""
    if not value.strip():
        return "(blank)" if value else "(empty)"
    return "".join(sign if sign.isprintable() else "·" for sign in value)
