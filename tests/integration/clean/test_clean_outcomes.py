"""The outcomes of a build: DataFailed, SourceFailed, PlatformFailed, and what each leaves behind."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from orchestration.dbt_runner.build import environment
from orchestration.dbt_runner.inputs import RunFile
from orchestration.dbt_runner.manifest import load_manifest
from orchestration.dbt_runner.session import dbt_session
from orchestration.errors import DataFailed, PlatformFailed, SourceBodyInvalid, UsageError
from orchestration.log import log_to

from .conftest import DATE, SECRET, Bench, event, product

PAGE = f"raw/shop/events/date={DATE}/page-00002.json"


def test_a_good_day_passes_and_reports_its_results(bench: Bench) -> None:
    lines: list[str] = []
    result = bench.build(log=log_to(lines.append))
    result.require_passed()
    assert result.failed_tests == ()
    assert {node.kind for node in result.nodes} == {"model", "test", "hook"}
    assert result.versions["duckdb"] == duckdb.__version__
    assert any("events_accounting_closes" in line for line in lines)
    files = sorted(path.relative_to(bench.lake).as_posix() for path in bench.lake.rglob("*") if path.is_file())
    tables = ("events", "events_rejected", "products", "products_rejected")
    assert files == [f"curated/{table}/date={DATE}/data.parquet" for table in tables]


def test_too_many_rejects_are_data_failed_with_examples(bench: Bench) -> None:
    events = [event(f"e{number}") for number in range(100)]
    events[:2] = [event("e0", price="n/a"), event("e1", price="n/a")]
    result = bench.build([events])
    with pytest.raises(DataFailed, match="events_reject_share_within_limit") as failed:
        result.require_passed()
    assert "events rejected for price_not_numeric: 2 of 100 rows" in failed.value.cause
    assert '"Event ID": "e0"' in failed.value.cause
    (test,) = result.failed_tests
    assert test.rows[0]["rejected_rows"] == 2


def test_rejects_at_the_limit_pass(bench: Bench) -> None:
    bench.build([[event("e0", price="n/a"), *(event(f"e{number}") for number in range(1, 100))]]).require_passed()


def test_a_day_without_rows_is_data_failed(bench: Bench) -> None:
    with pytest.raises(DataFailed, match="products_has_rows"):
        bench.build(products=["[]"]).require_passed()


def test_a_declared_field_missing_in_every_record_is_data_failed(bench: Bench) -> None:
    gone = [{name: value for name, value in event(f"e{number}").items() if name != "Country"} for number in range(3)]
    result = bench.build([gone])
    with pytest.raises(DataFailed, match="field='Country'"):
        result.require_passed()


def test_a_field_that_is_null_in_every_record_is_not_missing(bench: Bench) -> None:
    bench.build([[event("a", customer_id=None), event("b", customer_id=None)]]).require_passed()


def test_an_unknown_kind_of_event_is_a_warning(bench: Bench) -> None:
    result = bench.build([[event(event_type="gift")]])
    assert result.passed
    assert [(test.name, test.status) for test in result.failed_tests] == [("events_event_type_known", "warn")]


def test_a_response_for_other_dates_is_data_failed_and_names_the_parameter(bench: Bench) -> None:
    days = ("2025-05-01", "2025-05-05", "2025-05-09", DATE, "2025-05-21")

    result = bench.build([[event(day, timestamp=f"{day}T10:00:00Z") for day in days]])

    with pytest.raises(DataFailed, match="events_other_dates_within_limit") as failed:
        result.require_passed()
    for part in ("instants=5, of_other_dates=3, share=0.6, other_dates_limit=0.5, earliest=2025-05-01 10:00:00+00:00",):
        assert part in failed.value.cause
    assert "see whether the API of shop.events takes the date as fetch asks for it" in failed.value.remedy
    assert "set other_dates_limit in config.meta" in failed.value.remedy


@pytest.mark.parametrize(
    "instants",
    [
        # A whole day of a shop at UTC+14, and one at UTC-12.
        ("2025-05-19T10:00:00Z", "2025-05-20T09:59:59Z"),
        ("2025-05-20T12:00:00Z", "2025-05-21T11:59:59Z"),
        # Half of the events are late.
        ("2025-05-20T10:00:00Z", "2025-05-01T10:00:00Z"),
        # No date, as some systems write it.
        ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"),
    ],
)
def test_a_day_of_another_time_zone_or_with_late_events_passes(bench: Bench, instants: tuple[str, ...]) -> None:
    bench.build([[event(at, timestamp=at) for at in instants]]).require_passed()


def test_ids_that_differ_by_white_space_only_are_a_warning(bench: Bench) -> None:
    result = bench.build([[event("1"), event(" 1"), event("1\u00a0"), event("01"), event("a b"), event("ab")]])

    result.require_passed()
    (test,) = result.failed_tests
    assert (test.name, test.status, test.failures) == ("events_keys_differ_beyond_white_space", "warn", 2)
    assert sorted((row["_keys"], row["_first"], row["_last"]) for row in test.rows) == [
        (2, "a b", "ab"),
        (3, " 1", "1\u00a0"),
    ]


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (
            '[{"Event ID": "a"},\n{"Event ID": ]',
            f"{PAGE}: Malformed JSON at byte 14 in record/value 3: unexpected character",
        ),
        ('[{"Event ID": "a"}', f"{PAGE}: Malformed JSON at byte 18 in record/value 3: unexpected character"),
        ('{"error": "quota"}', f"{PAGE}: Expected top-level JSON array"),
        ("<html></html>", f"{PAGE}: Expected top-level JSON array"),
    ],
)
def test_a_page_that_is_not_a_json_array_is_source_failed(bench: Bench, body: str, cause: str) -> None:
    result = bench.build([[event()], body])
    with pytest.raises(SourceBodyInvalid) as failed:
        result.require_passed()
    assert failed.value.cause == cause


def test_a_missing_page_is_platform_failed(bench: Bench) -> None:
    run = bench.run([[event()]])
    (Path(run.raw_root) / run.raw["shop.events"][0]).unlink()
    with pytest.raises(PlatformFailed, match="No files found"):
        bench.build_run(run).require_passed()


def test_an_unreachable_lake_is_platform_failed(bench: Bench) -> None:
    run = bench.run([[event()]])
    away = RunFile(run.execution_date, "s3://project/etl-1", run.raw_root, run.raw)
    with pytest.raises(PlatformFailed, match="localhost"):
        bench.build_run(away).require_passed()


def test_a_table_without_a_list_of_pages_is_refused(bench: Bench) -> None:
    run = bench.run([[event()]])
    with pytest.raises(UsageError, match=r"shop\.products"):
        bench.build_run(RunFile(run.execution_date, run.lake_root, run.raw_root, {"shop.events": []}))


def test_a_concurrent_build_is_refused(bench: Bench) -> None:
    refused: list[Exception] = []

    def second() -> None:
        try:
            bench.build()
        except PlatformFailed as error:
            refused.append(error)

    with dbt_session({}):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert "another dbt run" in str(refused[0])
    bench.build().require_passed()


def test_the_environment_is_restored_and_the_secret_is_in_no_file(bench: Bench) -> None:
    before = dict(os.environ)
    lines: list[str] = []
    bench.build(log=log_to(lines.append))
    load_manifest(bench.project, state_dir=bench.root, environment=environment(bench.engine))
    assert dict(os.environ) == before
    assert not [line for line in lines if SECRET in line]
    written = [path for path in bench.root.rglob("*") if path.is_file()]
    assert {path.suffix for path in written} >= {".json", ".msgpack", ".parquet", ".sql"}
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


def test_two_dates_of_one_manifest_write_their_own_files(bench: Bench) -> None:
    for date in ("2025-05-20", "2025-05-21"):
        bench.build_run(bench.run([[event(date)]], [[product()]], date)).require_passed()
    for date in ("2025-05-20", "2025-05-21"):
        with duckdb.connect() as connection:
            found = connection.execute(f"select event_id from read_parquet('{bench.file('events', date)}')").fetchall()
        assert found == [(date,)]


def test_the_bytes_do_not_depend_on_threads(bench: Bench) -> None:
    """More than two row groups, with repeats, so that different threads could write different bytes."""
    key = "raw/shop/events/date=2025-05-20/page-00001.json"
    run = bench.run(["[]"])
    page = Path(run.raw_root) / key
    columns = ", ".join(
        f"{value} as \"{name}\""
        for name, value in {
            **dict.fromkeys(event(), "'x' || i % 7"),
            "Event ID": "'e' || hash(i // 2) % 150000",
            "Timestamp": "1747735200 + i % 86400",
            "Quantity": "i % 12",
            "Price": "(case when i % 500 = 0 then 'n/a' else (i % 1000 / 100)::varchar end)",
            "Event Type": "'sale'",
        }.items()
    )  # fmt: skip
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select {columns} from range(300000) as numbers(i)) to '{page}' (format json, array true)"
        )
    written = []
    for threads in (1, 2, 4):
        at = replace(bench, engine=replace(bench.engine, threads=threads))
        at.build_run(run).require_passed()
        written.append([bench.file(name).read_bytes() for name in ("events", "events_rejected")])
    assert written[0] == written[1] == written[2]


def test_a_day_of_many_small_pages_needs_no_more_memory(bench: Bench) -> None:
    """If each page were a separate part of a table, 2,000 of them would need more than 400 MB."""
    small = replace(bench, engine=replace(bench.engine, memory="400MB"))
    pages = [[event(f"{page}-{row}") for row in range(50)] for page in range(2_000)]

    result = small.build(pages)

    result.require_passed()
    assert result.accounting["events"].curated == 100_000


def test_each_run_has_its_own_temporary_folder(bench: Bench) -> None:
    """Two engines in one folder would overwrite each other's spilled rows."""
    folders = {environment(bench.engine, run_file=bench.root / run / "run.json")["ELT_DUCKDB_TEMP"] for run in "ab"}

    assert folders == {str(bench.root / run / "temp") for run in "ab"}
