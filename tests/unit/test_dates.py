from datetime import UTC, datetime

import pytest

from orchestration.dates import parse_execution_date
from orchestration.errors import UsageError

NOW = datetime(2025, 5, 20, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2025-05-19", "2025-05-20", "2024-02-29", "0001-01-01"])
def test_a_day_up_to_today_is_taken_as_it_is(text: str) -> None:
    assert parse_execution_date(text, now=NOW) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "2025-5-20",
        "20250520",
        "2025-02-29",
        "2025-13-01",
        "2025-05-20T00:00",
        " 2025-05-20",
        "２０２５-05-20",
    ],
)
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="is not a date") as error:
        parse_execution_date(text, now=NOW)
    assert repr(text) in error.value.cause
    assert "2025-05-19" in error.value.remedy


def test_tomorrow_is_refused() -> None:
    with pytest.raises(UsageError, match="2025-05-21 is in the future: today is 2025-05-20 in UTC"):
        parse_execution_date("2025-05-21", now=NOW)
