"""docs/runbook.md, "Nothing arrived": each entry is provoked with real parts, and its commands make all well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from prefect.states import Scheduled

from tests.helpers.elt_runs import CLOSED
from tests.helpers.night import Night, days_after
from tests.helpers.runbook import Operator, entry


def published_in_the_end(operator: Operator, execution_date: str, **further: Any) -> None:
    """Does what an entry says that begins and ends with `elt check`."""
    done = operator.does(codes={"elt check": (5, 0)}, DATE=execution_date, **further)
    assert "Published" in done[-1]


@entry("No worker runs")
def test_no_worker(
    night: Night, operator: Operator, execution_date: str, prefect_client: SyncPrefectClient, deployment: UUID
) -> None:
    night_start = datetime.fromisoformat(execution_date).replace(tzinfo=UTC) + timedelta(days=1, hours=3)
    waiting: State[Any] = Scheduled(scheduled_time=night_start)
    prefect_client.create_flow_run_from_deployment(deployment, state=waiting)
    operator.sees(operator.types(f"elt check {execution_date}", code=5))

    published_in_the_end(operator, execution_date)

    assert night.is_well(execution_date)


@entry("The schedule is paused")
def test_a_paused_schedule(
    night: Night, operator: Operator, execution_date: str, prefect_client: SyncPrefectClient, deployment: UUID
) -> None:
    operator.sees(operator.types(f"elt check {execution_date}", code=5))

    published_in_the_end(operator, execution_date)

    assert [schedule.active for schedule in prefect_client.read_deployment(deployment).schedules] == [True]
    assert night.is_well(execution_date)


@entry("Prefect is down")
def test_a_prefect_that_is_down(
    night: Night,
    operator: Operator,
    execution_date: str,
    prefect_client: SyncPrefectClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = str(prefect_client.api_url)
    monkeypatch.setenv("PREFECT_API_URL", f"{CLOSED}/api")
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
    operator.sees(operator.types(f"elt check {execution_date}", code=5), DATE=execution_date)

    published_in_the_end(
        operator, execution_date, before={"docker compose up": lambda: monkeypatch.setenv("PREFECT_API_URL", url)}
    )

    assert night.is_well(execution_date)


@entry("Several nights are missing")
def test_several_missing_nights(night: Night, operator: Operator, execution_date: str) -> None:
    first, last, tonight = days_after(execution_date, 1, 2, 3)
    for published in (execution_date, tonight):
        night.publish(published)
    operator.sees(operator.types(f"elt check {tonight}"))

    planned, _ = operator.does(FROM=first, TO=last)

    assert "2 dates" in planned
    assert night.is_well(first, last)
    assert first not in operator.types(f"elt check {tonight}")
