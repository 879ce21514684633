"""Open-Meteo: a first and a last day, and a body of columns."""

from __future__ import annotations

from datetime import date, timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import EMPTY_DAY, at, require, serve

SECRETS: dict[str, str] = {}


def _hourly(day: str) -> dict[str, list[object]]:
    hours = range(0 if day >= EMPTY_DAY else 24)
    return {
        "time": [1_747_692_000 + 3_600 * hour for hour in hours],
        "temperature_2m": [10.5 + hour / 4 for hour in hours],
        "precipitation": [None if hour == 3 else 0.1 for hour in hours],
    }


_COLUMNS = _hourly("2025-05-20")
# The first hour begins at midnight in Berlin.
PUBLISHED = [
    {
        "time": at("2025-05-19T22:00:00") + timedelta(hours=hour),
        "temperature_2m": 10.5 + 0.25 * hour,
        "precipitation": None if hour == 3 else 0.1,
    }
    for hour in range(24)
]
RECORDS = [dict(zip(_COLUMNS, row, strict=True)) for row in zip(*_COLUMNS.values(), strict=True)]


def archive(request: Request) -> Response:
    """Answer GET /v1/archive."""
    query = request.query_params
    for name in ("latitude", "longitude", "start_date", "end_date"):
        require(name in query, 400, {"error": True, "reason": f"Parameter '{name}' is missing"})
    first, last = date.fromisoformat(query["start_date"]), date.fromisoformat(query["end_date"])
    require(first == last, 400, {"error": True, "reason": "This imitation knows single days only"})
    require(query.get("timezone") == "Europe/Berlin", 400, {"error": True, "reason": "Invalid timezone"})
    require(query.get("timeformat") == "unixtime", 400, {"error": True, "reason": "This imitation knows unixtime only"})
    require(query.get("hourly") == "temperature_2m,precipitation", 400, {"error": True, "reason": "hourly"})
    units = {"time": "unixtime", "temperature_2m": "°C", "precipitation": "mm"}
    return JSONResponse({"utc_offset_seconds": 7200, "hourly_units": units, "hourly": _hourly(str(first))})


def app() -> Starlette:
    """Return the API."""
    return serve(("/v1/archive", archive))
