"""The EDA report without a lake: the profile of Parquet files, the calendar, and the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import duckdb
import pytest

from orchestration.eda import plots, scan
from orchestration.eda.calendar import Gap, Month, calendar, calendar_months
from orchestration.eda.model import (
    Booleans,
    Column,
    DateRows,
    Histogram,
    Instants,
    MartFigures,
    Numbers,
    Profile,
    Ranking,
    Summed,
    Table,
    Texts,
)
from orchestration.eda.page import number, render, share, text

VOID = {"meta", "br", "hr", "img", "input", "link"}
Columns = Callable[..., dict[str, Column]]


@pytest.fixture
def columns_of(tmp_path: Path) -> Iterator[Columns]:
    """Write the result of each query to a Parquet file, and scan the files."""
    with duckdb.connect(":memory:") as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("set threads = 1")

        def scanned(*queries: str, rows: int = 0) -> dict[str, Column]:
            files = [str(tmp_path / f"{at}.parquet") for at in range(len(queries))]
            for query, file in zip(queries, files, strict=True):
                connection.execute(f"copy ({query}) to '{file}' (format parquet)")
            return {column.name: column for column in scan.scan(connection, files, rows)}

        yield scanned


def rows_of(date: str, raw: int = 10, **rejected: int) -> DateRows:
    return DateRows(date, raw, raw - sum(rejected.values()), 0, 0, rejected)


def profile_of(*dates: str, columns: tuple[Column, ...] = (), marts: tuple[MartFigures, ...] = ()) -> Profile:
    table = Table("things", tuple(rows_of(date) for date in dates), columns)
    return Profile("lake", "c0ffee" * 10, dates, len(dates), (table,), calendar(dates, ()), marts)


class Strict(HTMLParser):
    """A page whose elements are closed in order; collects its ids, links and scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.scripts = 0
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script" or any(name.startswith("on") for name, _ in attrs)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.targets += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


FULL = (
    Column("n", "BIGINT", 10, 1, 4, Numbers(1, 2.5, 4, dict.fromkeys(scan.SHARES, 2), Histogram(1, 1, (3, 0, 6)))),
    Column("t", "VARCHAR", 10, 0, 2, Texts((("a", 9), ("b", 1)))),
    Column("key", "VARCHAR", 10, 0, 10, Texts(())),
    Column("at", "TIMESTAMP", 10, 0, 10, Instants("2025-01-01 00:00:00", "2025-01-02 01:00:00", (9, 1) + (0,) * 22)),
    Column("day", "DATE", 10, 0, 2, Instants("2025-01-01", "2025-01-02")),
    Column("flag", "BOOLEAN", 10, 0, 2, Booleans(7, 3)),
    Column("nested", "STRUCT(a INTEGER)", 10, 0, 2),
    Column("nothing", "VARCHAR", 10, 10, 0),
)
COUNTRIES = Ranking("country", (("France", 10.0), ("<b>Spain", -0.5)), 12)
SUMMED = Summed("Revenue", "", 9.5, {"2025-01-01": 12.5, "2025-01-03": -3.0}, (COUNTRIES,))
REVENUE = MartFigures("daily_sales", "Revenue", "Sales less returns.", measures=(SUMMED,))


def test_numbers_are_counted_as_they_are(columns_of: Columns) -> None:
    found = columns_of("select range::bigint as n, range / 4 as x from range(101) union all select null, null")

    n = found["n"].values
    assert (found["n"].rows, found["n"].nulls, found["n"].distinct) == (102, 1, 101)
    assert isinstance(n, Numbers)
    assert (n.minimum, n.mean, n.maximum) == (0, 50, 100)
    assert n.quantiles == {0.01: 1, 0.05: 5, 0.25: 25, 0.5: 50, 0.75: 75, 0.95: 95, 0.99: 99}
    assert n.histogram == Histogram(0, 3, (3,) * 33 + (2,), 0, 0, whole=True)
    x = found["x"].values
    assert isinstance(x, Numbers)
    assert x.histogram is not None
    assert (sum(x.histogram.counts), x.histogram.below, x.histogram.above) == (101, 0, 0)


