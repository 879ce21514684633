"""What `make bench` makes of its measurements, and when it refuses to compare."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.compare.contenders import BARE, Contender, contenders
from benchmarks.compare.goals import GOALS, goals_table
from benchmarks.compare.machine import install_contenders
from benchmarks.compare.measure import Measured
from benchmarks.compare.plot import draw, draw_steps
from benchmarks.compare.results import DayResult, Outcome, Run, as_json, table
from benchmarks.compare.rounds import BenchFailed, ended_early, in_turn, require_same, require_space
from benchmarks.compare.sizes import SIZES
from benchmarks.compare.stage import Published, without_settings
from benchmarks.run import steps_of


def runs(*seconds: float, peak: int = 100_000_000, **steps: float) -> tuple[Run, ...]:
    return tuple(Run(one, peak, 0.5, {name: one * share for name, share in steps.items()}) for one in seconds)


PIPELINE = Outcome("backfill", "`elt run`", runs(14.0, 12.0, 16.0, peak=2_000_000_000, extract=0.1, transform=0.5))
SCRIPT = Outcome(BARE, "bare script", runs(7.0, 9.0, 6.5))
DAY = DayResult(1_000, "ndjson", 245_000, 981, (PIPELINE, SCRIPT))


def contender(name: str) -> Contender:
    return next(one for one in contenders(None, "not installed: no uv") if one.name == name)


def ended(code: int, log: str = "") -> Measured:
    return Measured(seconds=3.25, peak=2_500_000_000, code=code, output="", log=log)


def test_a_contender_has_medians_and_its_spread() -> None:
    assert PIPELINE.seconds == 14.0
    assert PIPELINE.spread == (12.0, 16.0)
    assert PIPELINE.peak == 2_000_000_000
    assert PIPELINE.steps == pytest.approx({"extract": 1.4, "transform": 7.0})
    assert SCRIPT.steps == {}


def test_the_table_gives_each_contender_as_a_multiple_of_the_bare_script() -> None:
    assert table(DAY) == (
        "**1,000 events, 0.2 MB as NDJSON.** Each contender published the same 981 events.\n"
        "\n"
        "| contender | seconds, median | shortest to longest | × the bare script | peak memory, MB |\n"
        "| --- | ---: | ---: | ---: | ---: |\n"
        "| `elt run` | 14.00 | 12.00 to 16.00 | 2.00 | 2,000 |\n"
        "| bare script | 7.00 | 6.50 to 9.00 | 1.00 | 100 |\n"
        "\n"
        "Steps of `elt run`, in seconds: extract 1.40, transform 7.00."
    )


def test_who_did_not_finish_has_a_reason_and_no_figures() -> None:
    died = Outcome(BARE, "bare script", (), "out of memory after 41.0 s, at 2,600 MB")
    day = replace(DAY, outcomes=(PIPELINE, died))

    assert "| bare script (out of memory after 41.0 s, at 2,600 MB) | | | | |" in table(day)
    assert "| `elt run` | 14.00 | 12.00 to 16.00 |  | 2,000 |" in table(day)
    assert day.ratio(PIPELINE) is None
    assert as_json(day)["contenders"][1] | {"runs": []} == {
        "name": "bare",
        "title": "bare script",
        "seconds": None,
        "ratio_to_bare": None,
        "peak_bytes": None,
        "steps": {},
        "note": "out of memory after 41.0 s, at 2,600 MB",
        "runs": [],
    }


def test_the_json_has_every_run() -> None:
    found = json.loads(json.dumps(as_json(DAY)))

    assert {name: found[name] for name in ("rows", "form", "bytes", "published")} == {
        "rows": 1_000,
        "form": "ndjson",
        "bytes": 245_000,
        "published": 981,
    }
    pipeline, script = found["contenders"]
    assert pipeline["ratio_to_bare"] == 2.0
    assert [run["seconds"] for run in pipeline["runs"]] == [14.0, 12.0, 16.0]
    assert [run["load"] for run in script["runs"]] == [0.5, 0.5, 0.5]


def test_the_plot_shows_each_day_and_those_who_finished(tmp_path: Path) -> None:
    died = Outcome("pandas", "pandas", (), "not run")
    large = replace(DAY, rows=10_000_000, outcomes=(PIPELINE, SCRIPT, died))

    draw([DAY, large], tmp_path / "plot.svg")

    drawn = (tmp_path / "plot.svg").read_text()
    # matplotlib draws texts as shapes, each with its text as a comment.
    assert "<!-- 1,000 events, 0.2 MB as NDJSON -->" in drawn
    assert "<!-- 10,000,000 events, 0.2 MB as NDJSON -->" in drawn
    assert drawn.count("<!-- backfill -->") == drawn.count("<!-- bare -->") == 2
    assert "<!-- pandas -->" not in drawn


def test_each_round_begins_with_another_contender() -> None:
    known = [contender(name) for name in ("backfill", BARE, "dbt")]

    orders = [[one.name for one in in_turn(known, number)] for number in range(4)]

    assert orders == [
        ["backfill", "bare", "dbt"],
        ["bare", "dbt", "backfill"],
        ["dbt", "backfill", "bare"],
        ["backfill", "bare", "dbt"],
    ]
    assert in_turn([], 2) == []


def test_a_contender_that_is_not_installed_or_needs_too_much_memory_is_left_out() -> None:
    pandas = replace(contender("pandas"), missing="")

    assert contender("pandas").obstacle(1, 10**12) == "not installed: no uv"
    assert pandas.obstacle(1_000, 10**9) == ""
    assert pandas.obstacle(10_000_000, 24 * 10**9).startswith("not run: needs about ")
    assert contender(BARE).obstacle(10**9, 0) == ""


@pytest.mark.parametrize(
    ("code", "log"),
    [
        (-9, ""),
        (1, "_duckdb.OutOfMemoryException: Out of Memory Error: could not allocate block of size 256.0 KiB"),
        (1, "Traceback\nMemoryError"),
    ],
)
def test_death_of_memory_is_a_result(code: int, log: str) -> None:
    assert ended_early(contender(BARE), ended(code, log)) == "out of memory after 3.2 s, at 2,500 MB"


def test_any_other_failure_ends_the_benchmark() -> None:
    assert ended_early(contender(BARE), ended(0, "a warning about a MemoryError")) == ""
    with pytest.raises(BenchFailed, match=r"bare failed with exit code 1:\nKeyError: 'BENCH_DATE'"):
        ended_early(contender(BARE), ended(1, "KeyError: 'BENCH_DATE'\n"))


def test_other_rows_or_other_values_are_refused() -> None:
    pipeline = Published(981, "a1")

    require_same("bare", Published(981, "a1"), ("backfill", pipeline), 981)
    with pytest.raises(BenchFailed, match="bare published 982 events, not 981"):
        require_same("bare", Published(982, "a1"), ("backfill", pipeline), 981)
    with pytest.raises(BenchFailed, match="bare published as many events as backfill, but with other values"):
        require_same("bare", Published(981, "b2"), ("backfill", pipeline), 981)


def test_too_small_a_disk_is_refused(tmp_path: Path) -> None:
    require_space(1, tmp_path)
    with pytest.raises(BenchFailed, match=r"1000000000 GB are needed in .*, and \d+ GB are free: .* set TMPDIR"):
        require_space(10**18, tmp_path)


def test_a_failed_installation_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = tmp_path / "uv"
    uv.write_text("#!/bin/sh\necho 'error: no network' >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setenv("UV", str(uv))

    assert install_contenders(tmp_path / "environment") == (None, "not installed: error: no network")


def test_settings_of_the_user_do_not_reach_a_contender() -> None:
    environment = {"PATH": "/bin", "ELT_REPOSITORY": "mine", "LAKEFS_ENDPOINT": "x", "PREFECT_API_URL": "y"}

    assert without_settings(environment) == {"PATH": "/bin"}


def test_the_steps_are_read_from_the_log() -> None:
    assert steps_of("10:00 plan: 0.52 s\nextract: 1.4 s\nretry of extract: soon\n") == {"plan": 0.52, "extract": 1.4}


def test_every_size_but_the_smallest_has_three_rounds() -> None:
    assert {name: size.rounds for name, size in SIZES.items()} == {"small": 1, "medium": 3, "large": 3}


def test_goals_are_compared_with_the_days_that_were_measured() -> None:
    assert goals_table([DAY]) == (
        "| goal | reach | beyond | measured | |\n"
        "| --- | ---: | ---: | ---: | --- |\n"
        "| 1,000 events as ndjson: seconds of a backfill run | 5 | 3 | 14.00 | missed |"
    )
    assert goals_table([replace(DAY, rows=7)]) == ""


@pytest.mark.parametrize(
    ("what", "reached", "missed"),
    [
        ("the pipeline's seconds ÷ the bare script's", 1.7, 1.71),
        ("pandas' seconds ÷ the pipeline's", 2.8, 2.79),
        ("MB of peak memory above DuckDB's limit", 600, 601),
    ],
)
def test_a_goal_is_reached_by_less_or_by_more(what: str, reached: float, missed: float) -> None:
    (goal,) = [goal for goal in GOALS if goal.what == what]
    assert goal.is_met(reached)
    assert not goal.is_met(missed)


def test_memory_counts_above_the_limit_of_duckdb() -> None:
    large = replace(DAY, rows=10_000_000, outcomes=(replace(PIPELINE, runs=runs(40.0, peak=2_500_000_000)),))
    assert "| 10,000,000 events as ndjson: MB of peak memory above DuckDB's limit | 600 | 400 | 500.00 | reached |" in (
        goals_table([large])
    )


def test_the_steps_are_drawn_with_what_is_outside_of_them(tmp_path: Path) -> None:
    file = tmp_path / "steps.svg"
    draw_steps([DAY], file)
    drawn = file.read_text(encoding="utf-8")
    assert all(f"<!-- {text} -->" in drawn for text in ("start and end", "transform", "backfill, 1,000 ndjson"))
    assert "bare" not in drawn
