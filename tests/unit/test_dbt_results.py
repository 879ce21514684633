"""Which error follows from a build's results, and which notes are logged."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from orchestration.dbt_runner.faults import body_fault, platform_fault
from orchestration.dbt_runner.results import FailedTest, Kind, NodeResult, TableAccounting
from orchestration.errors import DataFailed, IngestCleanError, PlatformFailed, SourceBodyInvalid
from tests.helpers.projects import built

MALFORMED = (
    "Runtime Error in model events_checked (models/intermediate/events_checked.sql)\n"
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
def test_an_outcome_follows_from_the_nodes(nodes: list[NodeResult], error: type[IngestCleanError] | None) -> None:
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
    parts = TableAccounting(10, 8, 0, 0, 8, 8, {"price_not_numeric": 2}, {}, {}, (), rejects)
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


def test_a_build_that_passed_logs_its_warnings() -> None:
    parts = TableAccounting(
        raw=1_000,
        curated=985,
        identical=1,
        conflicting=12,
        accepted_keys=985,
        curated_keys=985,
        rejected={"price_not_numeric": 2},
        drift={"Channel": 3},
        missing={},
        conflicting_keys=("a", "b"),
        rejects={},
    )
    warned = FailedTest(WARNED.unique_id, WARNED.name, "warn", 1, ({"event_type": "gift" * 100},))
    notes = list(
        built(
            node("events", "success"),
            failed_tests=(warned,),
            accounting={"events": parts},
            across_dates={"events": {"published_rows": 3, "kept_rows": 2}},
        ).notes()
    )
    assert notes == [
        (logging.WARNING, "events: undeclared field 'Channel' in 3 of 1,000 records"),
        (logging.INFO, "events: 2 of 1,000 rows rejected for price_not_numeric"),
        (logging.INFO, "events: 12 conflicting rows omitted, with keys such as 'a', 'b'"),
        (logging.INFO, "events of all dates: published_rows 3, kept_rows 2"),
        (
            logging.WARNING,
            "events_event_type_known: 1 rows, such as " + f"event_type='{'gift' * 100}"[:300] + "…",
        ),
    ]


FORGED = "\x1b]0;x\x07\nERROR | forged \u202e\ufeff"


def accounting(**values: Any) -> TableAccounting:
    """An accounting of 60 records without any outcome."""
    parts: dict[str, Any] = {"identical": 0, "conflicting": 0, "rejected": {}, "drift": {}, "missing": {}}
    parts |= {"raw": 60, "curated": 60, "accepted_keys": 60, "curated_keys": 60, "conflicting_keys": (), "rejects": {}}
    return TableAccounting(**{**parts, **values})


@pytest.mark.parametrize(
    "lost",
    [{"raw": 61}, {"curated_keys": 59}, {"accepted_keys": 61}, {"accepted_keys": 59, "curated_keys": 59}],
)
def test_an_accounting_closes_over_rows_and_keys(lost: dict[str, int]) -> None:
    assert accounting().closes
    assert not accounting(**lost).closes


@pytest.mark.parametrize(
    ("drift", "fields", "note"),
    [
        ({"A": 60}, 0, "undeclared field 'A' in 60 of 60 records"),
        ({"A": 1, "B": 60}, 2, "2 undeclared fields: 'B' in 60, 'A' in 1 of 60 records"),
        (
            {f"F{number:02}": 60 for number in range(20)},
            490,
            "490 undeclared fields, such as 'F00', 'F01', 'F02', 'F03', 'F04' and 485 more",
        ),
    ],
)
def test_undeclared_fields_are_one_line_per_table(drift: dict[str, int], fields: int, note: str) -> None:
    parts = accounting(drift=drift, drift_fields=fields)
    assert list(built(accounting={"events": parts}).notes()) == [(logging.WARNING, f"events: {note}")]


def test_failed_data_shows_the_field_that_came_instead() -> None:
    failed = FailedTest(LIMIT.unique_id, LIMIT.name, "fail", 1, ({"field": "Event ID", "records_without_it": 2},))
    parts = accounting(drift={"\ufeffEvent ID": 2})
    cause = DataFailed(str(built(LIMIT, failed_tests=(failed,), accounting={"events": parts}).failure())).cause
    assert cause.splitlines()[1:] == [
        "  field='Event ID', records_without_it=2",
        r"events: undeclared field '\ufeffEvent ID' in 2 of 60 records",
    ]


def test_no_foreign_value_starts_a_line_or_reaches_a_terminal_unescaped() -> None:
    failed = FailedTest(LIMIT.unique_id, LIMIT.name, "fail", 1, ({"key": FORGED},))
    warned = FailedTest(WARNED.unique_id, WARNED.name, "warn", 1, ({"key": FORGED},))
    parts = accounting(
        conflicting=1,
        conflicting_keys=(FORGED,),
        drift={FORGED: 1, f"{FORGED}2": 1},
        rejected={"bad": 1},
        rejects={"bad": ({"page": FORGED, "record": FORGED},)},
    )
    result = built(LIMIT, WARNED, failed_tests=(failed, warned), accounting={"events": parts})
    cause = str(result.failure())
    notes = [note for _, note in result.notes()]
    for line in (*cause.splitlines(), *notes):
        assert line.isprintable()
        assert not line.startswith("ERROR")
    assert len(cause.splitlines()) == 5
    assert len(notes) == 4


def test_many_reasons_and_long_messages_are_cut_to_a_few_lines() -> None:
    reasons = {f"column_{number:03}_not_integer": 1 for number in range(400)}
    rejects = {reason: ({"page": "p", "record": "x" * 301},) * 5 for reason in reasons}
    broken = node("events", "error", f"{CONTRACT.message} {'y' * 15_000_000}")
    result = built(broken, LIMIT, accounting={"events": accounting(rejected=reasons, rejects=rejects)})
    notes = "\n".join(note for _, note in result.notes())
    assert len(str(result.failure())) < 5_000
    assert "events: 395 of 60 rows rejected for 395 more reasons" in notes
    assert len(notes.splitlines()) == 6


@pytest.mark.parametrize(
    ("message", "cause", "remedy"),
    [
        (
            "Job aborted due to stage failure: …\nCaused by: java.lang.OutOfMemoryError: Java heap space\n",
            "Spark needs more memory: java.lang.OutOfMemoryError: Java heap space",
            "raise ELT_SPARK_MEMORY",
        ),
        (
            "org.apache.spark.SparkException: Python worker exited unexpectedly (crashed): EOFError\n",
            "the Python of a task of Spark ended, most often for lack of memory: Python worker exited unexpectedly "
            "(crashed): EOFError",
            "lower ELT_DUCKDB_MEMORY",
        ),
        (
            "Lost task 0.3 in stage 4.0: ExecutorLostFailure (executor 3 exited)\nDriver stacktrace:",
            "Spark lost its executors: Lost task 0.3 in stage 4.0: ExecutorLostFailure (executor 3 exited)",
            "see the logs of its workers",
        ),
        (
            "Job 7 cancelled:\nReason: Master removed our application: FAILED\n",
            "Spark lost its executors: Reason: Master removed our application: FAILED",
            "see the logs of its workers",
        ),
    ],
)
def test_a_failure_of_spark_is_one_line_with_its_remedy(message: str, cause: str, remedy: str) -> None:
    error = platform_fault([("other", "Database Error"), ("events", message)])

    assert str(error) == f"events: {cause}"
    assert error.remedy.startswith(remedy)
