"""`make demo`: run the pipeline on synthetic data, command by command, as a person would type them."""

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
    """Run three dates, one of them twice, a bad day, and the marts. The servers are started and stay up."""
    today = datetime.now(UTC).date()
    *days, bad_day = (str(today - timedelta(days=back)) for back in (4, 3, 2, 1))
    elt("up")
    elt("init")
    with ExitStack() as stack:
        shop = stack.enter_context(serving(create_app(Options(rows=ROWS))))
        faulty = stack.enter_context(serving(create_app(Options(rows=ROWS, fault="bad-day"))))
        say(f"A sample shop answers at {shop}: {ROWS:,} events a day, with the defects that real data has.")
        outcomes = [run(day, shop) for day in days]
        say("The same date again, from the same raw and the same code:")
        outcomes.append(run(days[0], shop))
        say("A bad day, on which one price in 25 is unusable: its tests fail, so main never sees it.")
        outcomes.append(run(bad_day, faulty))
    say("How each run ended:")
    print(format_table(("date", "outcome", "exit", "events", "products", "commit"), outcomes))
    say("The marts of all dates, published through the same gate; then the EDA report:")
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
        "both require a login: tools/uv run elt status --show-login;\n"
        "more commands: tools/uv run elt --help; stop the servers: tools/uv run elt down"
    )
    return 0


def run(day: str, url: str) -> tuple[object, ...]:
    """Run `elt run` and return a row of the outcome table."""
    done = typed("run", day, "--json", SHOP_API_URL=url)
    result: dict[str, Any] = json.loads(done.stdout)
    rows = result.get("rows", {})
    commit = str(result.get("commit", ""))[:12]
    return (day, result["outcome"], done.returncode, rows.get("events"), rows.get("products"), commit)


def elt(*arguments: str) -> None:
    """Run one `elt` command and print its result. If it fails, exit with its exit code."""
    done = typed(*arguments)
    print(done.stdout, end="", flush=True)
    if done.returncode:
        sys.exit(done.returncode)


def typed(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one `elt` command. Its progress is shown as it is written."""
    print(f"\n$ elt {' '.join(arguments)}", flush=True)
    # Prefect's web pages show its logs. prefect-dbt sets a level of its own, so only the console's level is changed.
    environment = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "ERROR", **os.environ, **environment}
    return subprocess.run(
        [sys.executable, "-m", "orchestration", *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )


def say(text: str) -> None:
    """Print one remark for the reader."""
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
