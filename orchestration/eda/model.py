"""Data model of the report: filled by `profile`, plotted by `plots`, rendered by `page`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["published", "missing", "failed"]


@dataclass(frozen=True)
class DateRows:
    """What happened to the raw rows of one table and date, from the date's receipt."""

    date: str
    raw: int
    curated: int
    identical: int
    conflicting: int
    rejected: Mapping[str, int]

    @property
    def repeats(self) -> int:
        """Return the rows omitted because their key occurred before, identical or conflicting."""
        return self.identical + self.conflicting

    @property
    def rejected_rows(self) -> int:
        """Return the rejected rows of all reasons."""
        return sum(self.rejected.values())

    @property
    def rejected_share(self) -> float:
        """Return the rejected rows as a share of the raw rows, 0 to 1; 0 without raw rows."""
        return self.rejected_rows / self.raw if self.raw else 0.0


@dataclass(frozen=True)
class Histogram:
    """How many numbers fall into bars of equal width.

    Attributes:
        low: The lower edge of the first bar.
        width: The width of each bar.
        counts: The numbers in each bar.
        below: The numbers below all bars.
        above: The numbers above all bars.
        whole: Whether the numbers are integers, so that bars of width 1 stand for one value each.
    """

    low: float
    width: float
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Numbers:
    """Statistics of a column's finite numbers. The keys of `quantiles` are shares, 0 to 1."""

    minimum: float
    mean: float
    maximum: float
    quantiles: Mapping[float, float]
    histogram: Histogram | None = None


@dataclass(frozen=True)
class Texts:
    """The most frequent values, long ones cut, with their counts; empty if hardly any value repeats."""

    top: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Instants:
    """The earliest and the latest value. `hours` counts the values in each hour of the day in UTC; empty for dates."""

    first: str
    last: str
    hours: tuple[int, ...] = ()


@dataclass(frozen=True)
class Booleans:
    """The numbers of true and of false values."""

    true: int
    false: int


@dataclass(frozen=True)
class Column:
    """One column of all dates.

    Attributes:
        name: Its name.
        type: DuckDB's type.
        rows: The number of rows, with nulls.
        nulls: The number of nulls.
        distinct: The number of distinct values.
        values: Statistics of its values; None without values, or for a type that the report does not cover.
    """

    name: str
    type: str
    rows: int
    nulls: int
    distinct: int
    values: Numbers | Texts | Instants | Booleans | None = None

    @property
    def null_share(self) -> float:
        """Return the nulls as a share of the rows, 0 to 1."""
        return self.nulls / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Table:
    """One curated table.

    Attributes:
        name: Its name.
        dates: The accounting in the receipts, one entry per date, in order.
        columns: Its columns in order.
        exact: Whether distinct values and quantiles are counted; if not, they are close estimates.
    """

    name: str
    dates: tuple[DateRows, ...]
    columns: tuple[Column, ...]
    exact: bool = True

    @property
    def rows(self) -> int:
        """Return the curated rows of all dates."""
        return sum(date.curated for date in self.dates)

    @property
    def raw(self) -> int:
        """Return the raw rows of all dates."""
        return sum(date.raw for date in self.dates)

    @property
    def repeats(self) -> int:
        """Return the rows omitted because their key occurred before, identical or conflicting."""
        return sum(date.repeats for date in self.dates)

    @property
    def reasons(self) -> dict[str, int]:
        """Return the rejected rows by reason, most frequent first."""
        found: dict[str, int] = {}
        for date in self.dates:
            for reason, rows in date.rejected.items():
                found[reason] = found.get(reason, 0) + rows
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @property
    def account(self) -> dict[str, int]:
        """Return what happened to the raw rows of all dates. The first entry is the sum of the others."""
        return {
            "raw": self.raw,
            "published": self.rows,
            "identical repeats": sum(date.identical for date in self.dates),
            "conflicting repeats": sum(date.conflicting for date in self.dates),
            **{f"rejected: {reason}": rows for reason, rows in self.reasons.items()},
        }


@dataclass(frozen=True)
class Ranking:
    """The sums of a measure by the values of one column.

    Attributes:
        column: The column.
        top: The values with the highest sums, highest first, long values cut.
        values: The number of values.
    """

    column: str
    top: tuple[tuple[str, float], ...]
    values: int


@dataclass(frozen=True)
class Summed:
    """A measure of a mart: one column, summed over all rows.

    Attributes:
        label: What the page calls it.
        unit: Its unit; empty without one.
        total: The sum over all rows.
        by_date: The sum by date, in order; empty if the mart's declaration names no date.
        rankings: The sums by other columns.
    """

    label: str
    unit: str
    total: float
    by_date: Mapping[str, float] = field(default_factory=dict)
    rankings: tuple[Ranking, ...] = ()


@dataclass(frozen=True)
class MartFigures:
    """What the report shows of one mart, as the project declares it.

    Attributes:
        mart: Its name.
        title: The heading.
        description: The text below the heading; may be empty.
        published: Whether the commit has the mart.
        measures: Its measures; empty if they cannot be shown.
        problem: Why they cannot be shown, if the commit has the mart.
    """

    mart: str
    title: str
    description: str = ""
    published: bool = True
    measures: tuple[Summed, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Profile:
    """The profile of everything that is published at one commit of `main`.

    Attributes:
        repository: The lakeFS repository.
        commit: The commit.
        dates: The published dates that are profiled, the latest ones, in order; at least one.
        published: The number of all published dates.
        tables: The curated tables by name.
        calendar: The status of each day, in order, from the first of `dates` to the last. Failed days may lie
            outside.
        marts: What the project declares to be shown of marts.
        stale: The dates that were published, changed or removed since the marts were made.
    """

    repository: str
    commit: str
    dates: tuple[str, ...]
    published: int
    tables: tuple[Table, ...]
    calendar: Mapping[str, Status] = field(default_factory=dict)
    marts: tuple[MartFigures, ...] = ()
    stale: tuple[str, ...] = ()

    @property
    def rejected_share(self) -> float:
        """Return the rejected rows of all tables and dates as a share of the raw rows, 0 to 1; 0 without raw rows."""
        raw = sum(table.raw for table in self.tables)
        return sum(sum(table.reasons.values()) for table in self.tables) / raw if raw else 0.0
