"""Commands that show published data: `elt log`, `rejects`, `sql`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli.output import Json, format_table, say, show
from orchestration.text import one_line

_RECORD = 2_000
"""Characters shown of one record. With --json it is complete."""

Date = Annotated[str, typer.Argument(metavar="DATE", help="The logical day, YYYY-MM-DD in UTC.")]


def log(
    limit: Annotated[int, typer.Option(min=1, help="The maximum number of publications to show.")] = 20,
    date: Annotated[str | None, typer.Option(metavar="DATE", help="Only publications of this date.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only publications since a time in UTC, such as 2025-05-20T03:00."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show publications and their flow runs, latest first."""
    from itertools import islice

    from orchestration.dates import parse_execution_date
    from orchestration.endpoints import open_lake
    from orchestration.lake.history import ROLLED_BACK, publications
    from orchestration.operations.points import parse_time
    from orchestration.settings import read_settings

    of_date = parse_execution_date(date) if date else None
    begin = parse_time(since) if since else None
    found = tuple(islice(publications(open_lake(read_settings()), execution_date=of_date, since=begin), limit))
    rows = [
        (
            one.execution_date or ("main" if one.outcome == ROLLED_BACK else "marts"),
            one.outcome,
            one.commit[:12],
            f"{one.published_at:%Y-%m-%d %H:%M:%S}",
            ", ".join(f"{table} {count:,}" for table, count in one.rows.items()),
            one.link or one.reason,
        )
        for one in found
    ]
    columns = ("date", "outcome", "commit", "published at", "rows", "flow run or reason")
    nothing = "no publication is like that" if date or since else "nothing is published yet"
    show({"publications": found}, format_table(columns, rows) if rows else nothing, as_json)


def rejects(
    date: Date,
    ref: Annotated[str, typer.Option(help="main, or the branch that a failed run kept.")] = "main",
    examples: Annotated[int, typer.Option(min=0, help="The maximum number of example rows per reason.")] = 5,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all of them to a .parquet or .csv file instead.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --export: replace the file if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Show the rejected rows of a date: reasons, counts, examples."""
    from orchestration.analyst.export import export_rejects
    from orchestration.analyst.query import rejects as read_rejects
    from orchestration.dates import parse_execution_date
    from orchestration.endpoints import open_lake
    from orchestration.settings import read_settings

    execution_date = parse_execution_date(date)
    settings = read_settings()
    lake = open_lake(settings)
    if export:
        written = export_rejects(lake, settings, execution_date, ref, export, overwrite=force)
        show(written, f"{written.rows:,} rejected rows of {execution_date} written to {written.file}", as_json)
        return
    found = read_rejects(lake, settings, execution_date, ref, examples)
    lines = (
        line
        for of_reason in found
        for line in (
            f"{of_reason.table}  {of_reason.reason}  {of_reason.count:,}",
            *(f"    {one_line(page)}: {one_line(record, _RECORD)}" for page, record in of_reason.examples),
        )
    )
    show({"rejects": found}, "\n".join(lines) or f"no rows of {execution_date} were rejected", as_json)


def sql(
    query: Annotated[str, typer.Argument(help="SQL for DuckDB.")],
    at: Annotated[
        str | None, typer.Option(metavar="POINT", help="A commit of main, a tag, or a time in UTC (default: now).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Query the published tables at one commit of main.

    Each table is a view with all its dates.
    """
    from orchestration.analyst.query import query as ask
    from orchestration.endpoints import open_lake
    from orchestration.operations.points import point_on_main
    from orchestration.settings import read_settings

    lake = open_lake(read_settings())
    answer = ask(lake, query, point_on_main(lake, at).id if at else None)
    say(f"main at {answer.commit[:12]}")
    show(answer, format_table(answer.columns, answer.rows), as_json)
