"""What the entries of docs/runbook.md are provoked with: a lake, a project, and an API that fails on some dates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp

from examples.events_api import Options, create_app
from orchestration.errors import IngestCleanError
from orchestration.lake.client import Lake
from orchestration.operations.audit import audit_main
from orchestration.run import DateSteps, run_date
from orchestration.settings import read_settings
from tests.helpers.nightly import ByDate
from tests.helpers.own_lake import variables_of
from tests.helpers.pipeline import require_whole
from tests.helpers.projects import request_for
from tests.helpers.runbook import message_of

ROWS = 100


@dataclass(frozen=True)
class Night:
    """What the entries share: a lake, a project, and an API that behaves otherwise on some dates."""

    lake: Lake
    project: Path
    shop: ByDate
    url: str

    @property
    def environment(self) -> dict[str, str]:
        access = self.lake.connection.access
        return {
            "ELT_REPOSITORY": self.lake.repository,
            "ELT_RETRIES": "0",
            **variables_of(access),
            "SHOP_API_URL": self.url,
        }

    def publish(self, execution_date: str, steps: DateSteps | None = None, **options: Any) -> None:
        """Runs a date without Prefect, with an API of its own where options are given."""
        with self.other_api(execution_date, **options):
            run_date(request_for(self.lake, read_settings(), execution_date), steps or DateSteps())

    def sends(self, execution_date: str, app: ASGIApp | None = None, **options: Any) -> None:
        """Lets the API behave otherwise on a date."""
        self.shop.dates[execution_date] = app or create_app(Options(**{"rows": ROWS, **options}))

    def recovers(self, execution_date: str) -> None:
        """Lets the API behave as usual on a date."""
        self.shop.dates.pop(execution_date, None)

    @contextmanager
    def other_api(self, execution_date: str, **options: Any) -> Iterator[None]:
        """Lets the API behave otherwise on a date, for a while."""
        if options:
            self.sends(execution_date, **options)
        yield
        if options:
            self.recovers(execution_date)

    def fails(self, execution_date: str, steps: DateSteps) -> str:
        """Runs a date with other steps, and returns the message of its failure."""
        with pytest.raises(IngestCleanError) as error:
            self.publish(execution_date, steps)
        return message_of(error.value)

    def is_well(self, *dates: str) -> bool:
        """Returns whether the dates are on `main`, and nothing is wrong with all of it."""
        assert audit_main(self.lake).findings == ()
        return all(require_whole(self.lake, execution_date) for execution_date in dates)


def days_after(execution_date: str, *ages: int) -> list[str]:
    return [str(date.fromisoformat(execution_date) + timedelta(days=age)) for age in ages]


def kept_branch(shown: str) -> str:
    return shown.split("kept: branch ")[1].split()[0]
