"""`elt backfill`: publish a range of dates."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orchestration.cli.output import Engine, Json, format_table, say, show
from orchestration.text import log_line

if TYPE_CHECKING:
    from orchestration.backfill.dates import DateEnd
    from orchestration.backfill.plan import BackfillPlan
    from orchestration.backfill.run import Backfilled

Only = Literal["missing", "changed", "rejected", "all"]

_FIRST = Annotated[str, typer.Argument(metavar="FROM", help="The first date, YYYY-MM-DD in UTC.")]
_LAST = Annotated[str, typer.Argument(metavar="TO", help="The last date, which is included.")]


def backfill(
    first: _FIRST,
    last: _LAST,
    only: Annotated[
        Only | None,
        typer.Option(
            help="missing: dates that main does not have; changed: built by other code; rejected: with rejected rows "
            "that the code accepts now, rebuilt from raw; all. Default: missing, with --from-raw changed."
        ),
    ] = None,
    from_raw: Annotated[
        bool, typer.Option("--from-raw", help="Rebuild dates from raw that has landed. Nothing is fetched.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes, each with one date at a time (default: 2; on Spark 1, with all its cores)."
        ),
    ] = None,
    max_failures: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Start no further date after N failures.")
    ] = None,
    build_marts: Annotated[bool, typer.Option("--marts/--no-marts", help="Build the marts at the end.")] = True,
    plan_only: Annotated[bool, typer.Option("--plan", help="Only show what would be done.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="With --only all: also the dates that an unfinished backfill has done.")
    ] = False,
    engine: Engine = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Publish a range of dates in several processes.

    A plan comes first and the marts come last. A date that fails does not stop the others. Interrupted and started
    again, it goes on with what is left.
    """
    from orchestration.backfill.journal import journal_of
    from orchestration.backfill.plan import plan_backfill, range_of
    from orchestration.backfill.run import run_backfill
    from orchestration.endpoints import open_lake
    from orchestration.errors import UsageError
    from orchestration.log import log_to
    from orchestration.settings import read_settings

    asked = range_of(first, last, only, from_raw)
    settings = read_settings().with_elt(engine=engine)
    workers = workers or (1 if settings.elt.engine == "spark" else 2)
    log = log_to(say)
    plan = plan_backfill(open_lake(settings), settings, asked, log)
    journal = journal_of(plan, settings)
    done = journal.done if journal and not restart else frozenset()
    plan = plan.without(done)
    text = _planned(plan, len(done), workers)
    if plan_only:
        show({"plan": plan}, text, as_json)
        return
    if plan.dates and not yes:
        say(text)
        if not sys.stdin.isatty():
            raise UsageError("a backfill is not started without a confirmation", remedy="add --yes")
        typer.confirm(f"publish {len(plan.dates):,} dates?", abort=True, err=True)
    if journal and restart:
        journal.delete()
    with _progress(len(plan.dates)) as on_end:
        done_now = run_backfill(
            plan,
            settings,
            log,
            workers=workers,
            max_failures=max_failures,
            marts=build_marts,
            journal=journal,
            on_end=on_end,
        )
    show(done_now, _ended(done_now), as_json)
    if done_now.exit_code:
        raise typer.Exit(done_now.exit_code)


def _planned(plan: BackfillPlan, done: int, workers: int) -> str:
    asked = plan.asked
    how = "rebuilt from raw" if asked.from_raw else "fetched and built"
    lines = [f"{asked.first} to {asked.last}, {asked.only}: {len(plan.dates):,} dates are {how}"]
    rows = [
        (group[0], group[-1], len(group), reason)
        for reason, group in (
            (reason, [planned.execution_date for planned in found])
            for reason, found in groupby(plan.dates, key=lambda planned: planned.reason)
        )
    ]
    if rows:
        lines.append(format_table(("from", "to", "dates", "reason"), rows))
    if plan.on_hold:
        lines.append(
            f"left out: {', '.join(plan.on_hold)}, which were rolled back; elt backfill DATE DATE publishes one again"
        )
    if plan.without_raw:
        lines.append(f"left out: {plan.without_raw:,} dates that main has no raw of")
    if done:
        lines.append(f"left out: {done:,} dates that the unfinished backfill before has done; --restart includes them")
    if plan.seconds is not None and plan.dates:
        seconds = plan.seconds * len(plan.dates) / min(workers, len(plan.dates))
        lines.append(
            f"estimate: {_duration(seconds)} with {workers} workers, at {plan.seconds:.1f} s a date as in recent runs"
        )
    return "\n".join(lines)


def _ended(done: Backfilled) -> str:
    counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(done.outcomes.items()))
    lines = [counts or "nothing to do"]
    if done.not_started:
        lines.append(f"{done.not_started:,} dates were not started, because of --max-failures")
    if done.plan.asked.only == "rejected":
        lines.append(f"{done.more_rows:,} rows came back")
    if done.marts:
        lines.append(done.marts)
    for failed in done.failed:
        lines.append(f"{failed.outcome}: {failed.message}")
    if done.marts_failed:
        lines.append(f"{done.marts_failed['outcome']}: marts: {done.marts_failed['cause']}")
    return "\n".join(lines)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[DateEnd], None]]:
    """Yield what to call for each date that has ended: a bar on a terminal, else a line per date."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    begun, count = time.monotonic(), 0
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("dates", total=total, rate="")

        def on_end(end: DateEnd) -> None:
            nonlocal count
            count += 1
            each = (time.monotonic() - begun) / count
            rate = f"{each:.2f} s a date"
            for warning in end.warnings:
                bar.print(log_line(f"{end.execution_date}: warning: {warning}"))
            first_line = end.message.partition("\n")[0]
            line = f"{end.outcome}: {first_line}" if end.exit_code else first_line
            left = (
                ""
                if console.is_terminal
                else f" ({count:,} of {total:,}; {rate}, {_duration(each * (total - count))} left)"
            )
            bar.print(log_line(f"{line}{left}"))
            bar.update(task, advance=1, rate=rate)

        yield on_end


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