def test_far_outliers_do_not_squeeze_the_rest_into_one_bar(columns_of: Columns) -> None:
    found = columns_of("select range as n from range(101) union all select 80995 union all select -80995")["n"].values

    assert isinstance(found, Numbers)
    assert found.histogram is not None
    assert (sum(found.histogram.counts), found.histogram.below, found.histogram.above) == (101, 1, 1)


def test_values_that_are_not_finite_numbers_are_ignored(columns_of: Columns) -> None:
    values = "(1.0::double), (2.0), ('nan'), ('inf'), ('-inf'), (null)"
    found = columns_of(
        f"select x, case when not isfinite(x) then x end as odd, 7 as same, 1e308 * (x - 1.5) as far "
        f"from (values {values}) as t (x)"
    )

    x = found["x"].values
    assert isinstance(x, Numbers)
    assert (x.minimum, x.mean, x.maximum) == (1, 1.5, 2)
    assert (found["odd"].nulls, found["odd"].values) == (3, None)
    assert isinstance(found["same"].values, Numbers)
    assert found["same"].values.histogram is None


def test_texts_have_their_most_frequent_values_cut_and_ties_by_value(columns_of: Columns) -> None:
    long = "x" * 500
    found = columns_of(
        f"select 'b' as t, '{long}' as long, 'k' || range as key, null::varchar as nothing from range(3)",
        "select 'a' as t, null as long, 'l' || range as key, null::varchar as nothing from range(3)",
        "select '' as t, 'short' as long, 'm' as key, null::varchar as nothing",
    )

    assert found["t"].values == Texts((("a", 3), ("b", 3), ("", 1)))
    assert (found["t"].distinct, found["t"].nulls) == (3, 0)
    assert found["long"].values == Texts((("x" * scan.CUT + "…", 3), ("short", 1)))
    assert found["key"].values == Texts(())
    assert (found["nothing"].nulls, found["nothing"].distinct, found["nothing"].values) == (7, 0, None)


def test_the_type_decides_what_is_profiled(columns_of: Columns) -> None:
    found = columns_of(
        """
        select
            range % 2 = 0 as flag, '2025-01-01 05:00:00+00'::timestamptz + to_hours(range) as at,
            date '2025-01-01' as day,
            {'a': range} as nested, [range] as list, to_days(range::int) as span, 'x'::blob as raw,
            1.5::decimal(9, 2) as price, time '10:00:00' as clock, ['a'] as texts
        from range(3)
        """
    )

    assert found["flag"].values == Booleans(2, 1)
    assert found["at"].values == Instants(
        "2025-01-01 05:00:00+00", "2025-01-01 07:00:00+00", (0,) * 5 + (1, 1, 1) + (0,) * 16
    )
    assert found["day"].values == Instants("2025-01-01", "2025-01-01")
    assert isinstance(found["price"].values, Numbers)
    assert {name for name, column in found.items() if column.values is None} == {
        "nested",
        "list",
        "span",
        "raw",
        "clock",
        "texts",
    }
    assert found["nested"].distinct == 3


def test_a_table_of_no_rows_has_columns_and_nothing_else(columns_of: Columns) -> None:
    found = columns_of("select 1 as n, 'a' as t, now() as at, true as flag where false")

    assert list(found) == ["n", "t", "at", "flag"]
    assert {(column.rows, column.distinct, column.values) for column in found.values()} == {(0, 0, None)}
    assert "The table has no rows." in render(
        replace(profile_of("2025-01-01"), tables=(Table("things", (rows_of("2025-01-01", 0),), tuple(found.values())),))
    )


def test_a_column_that_older_dates_lack_is_null_there(columns_of: Columns) -> None:
    found = columns_of("select 1 as n", "select 2 as n, 'new' as added")

    assert (found["added"].rows, found["added"].nulls) == (2, 1)


