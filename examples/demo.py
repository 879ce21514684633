"""`make demo`: the pipeline at work on synthetic data, command by command, as a person would type them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from examples.events_api import Options, create_app, serving
from orchestration.cli.output import format_table

ROWS = 1_000


def main() -> int:
    """Starts the servers, runs three dates, one again, a planted bad day, and the marts; the servers stay up."""
    today = datetime.now(UTC).date()
    *days, bad_day = (str(today - timedelta(days=back)) for back in (4, 3, 2, 1))
    elt("up")
    elt("init")
    with ExitStack() as stack:
        shop = stack.enter_context(serving(create_app(Options(rows=ROWS))))
        spoilt = stack.enter_context(serving(create_app(Options(rows=ROWS, fault="bad-day"))))
        say(f"A sample shop answers at {shop}: {ROWS:,} events a day, with the dirt that real data has.")
        outcomes = [run(day, shop) for day in days]
        say("The same date again, from the same raw and the same code:")
        outcomes.append(run(days[0], shop))
        say("A bad day, on which one price in 25 is unusable: its tests fail, so main never sees it.")
        outcomes.append(run(bad_day, spoilt))
    say("How each run ended:")
    print(format_table(("date", "outcome", "exit", "events", "products", "commit"), outcomes))
    say("What the dates say together, published through the same gate; then a page about all of it:")
    elt("marts")
    elt("report")
    elt("log")
    elt(
        "sql",
        "select execution_date, sum(sales) as sales, sum(revenue) as revenue from daily_sales group by 1 order by 1",
    )
    say("Where to look next:")
    elt("status")
    say(
        "the Prefect pages are at the address above without /api, lakeFS's at its address; "
        "both ask for a login: tools/uv run elt status --show-login;\n"
        "more commands: tools/uv run elt --help; stop the servers: tools/uv run elt down"
    )
    return 0


def run(day: str, url: str) -> tuple[object, ...]:
    """Types `elt run`; gives the line of the outcome table."""
    done = typed("run", day, "--json", SHOP_API_URL=url)
    told: dict[str, Any] = json.loads(done.stdout)
    rows = told.get("rows", {})
    commit = str(told.get("commit", ""))[:12]
    return (day, told["outcome"], done.returncode, rows.get("events"), rows.get("products"), commit)


def elt(*arguments: str) -> None:
    """Types one `elt` command and shows its result; its failure ends the demo with its exit code."""
    done = typed(*arguments)
    print(done.stdout, end="", flush=True)
    if done.returncode:
        sys.exit(done.returncode)


def typed(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs one `elt` command; what it does meanwhile is shown as it comes."""
    print(f"\n$ elt {' '.join(arguments)}", flush=True)
    # What Prefect logs is on its pages; prefect-dbt sets its own level, so the console is told apart.
    environment = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR", **os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", "orchestration", *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )


def say(text: str) -> None:
    """One thought for the reader."""
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
