"""Socrata: a day in an expression, a key in a header, and offsets without a total."""

from __future__ import annotations

import re
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import at, number, require, serve

SECRETS = {"token": "app-1"}
_DAYS = ("2025-05-19", "2025-05-20", "2025-05-20", "2025-05-20", "2025-05-20", "2025-05-22")
_ALL: list[dict[str, Any]] = [
    {"unique_key": str(6_000 + place), "created_date": f"{day}T00:00:00.000", "borough": "BROOKLYN"}
    | ({} if place == 3 else {"latitude": f"40.6{place}"})
    for place, day in enumerate(_DAYS)
]
RECORDS = _ALL[1:5]
PUBLISHED = [
    {"unique_key": name, "created_date": at("2025-05-20T04:00:00"), "borough": "BROOKLYN", "latitude": latitude}
    for name, latitude in {"6001": 40.61, "6002": 40.62, "6003": None, "6004": 40.64}.items()
]


def rows(request: Request) -> Response:
    """Answer GET /resource/erm2-nwe9.json."""
    require(request.headers.get("X-App-Token") == "app-1", 403, {"code": "permission_denied", "error": True})
    wanted = re.fullmatch(r"created_date = '([^']+)'", request.query_params.get("$where", ""))
    require(wanted is not None, 400, {"code": "query.soql.invalid", "error": True})
    found = [row for row in _ALL if wanted and row["created_date"] == wanted[1]]
    start, limit = number(request, "$offset", 0), number(request, "$limit", 1_000)
    return JSONResponse(found[start : start + limit])


def app() -> Starlette:
    """Return the API."""
    return serve(("/resource/erm2-nwe9.json", rows))
