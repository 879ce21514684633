"""What a step adds to an error, and which date a flow run is for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from orchestration.errors import Cancelled, Conflict, DataFailed, GateRefused, IngestCleanError, LakeServerError
from orchestration.flows import ingest
from orchestration.flows.nights import own_date
from orchestration.log import SILENT, log_to
from orchestration.steps import IN_DOUBT, UNTOUCHED, step

DATE, AGAIN = "2025-05-20", "elt run 2025-05-20"


# errors in a step


def test_an_interrupted_step_is_cancelled_and_named() -> None:
    logged: list[str] = []

    with pytest.raises(Cancelled) as raised, step("transform", DATE, AGAIN, log_to(logged.append), {}, branch="etl-a"):
        raise KeyboardInterrupt

    assert raised.value.describe().splitlines() == [
        "2025-05-20 transform: interrupted",
        f"main: {UNTOUCHED}",
        "kept: branch etl-a",
        "next: elt run 2025-05-20",
    ]
    assert raised.value.exit_code == 130
    assert raised.value.__suppress_context__
    assert raised.value.__cause__ is None
    assert logged == []


def test_an_interrupted_merge_leaves_main_in_doubt() -> None:
    with pytest.raises(Cancelled) as raised, step("publish", DATE, AGAIN, SILENT, {}, main=IN_DOUBT):
        raise KeyboardInterrupt

    assert raised.value.main == IN_DOUBT


def test_an_error_is_marked_and_otherwise_unchanged() -> None:
    error = DataFailed("events_has_rows: 1 failing rows", remedy="elt rejects 2025-05-20")

    with pytest.raises(DataFailed) as raised, step("transform", DATE, AGAIN, SILENT, {}, branch="etl-x"):
        raise error

    assert raised.value is error
    assert error.describe().splitlines() == [
        "2025-05-20 transform: events_has_rows: 1 failing rows",
        f"main: {UNTOUCHED}",
        "kept: branch etl-x",
        "next: elt rejects 2025-05-20, then elt run 2025-05-20",
    ]


@pytest.mark.parametrize(
    ("error", "main"),
    [
        (GateRefused("stray object"), UNTOUCHED),
        (Conflict("main moved"), UNTOUCHED),
        (LakeServerError("500"), IN_DOUBT),
        (DataFailed("no rows"), IN_DOUBT),
    ],
)
def test_a_refusal_is_a_clear_answer_about_main(error: IngestCleanError, main: str) -> None:
    with pytest.raises(type(error)), step("publish", DATE, AGAIN, SILENT, {}, main=IN_DOUBT):
        raise error

    assert error.main == main


def test_the_innermost_step_names_the_error() -> None:
    with (
        pytest.raises(Cancelled) as raised,
        step("publish", DATE, AGAIN, SILENT, {}, branch="outer"),
        step("publish", DATE, AGAIN, SILENT, {}, main=IN_DOUBT, branch="inner"),
    ):
        raise KeyboardInterrupt

    assert (raised.value.step, raised.value.main, raised.value.branch) == ("publish", IN_DOUBT, "inner")


def test_an_error_from_outside_the_project_is_not_changed() -> None:
    logged: list[str] = []

    with pytest.raises(ZeroDivisionError), step("transform", DATE, AGAIN, log_to(logged.append), {}):
        raise ZeroDivisionError

    assert logged == []


def test_a_step_that_succeeds_logs_its_seconds() -> None:
    logged: list[str] = []

    with step("transform", DATE, AGAIN, log_to(logged.append), {}):
        pass

    assert [re.fullmatch(r"transform: 0\.\d\d s", line) is not None for line in logged] == [True]


# the date of a flow run


@contextmanager
def flow_run(scheduled: datetime, **parameters: Any) -> Iterator[None]:
    """Act as a flow run that was scheduled for this time, with these parameters."""
    run = FlowRun(flow_id=uuid4(), expected_start_time=scheduled)
    context: dict[str, Any] = {"flow_run": run, "parameters": parameters}
    with FlowRunContext.model_construct(**context):
        yield


@pytest.mark.parametrize(
    ("scheduled", "date"),
    [
        (datetime(2025, 5, 21, 3, tzinfo=UTC), "2025-05-20"),
        (datetime(2025, 3, 1, 0, 0, tzinfo=UTC), "2025-02-28"),
        # 1 a.m. in Berlin is still the day before in UTC.
        (datetime(2025, 5, 21, 1, tzinfo=timezone(timedelta(hours=2))), "2025-05-19"),
    ],
)
def test_the_date_is_the_day_before_the_scheduled_start_however_late_it_begins(scheduled: datetime, date: str) -> None:
    with flow_run(scheduled, execution_date=None, run_type="daily"):
        assert own_date() == date
        assert ingest._run_name() == f"{date} daily"


def test_a_date_that_was_asked_for_wins() -> None:
    with flow_run(datetime(2025, 5, 21, 3, tzinfo=UTC), execution_date="2024-02-29", run_type="backfill"):
        assert own_date() == "2024-02-29"
        assert ingest._run_name() == "2024-02-29 backfill"
