"""The contenders of `make bench` do the same work.

Those of an environment of their own are left out here; each call of the benchmark checks them too.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from benchmarks.compare.contenders import contenders
from benchmarks.compare.rounds import compare
from benchmarks.compare.stage import UNGATED, Stage, open_stage
from examples.events_api.dirt import accounting
from orchestration.lake.client import MAIN

ROWS = 1_000


def test_all_contenders_publish_the_same_events_and_another_price_is_noticed(tmp_path: Path) -> None:
    lines: list[str] = []
    with open_stage() as stage, stage.day(ROWS, "ndjson") as day:
        result = compare(stage, day, contenders(None, "not installed"), 1, lines.append)

        assert result.published == accounting(ROWS).curated
        assert [(one.name, len(one.runs), one.note) for one in result.outcomes] == [
            ("backfill", 1, ""),
            ("daily", 1, ""),
            ("bare", 1, ""),
            ("dbt", 1, ""),
            ("pandas", 0, "not installed"),
            ("polars", 0, "not installed"),
        ]
        backfill, daily, bare, *_ = result.outcomes
        assert list(backfill.steps) == list(daily.steps) == ["plan", "extract", "land", "transform", "audit", "publish"]
        assert bare.steps == {}
        assert all(outcome.runs[0].peak > 10_000_000 for outcome in result.outcomes if outcome.runs)
        assert len(lines) == 4
        (key,) = [found.key for found in stage.ungated.objects(MAIN, "curated/events/")]
        assert_another_price_is_noticed(stage, key, tmp_path)


def assert_another_price_is_noticed(stage: Stage, key: str, folder: Path) -> None:
    lake, date = stage.ungated, key.split("date=")[1].split("/")[0]
    published = stage.published(UNGATED, MAIN, date)
    (folder / "published.parquet").write_bytes(lake.read(MAIN, key) or b"")
    with duckdb.connect() as connection:
        rows = f"select * from '{folder / 'published.parquet'}'"
        for name, changed in (
            ("shuffled", f"{rows} order by description, event_id desc"),
            ("priced", rows.replace("*", "* replace (if(event_id like '%000010-2', price + 0.01, price) as price)")),
        ):
            lake.create_branch(name, lake.head(MAIN))
            connection.execute(f"copy ({changed}) to '{folder / name}' (format parquet)")
            lake.put(name, key, folder / name, "application/octet-stream")
    shuffled, priced = (stage.published(UNGATED, name, date) for name in ("shuffled", "priced"))

    assert shuffled == published
    assert priced.rows == published.rows
    assert priced.digest != published.digest