def test_many_rows_are_estimated(columns_of: Columns) -> None:
    found = columns_of("select range as n from range(5000)", rows=scan.EXACT_ROWS + 1)["n"]

    assert found.distinct == pytest.approx(5000, rel=0.2)
    assert found.distinct <= 5000
    assert isinstance(found.values, Numbers)
    assert found.values.quantiles[0.5] == pytest.approx(2500, rel=0.05)


def test_names_and_values_that_look_like_sql_are_only_read(columns_of: Columns) -> None:
    found = columns_of("""select 1 as "a ""b"" 'c'", 'it''s' as "select" """)

    assert list(found) == ["a \"b\" 'c'", "select"]
    assert found["select"].values == Texts((("it's", 1),))


def test_the_calendar_shows_published_missing_and_failed_days() -> None:
    branches = ["etl-2025-01-02-1a2b3c4d", "etl-2025-01-03-1a2b3c4d", "etl-2025-01-09-1a2b3c4d", "etl-marts-1a2b3c4d"]

    assert calendar(["2025-01-01", "2025-01-03", "2025-01-05"], branches) == {
        "2025-01-01": "published",
        "2025-01-02": "failed",
        "2025-01-03": "published",
        "2025-01-04": "missing",
        "2025-01-05": "published",
        "2025-01-09": "failed",
    }
    assert calendar(["2025-01-01"], ()) == {"2025-01-01": "published"}


def test_months_with_nothing_are_one_line() -> None:
    found = calendar_months(calendar(["2010-12-30", "2011-03-01", "2011-05-01"], ()))

    assert [sheet.name if isinstance(sheet, Month) else sheet for sheet in found] == [
        "December 2010",
        Gap("January 2011", "February 2011", 59),
        "March 2011",
        "April 2011",
        "May 2011",
    ]
    december = found[0]
    assert isinstance(december, Month)
    days = [day for week in december.weeks for day in week if day]
    assert [day.status for day in days] == [None] * 29 + ["published", "missing"]


def test_the_page_is_well_formed_and_self_contained() -> None:
    page = Strict(render(profile_of("2025-01-01", "2025-01-02", columns=FULL, marts=(REVENUE,))))

    assert page.scripts == 0
    assert all(target.startswith("#") and target[1:] in page.ids for target in page.targets)
    assert len(page.ids) == len(set(page.ids))


@pytest.mark.parametrize("dates", [("2025-01-01",), ("2010-12-01", "2010-12-02", "2025-05-20")])
def test_the_same_profile_gives_the_same_page(dates: tuple[str, ...]) -> None:
    profile = profile_of(*dates, columns=FULL, marts=(REVENUE,))

    page = render(profile)

    assert render(profile) == page
    assert ("more than 45 days" in page) == (len(dates) > 1)


def test_no_data_gets_into_the_page_as_html() -> None:
    evil = '<img src="http://evil" onerror=alert(1)>'
    columns = (
        Column(evil, evil, 10, 0, 2, Texts(((evil, 9), ("a\x00\u202eb", 1)))),
        replace(FULL[0], name=evil + "n"),
    )
    profile = profile_of("2025-01-01", columns=columns, marts=(REVENUE,))
    table = Table(evil, (rows_of("2025-01-01", **{evil: 3}),), columns)
    summed = replace(SUMMED, label=evil, unit=evil, rankings=(replace(COUNTRIES, column=evil),))
    mart = MartFigures(evil, evil, evil, measures=(summed,))
    wrong = MartFigures(evil, evil, evil, problem=evil)
    page = render(replace(profile, repository=evil, tables=(table,), marts=(REVENUE, mart, wrong)))

    assert evil not in page
    assert "&lt;img src=" in page
    assert "a··b" in page
    assert "<b>Spain" not in page
    assert Strict(page).scripts == 0


