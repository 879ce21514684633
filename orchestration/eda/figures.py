"""Sum the measures of marts that the project declares for the report, with DuckDB over their Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from orchestration.eda.model import MartFigures, Ranking, Summed
from orchestration.eda.scan import CUT, TOP, kind_of
from orchestration.lake import keys
from orchestration.lake.receipt import Receipt
from orchestration.models.reports import Declared, MartReport, Measure
from orchestration.sql import identifier, read_parquet

if TYPE_CHECKING:
    import duckdb

_DATES = ("date", "instant")


def mart_figures(
    connection: duckdb.DuckDBPyConnection, root: str, marts: Receipt | None, reports: Sequence[MartReport]
) -> tuple[MartFigures, ...]:
    """Return the figures of each mart that the project declares for the report.

    Args:
        connection: Reads the files; with one thread, so that sums are the same each time.
        root: The URI of the commit, which precedes each key.
        marts: The receipt of the marts there, if they were published.
        reports: The declarations.
    """
    return tuple(_figures(connection, root, marts, report) for report in reports)


def _figures(
    connection: duckdb.DuckDBPyConnection, root: str, marts: Receipt | None, report: MartReport
) -> MartFigures:
    uris = [f"{root}/{key}" for key in marts.objects if keys.table_of(key) == report.mart] if marts else []
    shown, declared = (report.mart, report.title, report.declared.description), report.declared
    if not uris:
        return MartFigures(*shown, published=False)
    rows = read_parquet(uris, union_by_name=True)
    described = connection.execute(f"describe select * from {rows}").fetchall()  # noqa: S608
    # A commit may have another version of the mart than the one that the declaration is about.
    if problem := next(_problems(declared, {str(row[0]): str(row[1]) for row in described}), ""):
        return MartFigures(*shown, problem=problem)
    return MartFigures(
        *shown, measures=tuple(_summed(connection, rows, declared.date, one) for one in declared.measures)
    )


def _problems(declared: Declared, types: Mapping[str, str]) -> Iterator[str]:
    wanted = [declared.date] if declared.date else []
    wanted += [name for measure in declared.measures for name in (measure.column, *measure.by)]
    for name in wanted:
        if name not in types:
            yield f"it has no column {name}"
    if declared.date and kind_of(types[declared.date]) not in _DATES:
        yield f"its column {declared.date} has the type {types[declared.date].lower()}, not a date"
    for measure in declared.measures:
        if kind_of(types[measure.column]) != "number":
            yield f"its column {measure.column} has the type {types[measure.column].lower()}, not a number"


def _summed(connection: duckdb.DuckDBPyConnection, rows: str, date: str | None, measure: Measure) -> Summed:
    value = f"{identifier(measure.column)}::double"
    known = f"from {rows} where isfinite({value})"
    ((total,),) = connection.execute(f"select coalesce(sum({value}), 0) {known}").fetchall()
    by_date = {}
    if date:
        day = f"{identifier(date)}::date"
        # The years that Python's dates have.
        dated = f"{known} and {day} between date '0001-01-01' and date '9999-12-31'"
        by_date = dict(
            connection.execute(f"select {day}::varchar, sum({value}) {dated} group by 1 order by 1").fetchall()
        )
    rankings = tuple(_ranking(connection, column, value, known) for column in measure.by)
    return Summed(measure.label or measure.column, measure.unit, total, by_date, rankings)


def _ranking(connection: duckdb.DuckDBPyConnection, column: str, value: str, known: str) -> Ranking:
    """Return the values of a column with the highest sums. Ties are ordered by value."""
    by = f"coalesce({identifier(column)}::varchar, '(null)')"
    found = connection.execute(
        f"""
        select {by} as value, sum({value}) as summed, count(*) over () as number {known}
        group by 1
        order by 2 desc, 1
        limit {TOP}
        """
    ).fetchall()
    top = tuple((f"{name[:CUT]}…" if len(name) > CUT else name, summed) for name, summed, _ in found)
    return Ranking(column, top, found[0][2] if found else 0)
