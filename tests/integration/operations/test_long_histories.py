"""What makes a long history quick: receipts that are cached, or not read at all. It never makes more visible."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from orchestration.analyst.query import query
from orchestration.errors import PlatformFailed
from orchestration.lake import keys
from orchestration.lake.cache import ObjectCache
from orchestration.lake.catalog import date_checksums, read_catalog
from orchestration.lake.client import MAIN, Lake
from orchestration.operations.points import point_on_main
from orchestration.operations.rollback import plan_rollback
from tests.helpers.gate_branches import commit, install_gate, md5, merge, receipt
from tests.helpers.own_lake import note_reads

DATES = ("2025-05-20", "2025-05-21", "2025-05-22")


@dataclass(frozen=True)
class Published:
    """A repository with three dates, whose receipts this machine has not read yet."""

    lake: Lake
    parquet: bytes
    merges: tuple[str, ...]


def date_of(parquet: bytes, date: str, rows: int = 1) -> dict[str, bytes | None]:
    """Returns the objects of a date: one table, and its receipt."""
    key = keys.curated("events", date)
    accounting = {"events": {"curated": rows}}
    return {key: parquet, keys.date_receipt(date): receipt({key: md5(parquet)}, accounting=accounting)}


@pytest.fixture(scope="module")
def published(open_repository: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory) -> Published:
    file = tmp_path_factory.mktemp("parquet") / "data.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"copy (select 1 as event_id) to '{file}' (format parquet)")
    lake = install_gate(open_repository("long-histories"))
    parquet = file.read_bytes()
    return Published(lake, parquet, tuple(merge(lake, date_of(parquet, date)) for date in DATES))


@pytest.fixture
def lake(published: Published, tmp_path: Path) -> Lake:
    """The repository, with an empty cache."""
    return Lake(published.lake.connection, published.lake.repository, ObjectCache(tmp_path / "receipts"))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    return note_reads(monkeypatch)


def test_a_receipt_is_read_once_by_a_machine(published: Published, lake: Lake, reads: list[str]) -> None:
    first, last = published.merges[0], published.merges[-1]
    names = [keys.date_receipt(date) for date in DATES]

    of_the_first = read_catalog(lake, first)
    assert reads == names[:1]
    of_the_last = read_catalog(lake, last)
    assert sorted(reads) == names
    again = Lake(lake.connection, lake.repository, ObjectCache(lake.cache.folder)) if lake.cache else lake
    assert (read_catalog(again, first), read_catalog(again, last)) == (of_the_first, of_the_last)
    assert sorted(reads) == names

    assert (tuple(of_the_first.receipts), tuple(of_the_last.receipts)) == (DATES[:1], DATES)
    assert read_catalog(published.lake, last) == of_the_last, "as without a cache"


def test_a_damaged_file_of_the_cache_is_read_from_the_lake(published: Published, lake: Lake, reads: list[str]) -> None:
    catalog = read_catalog(lake, published.merges[-1])
    assert lake.cache
    checksum = date_checksums(lake, published.merges[-1])[keys.date_receipt(DATES[1])]
    (lake.cache.folder / checksum).write_text("{}")
    reads.clear()

    assert read_catalog(lake, published.merges[-1]) == catalog
    assert reads == [keys.date_receipt(DATES[1])]


def test_only_audited_objects_are_read_whatever_the_cache_has(published: Published, lake: Lake) -> None:
    count = "select count(*) from events"
    files = read_catalog(lake, published.merges[-1]).files
    assert query(lake, count).rows == ((len(DATES),),)
    extra = {f"curated/events/date={DATES[0]}/extra.parquet": published.parquet}
    unpublished = {keys.curated("events", "2025-05-23"): published.parquet}

    sandbox = commit(lake, extra)
    for key, body in extra.items():
        lake.put(MAIN, key, body, keys.RAW_CONTENT_TYPE)
    assert query(lake, count).rows == ((len(DATES),),), "a sandbox, and an uncommitted write on main"
    assert read_catalog(lake, MAIN).files == read_catalog(lake, sandbox).files == files
    lake.delete(MAIN, list(extra))
    merge(lake, {**extra, **unpublished, keys.GATE: None})

    assert query(lake, count).rows == ((len(DATES),),), "objects past the gate"
    assert read_catalog(lake, MAIN).files == files


def test_bytes_that_are_not_a_receipt_are_refused_from_the_cache_too(published: Published, lake: Lake) -> None:
    name = keys.date_receipt("2025-05-30")
    broken = commit(lake, {name: b"[]"})

    for _ in range(2):
        with pytest.raises(PlatformFailed, match=f"{name} at {broken[:12]} is not a receipt"):
            read_catalog(lake, broken)


def test_a_rollback_reads_the_receipts_that_differ(published: Published, lake: Lake, reads: list[str]) -> None:
    plan = plan_rollback(lake, published.merges[1])

    assert [(one.execution_date, one.effect, one.before) for one in plan.dates] == [
        (DATES[2], "removed", {"events": 1})
    ]
    assert [key for key in reads if keys.date_of_receipt(key)] == [keys.date_receipt(DATES[2])]


@pytest.mark.parametrize("point", [lambda id_: id_, lambda id_: MAIN])
def test_a_point_near_the_head_needs_one_page_of_the_log(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, point: Callable[[str], str]
) -> None:
    head = lake.head(MAIN)
    monkeypatch.setattr("orchestration.lake.connection.PAGE", 1)
    really = Lake.log

    def first_only(self: Lake, ref: str) -> Iterator[object]:
        yield next(really(self, ref))
        raise AssertionError("a second page was requested")

    monkeypatch.setattr(Lake, "log", first_only)

    assert point_on_main(lake, point(head)).id == head