def test_a_mart_has_its_text_its_total_and_its_measures() -> None:
    tonnes = Summed("Load", "t", 1234.56)
    page = render(profile_of("2025-01-01", marts=(REVENUE, MartFigures("loads", "Loads", measures=(tonnes,)))))

    assert '<li><a href="#mart-1">Revenue</a></li>\n<li><a href="#mart-2">Loads</a></li>' in page
    assert "<div><dt>Revenue</dt><dd>9.5</dd></div>\n<div><dt>Load</dt><dd>1,235 t</dd></div>" in page
    assert "<p>Sales less returns. From the mart <code>daily_sales</code>.</p>" in page
    assert "<figcaption>Revenue by date.</figcaption>" in page
    assert "<caption>Revenue by country, and its share of the whole: the highest 2 of 12</caption>" in page
    assert "<p>From the mart <code>loads</code>.</p>\n</section>" in page


def test_without_a_declared_mart_the_page_names_none() -> None:
    assert "mart" not in render(profile_of("2025-01-01"))


def test_without_the_mart_the_page_says_how_to_get_it() -> None:
    page = render(profile_of("2025-01-01", marts=(MartFigures("loads", "Loads", published=False),)))

    assert "no mart <code>loads</code>" in page
    assert "elt marts" in page


def test_a_mart_that_does_not_match_its_declaration_is_explained() -> None:
    page = render(profile_of("2025-01-01", marts=(MartFigures("loads", "Loads", problem="it has no column t"),)))

    assert "<code>loads</code> cannot be shown as declared: it has no column t." in page


def test_stale_marts_are_reported_with_their_dates() -> None:
    profile = profile_of("2025-01-01", marts=(REVENUE,))
    week = tuple(f"2025-01-0{day}" for day in range(1, 8))

    assert "stale" not in render(profile)
    some = render(replace(profile, stale=week[:2]))
    assert "The marts are stale: 2 dates were published, changed or removed" in some
    assert "2025-01-01, 2025-01-02. <code>elt marts</code>" in some
    assert "2025-01-05 and more." in render(replace(profile, stale=week))


@pytest.mark.parametrize("values", [[0.0], [1.0], [0.001, 0.0, 0.5], [-5.0, 1e12, 3.0]])
def test_plots_are_xml_with_a_title_and_the_pages_colours(values: list[float]) -> None:
    dates = ["2010-12-01", "2010-12-02", "2025-05-20"][: len(values)]

    for kind in ("count", "share", "bad share"):
        svg = plots.over_dates("a <title> & more", dates, values, kind=kind)

        assert ET.fromstring(svg)[0].text == "a <title> & more"
        assert "var(--text, " in svg
        assert re.search(r"https?:|DejaVu|<style", svg) is None


@pytest.mark.parametrize(
    "bars", [Histogram(0, 1, (3,), whole=True), Histogram(-1e300, 1e298, (1, 2)), Histogram(1e-9, 1e-10, (0, 5))]
)
def test_any_histogram_can_be_drawn(bars: Histogram) -> None:
    svg = plots.histogram("bars", bars)

    assert ET.fromstring(svg)[0].text == "bars"
    assert plots.histogram("bars", bars) == svg


def test_numbers_are_written_for_people() -> None:
    assert [number(value) for value in (1234567, -0.5, 1234.5678, 0.00012, 1e300, float("inf"))] == [
        "1,234,567",
        "−0.5",
        "1,234.57",
        "0.00012",
        "1e+300",
        "∞",
    ]
    assert [share(value) for value in (0.9994, 0.9996, 0.9999)] == ["99.9 %", "99.96 %", "99.99 %"]
    assert [share(value) for value in (0, 1, 0.5, 0.012345, 1e-9, 1 - 1e-9)] == [
        "0 %",
        "100 %",
        "50.0 %",
        "1.23 %",
        "< 0.01 %",
        "> 99.99 %",
    ]
    assert [text(value) for value in ("", "  ", "a\tb", "日本")] == ["(empty)", "(blank)", "a·b", "日本"]
