"""The logical day of a run: ISO `YYYY-MM-DD` in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from orchestration.errors import UsageError

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def day_before(moment: datetime) -> str:
    """Return the date of a run that starts at `moment`: the day before it, in UTC."""
    return str(moment.astimezone(UTC).date() - timedelta(days=1))


def parse_execution_date(text: str, *, now: datetime | None = None) -> str:
    """Return the date unchanged if it is valid: a real day in exactly `YYYY-MM-DD`, not after today in UTC.

    Raises:
        UsageError: It is not such a date; the message contains the value.
    """
    today = (now or datetime.now(UTC)).date()
    remedy = f"give a day as YYYY-MM-DD, for example {today - timedelta(days=1)}"
    try:
        day = date.fromisoformat(text) if _ISO.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise UsageError(f"{text!r} is not a date", remedy=remedy)
    if day > today:
        raise UsageError(f"{text} is in the future: today is {today} in UTC", remedy=remedy)
    return text
