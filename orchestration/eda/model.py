"""What the report tells, as data: counted by `profile`, drawn by `plots`, written by `page`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Status = Literal["published", "missing", "failed"]


@dataclass(frozen=True)
class DateRows:
    """Where the raw rows of one table and date went, by the date's receipt."""

    date: str
    raw: int
    curated: int
    identical: int
    conflicting: int
    rejected: Mapping[str, int]

    @property
    def repeats(self) -> int:
        """Rows left out because their key stands once already, identical or conflicting."""
        return self.identical + self.conflicting

    @property
    def rejected_rows(self) -> int:
        """Rejected rows, whatever the reason."""
        return sum(self.rejected.values())

    @property
    def rejected_share(self) -> float:
        """Rejected rows as a share of the raw ones, 0 to 1; 0 where there were none."""
        return self.rejected_rows / self.raw if self.raw else 0.0


@dataclass(frozen=True)
class Histogram:
    """How many numbers fall into bars of one width, from `low` on; `below` and `above` lie outside all bars."""

    low: float
    width: float
    counts: tuple[int, ...]
    below: int = 0
    above: int = 0
    whole: bool = False


@dataclass(frozen=True)
class Numbers:
    """Of a column's finite numbers; `quantiles` by their share, 0 to 1."""

    minimum: float
    mean: float
    maximum: float
    quantiles: Mapping[float, float]
    histogram: Histogram | None = None


@dataclass(frozen=True)
class Texts:
    """The most frequent values, cut, with how often each stands; none where hardly a value stands twice."""

    top: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Instants:
    """The earliest and the latest, and how many lie in each hour of the day in UTC; none of plain dates."""

    first: str
    last: str
    hours: tuple[int, ...] = ()


@dataclass(frozen=True)
class Booleans:
    """How often a column is true, and false."""

    true: int
    false: int


@dataclass(frozen=True)
class Column:
    """One column of all dates.

    Attributes:
        name: Its name.
        type: DuckDB's type.
        rows: The rows it stands in, nulls with them.
        nulls: Of them those without a value.
        distinct: Different values.
        values: What they are like; None where there are none, or of a type that is not told of.
    """

    name: str
    type: str
    rows: int
    nulls: int
    distinct: int
    values: Numbers | Texts | Instants | Booleans | None = None

    @property
    def null_share(self) -> float:
        """Nulls as a share of the rows, 0 to 1."""
        return self.nulls / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Table:
    """One curated table.

    Attributes:
        name: Its name.
        dates: What the receipts account for, by date in order.
        columns: Its columns in order.
        exact: Whether distinct values and quantiles are counted; else they are close estimates.
    """

    name: str
    dates: tuple[DateRows, ...]
    columns: tuple[Column, ...]
    exact: bool = True

    @property
    def rows(self) -> int:
        """Curated rows of all dates."""
        return sum(date.curated for date in self.dates)

    @property
    def raw(self) -> int:
        """Raw rows of all dates."""
        return sum(date.raw for date in self.dates)

    @property
    def repeats(self) -> int:
        """Rows left out because their key stands once already, identical or conflicting."""
        return sum(date.repeats for date in self.dates)

    @property
    def reasons(self) -> dict[str, int]:
        """Rejected rows by reason, most frequent first."""
        found: dict[str, int] = {}
        for date in self.dates:
            for reason, rows in date.rejected.items():
                found[reason] = found.get(reason, 0) + rows
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @property
    def account(self) -> dict[str, int]:
        """Where the raw rows of all dates went: the parts after the first sum up to it."""
        return {
            "raw": self.raw,
            "published": self.rows,
            "identical repeats": sum(date.identical for date in self.dates),
            "conflicting repeats": sum(date.conflicting for date in self.dates),
            **{f"rejected: {reason}": rows for reason, rows in self.reasons.items()},
        }


@dataclass(frozen=True)
class Revenue:
    """What the mart of daily sales tells, in the shop's currency.

    Attributes:
        by_date: By date, in order.
        by_country: Of all dates, of the countries that brought most, highest first.
        countries: How many countries there are.
        behind: Published dates that the mart was not made from as they are now.
    """

    by_date: Mapping[str, float]
    by_country: Mapping[str, float]
    countries: int
    behind: int = 0

    @property
    def total(self) -> float:
        """Of all dates and countries."""
        return sum(self.by_date.values())


@dataclass(frozen=True)
class Profile:
    """Everything that is published at one commit of `main`.

    Attributes:
        repository: On lakeFS.
        commit: The commit.
        dates: The published dates, in order; at least one.
        tables: The curated tables by name.
        calendar: What became of each day, in order, from the first published date to the last; beyond them failed ones.
        revenue: None where the commit has no mart of daily sales.
    """

    repository: str
    commit: str
    dates: tuple[str, ...]
    tables: tuple[Table, ...]
    calendar: Mapping[str, Status] = field(default_factory=dict)
    revenue: Revenue | None = None

    @property
    def rejected_share(self) -> float:
        """Rejected rows of all tables and dates as a share of the raw ones, 0 to 1; 0 where there were none."""
        raw = sum(table.raw for table in self.tables)
        return sum(sum(table.reasons.values()) for table in self.tables) / raw if raw else 0.0
