"""Which error a build's results stand for."""

from __future__ import annotations

import pytest

from orchestration.dbt_results import FailedTest, Kind, NodeResult, TableAccounting, body_fault
from orchestration.errors import DataFailed, IngestCleanError, PlatformFailed, SourceBodyInvalid
from tests.support import built

MALFORMED = (
    "Runtime Error in model events_checked (models/curated/events_checked.sql)\n"
    '  Invalid Input Error: Malformed JSON in file "s3://project/abc/raw/shop/events/date=2025-05-20/page-00002.json", '
    "at byte 16 in line 3: unexpected character. "
)


def node(name: str, status: str, message: str = "", kind: Kind = "model") -> NodeResult:
    return NodeResult(f"{kind}.ingest_clean.{name}", kind, status, 1 if status == "fail" else None, 0.1, message)


CONTRACT = node("events", "error", "This model has an enforced contract that failed: 1 nulls in …")
LIMIT = node("events_has_rows", "fail", "Got 1 result", "test")
BROKEN_TEST = node("events_has_rows", "error", "Binder Error", "test")
LOST = node("events", "error", "IO Error: Could not establish connection")
PAGE = node("events_checked", "error", MALFORMED)
SKIPPED = node("events_accounting", "skipped")
WARNED = node("events_event_type_known", "warn", "Got 1 result", "test")


@pytest.mark.parametrize(
    ("nodes", "error"),
    [
        ([node("events", "success"), WARNED], None),
        ([CONTRACT, SKIPPED], DataFailed),
        ([LIMIT], DataFailed),
        ([BROKEN_TEST], PlatformFailed),
        ([LOST, SKIPPED], PlatformFailed),
        ([LIMIT, LOST], PlatformFailed),
        ([LIMIT, LOST, PAGE], SourceBodyInvalid),
        ([node("prices", "fail", "", "unit_test")], PlatformFailed),
    ],
)
def test_an_outcome_is_told_by_the_nodes(nodes: list[NodeResult], error: type[IngestCleanError] | None) -> None:
    failure = built(*nodes).failure()
    assert type(failure) is (error or type(None))
    assert built(*nodes).passed == (error is None)


def test_a_malformed_page_is_named_by_its_key_and_position() -> None:
    fault = body_fault(MALFORMED, "s3://project/abc/")
    assert fault
    page = "raw/shop/events/date=2025-05-20/page-00002.json"
    assert fault.cause == f"{page}: Malformed JSON at byte 16 in line 3: unexpected character"


def test_failed_data_names_tests_and_rejects_with_examples() -> None:
    rejects = {"price_not_numeric": ({"page": "p1", "record": '{"Price": "n/a"}'},)}
    parts = TableAccounting(10, 8, 0, 0, {"price_not_numeric": 2}, {}, {}, (), rejects)
    failed = FailedTest(LIMIT.unique_id, LIMIT.name, "fail", 1, ({"raw_rows": 0},))
    with pytest.raises(DataFailed) as raised:
        built(LIMIT, failed_tests=(failed,), accounting={"events": parts}).require_passed()
    assert raised.value.cause.splitlines() == [
        "events_has_rows: 1 failing rows",
        "  raw_rows=0",
        "events rejected for price_not_numeric: 2 of 10 rows",
        '  p1: {"Price": "n/a"}',
    ]
    assert parts.closes


def test_a_build_that_passed_says_what_a_person_should_know() -> None:
    parts = TableAccounting(
        raw=1_000,
        curated=985,
        identical=1,
        conflicting=12,
        rejected={"price_not_numeric": 2},
        drift={"Channel": 3},
        missing={},
        conflicting_keys=("a", "b"),
        rejects={},
    )
    warned = FailedTest(WARNED.unique_id, WARNED.name, "warn", 1, ({"event_type": "gift" * 100},))
    told = list(
        built(
            node("events", "success"),
            failed_tests=(warned,),
            accounting={"events": parts},
            across_dates={"events": {"published_rows": 3, "kept_rows": 2}},
        ).notes()
    )
    assert told == [
        "warning: events: undeclared field 'Channel' in 3 of 1,000 records",
        "events: 2 of 1,000 rows rejected for price_not_numeric",
        "events: 12 conflicting rows left out, under keys such as a, b",
        "events of all dates: published_rows 3, kept_rows 2",
        "warning: events_event_type_known: 1 rows, such as " + f"event_type={'gift' * 100}"[:300] + "…",
    ]
