"""Compare the pipeline with what a user would write instead, side by side: wall time and peak memory.

    make bench SIZE=medium
    tools/uv run python -m benchmarks.compare --size large --only backfill,bare

All contenders publish the same generated day to one local lakeFS, in turn, and the benchmark checks that each published
the same events. It starts servers of its own. The table is printed; target/bench/ gets it with JSON and two plots.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence

from benchmarks.compare.contenders import Contender, contenders
from benchmarks.compare.goals import goals_table
from benchmarks.compare.machine import describe, install_contenders, sentence
from benchmarks.compare.plot import draw, draw_steps
from benchmarks.compare.results import DayResult, as_json, table
from benchmarks.compare.rounds import BenchFailed, compare
from benchmarks.compare.sizes import SIZES, Size
from benchmarks.compare.stage import Stage, open_stage
from examples.events_api.options import Form
from orchestration.settings import PROJECT_DIR

OUTPUT = PROJECT_DIR / "target" / "bench"
_PARSE_ROWS = 1_000


def main() -> None:
    """Run the benchmark of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="medium", help="which days")
    parser.add_argument("--rounds", type=int, help="how often each contender runs (default: as the size says)")
    parser.add_argument("--only", help="names of contenders, with commas")
    options = parser.parse_args()
    size = SIZES[options.size]
    rounds = size.rounds if options.rounds is None else options.rounds
    if rounds < 1:
        parser.error(f"--rounds {rounds}: give at least 1")
    OUTPUT.mkdir(parents=True, exist_ok=True)
    python, problem = install_contenders(OUTPUT / "environment")
    known = contenders(python, problem)
    wanted = options.only.split(",") if options.only else [one.name for one in known]
    if unknown := set(wanted) - {one.name for one in known}:
        parser.error(f"--only {','.join(sorted(unknown))}: give names out of {','.join(one.name for one in known)}")
    machine = describe(python)
    begun = time.monotonic()
    try:
        days = run_size(size, rounds, [one for one in known if one.name in wanted])
    except BenchFailed as failed:
        sys.exit(str(failed))
    spent = f"{time.monotonic() - begun:.0f} s in all, load {os.getloadavg()[0]:.1f} at the end."
    text = "\n\n".join(filter(None, [*map(table, days), goals_table(days), f"{sentence(machine)} {spent}"]))
    (OUTPUT / f"{options.size}.md").write_text(f"{text}\n", encoding="utf-8")
    content = {"machine": machine, "days": [as_json(day) for day in days]}
    (OUTPUT / f"{options.size}.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    draw(days, OUTPUT / f"{options.size}.svg")
    draw_steps(days, OUTPUT / f"{options.size}-steps.svg")
    print(f"\n{text}\n\n{OUTPUT / options.size}.md, .json, .svg and -steps.svg")


def run_size(size: Size, rounds: int, chosen: Sequence[Contender]) -> list[DayResult]:
    """Start the servers, and compare the contenders on each day of a size.

    Raises:
        BenchFailed: A contender failed, or published other events than the others.
    """
    days = []
    with open_stage() as stage:
        for form in size.forms:
            _parse(stage, form, chosen)
        for rows in size.rows:
            for form in size.forms:
                with stage.day(rows, form) as day:
                    _report(f"{rows:,} events as {form}")
                    days.append(compare(stage, day, chosen, rounds, _report))
    return days


def _parse(stage: Stage, form: Form, chosen: Sequence[Contender]) -> None:
    """Let dbt parse each project before anything is measured, as it is parsed once per change and not once per run."""
    first = {one.parses: one for one in reversed(chosen) if one.parses and form in one.forms}
    with stage.day(_PARSE_ROWS, form) as day:
        compare(stage, day, list(first.values()), 1, lambda _: None)


def _report(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
