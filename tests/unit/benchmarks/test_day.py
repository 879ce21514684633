"""The day that benchmarks serve."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from benchmarks.day import serving, write_day
from examples.events_api.dirt import accounting


def test_a_day_is_the_same_each_time_and_in_each_form(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("first", "second", "array")]
    for folder, form in zip(folders, ("ndjson", "ndjson", "array"), strict=True):
        folder.mkdir()
        write_day(1_000, form, folder)  # type: ignore[arg-type]
    first, second, array = ((folder / "events").read_bytes() for folder in folders)

    assert first == second
    assert [json.loads(line) for line in first.splitlines()] == json.loads(array)


def test_a_day_has_the_dirt_that_is_counted(tmp_path: Path) -> None:
    size = write_day(1_000, "ndjson", tmp_path)
    events = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    keys = [event["Event ID"] for event in events if (event["Event ID"] or "").strip()]

    assert size == (tmp_path / "events").stat().st_size
    assert len(events) == 1_000
    counted = accounting(1_000)
    assert len(keys) - len(set(keys)) == counted.identical + counted.conflicting
    assert len(events) - len(keys) == counted.reasons["event_id_missing"]


def test_the_same_day_is_served_for_every_date(tmp_path: Path) -> None:
    (tmp_path / "events").write_bytes(b'{"a":1}\n')
    with serving(tmp_path, "application/x-ndjson") as url:
        answers = [httpx.get(f"{url}/events", params={"date": date}) for date in ("2025-05-20", "2025-05-21")]

    assert [answer.content for answer in answers] == [b'{"a":1}\n'] * 2
    assert answers[0].headers["Content-Type"] == "application/x-ndjson"
