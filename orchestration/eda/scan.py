"""Compute statistics of a table's values with DuckDB over its Parquet, in at most three passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite
from typing import TYPE_CHECKING, Any, Literal

from orchestration.eda.model import Booleans, Column, Histogram, Instants, Numbers, Texts
from orchestration.sql import identifier, read_parquet

if TYPE_CHECKING:
    import duckdb

EXACT_ROWS = 2_000_000
"""Up to this many rows, distinct values and quantiles are exact; above, they are estimates.

Exact values of so many rows take a few hundred megabytes.
"""

TOP = 10
CUT = 60
_DETAILED = 20
_BARS = 50
SHARES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_FEW = 1000

Kind = Literal["number", "text", "instant", "date", "boolean", "other"]


@dataclass(frozen=True)
class _Named:
    """A column before its values are counted."""

    name: str
    type: str

    @property
    def sql(self) -> str:
        """Return the quoted name."""
        return identifier(self.name)

    @property
    def kind(self) -> Kind:
        """Return which statistics the column gets. Only its type decides."""
        return kind_of(self.type)


def kind_of(type: str) -> Kind:
    """Return the kind of values of a DuckDB type."""
    base = type.split("(")[0]
    if type.endswith("]"):
        return "other"
    if base in ("VARCHAR", "ENUM", "UUID", "JSON"):
        return "text"
    if base in ("FLOAT", "DOUBLE", "DECIMAL") or base.endswith("INT") or base.endswith("INTEGER"):
        return "number"
    if base.startswith("TIMESTAMP"):
        return "instant"
    if base == "DATE":
        return "date"
    return "boolean" if base == "BOOLEAN" else "other"


def scan(connection: duckdb.DuckDBPyConnection, uris: Sequence[str], rows: int) -> tuple[Column, ...]:
    """Return the columns of a table in these Parquet files. A column that a file lacks is null there.

    Args:
        connection: Reads the files; with one thread, so that results are the same each time.
        uris: The files.
        rows: About how many rows they have, which decides what is counted and what is estimated.
    """
    table = read_parquet(uris, union_by_name=True)
    described = connection.execute(f"describe select * from {table}").fetchall()  # noqa: S608
    columns = [_Named(str(row[0]), str(row[1])) for row in described]
    counted = _ask(connection, table, [_counts(column, rows <= EXACT_ROWS) for column in columns])
    numbers = _some(columns, counted, "number")
    bars = {column: _bars(column, counted[column]) for column in numbers}
    drawn = {column: found for column, found in bars.items() if found}
    filled = _ask(connection, table, [_filled(column, found) for column, found in drawn.items()])
    texts = _some(columns, counted, "text")
    repeated = [column for column in texts if not _hardly_repeated(counted[column])]
    top = _top(connection, table, repeated)
    histograms = {column: _histogram(drawn[column], found["bars"]) for column, found in filled.items()}
    return tuple(
        Column(
            column.name,
            column.type,
            found["rows"],
            found["rows"] - found["known"],
            min(found["distinct"], found["known"]),
            _values(column, found, histograms.get(column), top.get(column, ())),
        )
        for column, found in counted.items()
    )


def _ask(
    connection: duckdb.DuckDBPyConnection, table: str, wanted: Sequence[tuple[_Named, str]]
) -> dict[_Named, dict[str, Any]]:
    """Run one pass over the table and return a struct of aggregates for each column."""
    if not wanted:
        return {}
    structs = ", ".join(f"{{{aggregates}}}" for _, aggregates in wanted)
    answer = connection.execute(f"select {structs} from {table}").fetchone()  # noqa: S608
    return {column: found for (column, _), found in zip(wanted, answer or (), strict=True)}


def _counts(column: _Named, exact: bool) -> tuple[_Named, str]:
    value = column.sql
    distinct = f"count(distinct {value})" if exact else f"approx_count_distinct({value})"
    aggregates = [f"'rows': count(*), 'known': count({value}), 'distinct': {distinct}"]
    match column.kind:
        case "number":
            number = f"{value}::double"
            quantile = "quantile_cont" if exact else "approx_quantile"
            shares = ", ".join(str(share) for share in SHARES)
            aggregates += [
                f"'{name}': {aggregate} filter (where isfinite({number}))"
                for name, aggregate in (
                    ("low", f"min({number})"),
                    ("mean", f"avg({number})"),
                    ("high", f"max({number})"),
                    ("quantiles", f"{quantile}({number}, [{shares}])"),
                )
            ]
        case "instant":
            aggregates.append(f"'low': min({value})::varchar, 'high': max({value})::varchar")
            aggregates.append(f"'hours': histogram(hour({value}))")
        case "date":
            aggregates.append(f"'low': min({value})::varchar, 'high': max({value})::varchar")
        case "boolean":
            aggregates.append(f"'true': count_if({value}), 'false': count_if(not {value})")
    return column, ", ".join(aggregates)


def _some(columns: Sequence[_Named], counted: dict[_Named, dict[str, Any]], kind: Kind) -> list[_Named]:
    """Return the columns of a kind that have values, up to the number that the report shows in detail."""
    return [column for column in columns if column.kind == kind and counted[column]["known"]][:_DETAILED]


def _bars(column: _Named, found: dict[str, Any]) -> Histogram | None:
    """Return empty bars for all numbers but far outliers, which would leave the rest in a single bar.

    Return None if bars would show nothing.
    """
    if found["low"] is None or found["low"] == found["high"]:
        return None
    quantiles = dict(zip(SHARES, found["quantiles"], strict=True))
    reach = 3 * (quantiles[0.75] - quantiles[0.25])
    low, high = max(found["low"], quantiles[0.25] - reach), min(found["high"], quantiles[0.75] + reach)
    if low == high:
        low, high = found["low"], found["high"]
    if "INT" in column.type:
        low, high = float(floor(low)), float(ceil(high))
        width = float(ceil((high - low + 1) / _BARS))
        return Histogram(low, width, (0,) * ceil((high - low + 1) / width), whole=True)
    width = (high - low) / _BARS
    return Histogram(low, width, (0,) * _BARS) if isfinite(width) and low + width > low else None


def _filled(column: _Named, bars: Histogram) -> tuple[_Named, str]:
    number, last = f"{column.sql}::double", len(bars.counts)
    high = bars.low + bars.width * last
    beyond = ">=" if bars.whole else ">"
    at = f"""
        case
            when {number} < {bars.low!r} then -1
            when {number} {beyond} {high!r} then {last}
            else least(floor(({number} - {bars.low!r}) / {bars.width!r}), {last - 1})
        end
    """
    return column, f"'bars': histogram(({at})::integer) filter (where isfinite({number}))"


def _histogram(bars: Histogram, found: dict[int, int]) -> Histogram:
    last = len(bars.counts)
    counts = tuple(found.get(at, 0) for at in range(last))
    return Histogram(bars.low, bars.width, counts, found.get(-1, 0), found.get(last, 0), bars.whole)


def _hardly_repeated(found: dict[str, Any]) -> bool:
    """Return whether a column resembles a key. Its most frequent values are not useful, and too many to count."""
    distinct, known = found["distinct"], found["known"]
    return bool(distinct >= known > 1 or (known > _FEW and distinct > known / 2))


def _top(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[_Named]
) -> dict[_Named, tuple[tuple[str, int], ...]]:
    """Return the most frequent values of all columns, in one pass. Ties are ordered by value."""
    if not columns:
        return {}
    values = [f"value_{at}" for at in range(len(columns))]
    named = ", ".join(f"{column.sql}::varchar as {value}" for column, value in zip(columns, values, strict=True))
    which = " ".join(f"when grouping({value}) = 0 then {at}" for at, value in enumerate(values))
    rows = connection.execute(
        f"""
        with counted as (
            select case {which} end as field, coalesce({", ".join(values)}) as value, count(*) as times
            from (select {named} from {table})
            group by grouping sets ({", ".join(f"({value})" for value in values)})
        ),
        ranked as (
            select *, row_number() over (partition by field order by times desc, value) as rank
            from counted
            where value is not null
        )
        select field, left(value, {CUT + 1}), times from ranked where rank <= {TOP} order by field, rank
        """  # noqa: S608
    ).fetchall()
    found: dict[_Named, tuple[tuple[str, int], ...]] = {}
    for at, value, times in rows:
        shown = value if len(value) <= CUT else value[:CUT] + "…"
        found[columns[at]] = (*found.get(columns[at], ()), (shown, times))
    return found


def _values(
    column: _Named, found: dict[str, Any], histogram: Histogram | None, top: tuple[tuple[str, int], ...]
) -> Numbers | Texts | Instants | Booleans | None:
    if not found["known"]:
        return None
    match column.kind:
        case "number" if found["low"] is not None:
            quantiles = dict(zip(SHARES, found["quantiles"], strict=True))
            return Numbers(found["low"], found["mean"], found["high"], quantiles, histogram)
        case "text":
            return Texts(top)
        case "instant":
            hours = found["hours"] or {}
            return Instants(found["low"], found["high"], tuple(hours.get(hour, 0) for hour in range(24)))
        case "date":
            return Instants(found["low"], found["high"])
        case "boolean":
            return Booleans(found["true"], found["false"])
    return None
