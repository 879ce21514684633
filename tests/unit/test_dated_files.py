"""Which files marts by date have, and which of them a build writes."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest

from orchestration.lake.dated_files import DatedFiles, all_files, changed_files, file_names

START = date(2025, 1, 20)


@pytest.mark.parametrize(
    ("dates", "names"),
    [
        ([], ()),
        (["2025-05-17"], ("2025-05-17",)),
        (["2025-05-17", "2025-05-01"], ("2025-05-01", "2025-05-17")),
        (["2025-05-17", "2025-04-30", "2025-04-01"], ("2025-04", "2025-05-17")),
        (["2025-05-17", "2024-05-17"], ("2024-05", "2025-05-17")),
    ],
)
def test_only_the_latest_month_has_a_file_for_each_date(dates: list[str], names: tuple[str, ...]) -> None:
    assert file_names(dates) == names


def test_a_build_of_all_dates_takes_nothing_from_former_files() -> None:
    dates = ("2025-04-30", "2025-05-17")
    assert all_files(reversed(dates)) == DatedFiles(dates, ("2025-04", "2025-05-17"), ("2025-04", "2025-05-17"))


def test_a_new_date_of_the_month_writes_its_file_only() -> None:
    dates = ("2025-04-30", "2025-05-16", "2025-05-17")
    files = changed_files(dates, dates[2:], dates[:2], "s3://lake/commit")
    assert (files.dates, files.written) == (("2025-05-17",), ("2025-05-17",))
    assert (files.former, files.former_root) == (("2025-04", "2025-05-16"), "s3://lake/commit")


def test_the_first_date_of_a_month_also_joins_the_files_of_the_month_before() -> None:
    dates = ("2025-05-30", "2025-05-31", "2025-06-01")
    assert changed_files(dates, dates[2:], dates[:2], "").written == ("2025-05", "2025-06-01")


def test_a_removed_date_is_not_taken_from_the_file_of_its_month() -> None:
    files = changed_files(("2025-05-30", "2025-06-01"), (), ("2025-05-30", "2025-05-31", "2025-06-01"), "")
    assert (files.dates, files.written) == (("2025-05-31",), ("2025-05",))


def written(files: DatedFiles, lake: dict[str, dict[str, int]], versions: dict[str, int]) -> dict[str, dict[str, int]]:
    """The files after a build, each with its dates and their versions, as the materialization writes them."""
    former = {day: version for name in files.former for day, version in lake[name].items() if day not in files.dates}
    rows = {**former, **{day: versions[day] for day in files.dates if day in versions}}
    return {
        name: {day: version for day, version in sorted(rows.items()) if day.startswith(name)}
        if name in files.written
        else lake[name]
        for name in files.names
    }


@pytest.mark.parametrize("seed", range(20))
def test_builds_of_some_dates_give_the_files_of_a_build_of_all(seed: int) -> None:
    chance = random.Random(seed)
    versions: dict[str, int] = {}
    lake: dict[str, dict[str, int]] = {}
    for turn in range(1, 60):
        before = dict(versions)
        for _ in range(chance.randint(1, 3)):
            day = str(START + timedelta(days=chance.randint(0, 70)))
            if versions.pop(day, None) is None or chance.random() < 0.7:
                versions[day] = turn
        changed = {day for day, _ in before.items() ^ versions.items()}
        lake = written(changed_files(versions, changed & versions.keys(), before, ""), lake, versions)
        assert lake == written(all_files(versions), {}, versions)
