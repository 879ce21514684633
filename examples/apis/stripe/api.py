"""Stripe: a window in seconds, and a cursor that is the last record's id, with a flag."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import at, number, require, serve

SECRETS = {"token": "sk_test_1"}
_START = 1747699200  # 2025-05-20 in UTC
_ALL: list[dict[str, Any]] = [
    {
        "id": f"ch_{place}",
        "object": "charge",
        "amount": 100 + place,
        "created": _START + seconds,
        "billing_details": {"address": {"country": "DE" if place % 2 else None}, "name": None},
    }
    for place, seconds in enumerate((-1, 0, 3_600, 7_200, 40_000, 60_000, 86_398, 86_399))
]
RECORDS = _ALL[1:]
PUBLISHED = [
    {"id": name, "object": "charge", "amount": amount, "created": at(f"2025-05-20T{time}"), "country": country}
    for name, amount, time, country in (
        ("ch_1", 101, "00:00:00", "DE"),
        ("ch_2", 102, "01:00:00", None),
        ("ch_3", 103, "02:00:00", "DE"),
        ("ch_4", 104, "11:06:40", None),
        ("ch_5", 105, "16:40:00", "DE"),
        ("ch_6", 106, "23:59:58", None),
        ("ch_7", 107, "23:59:59", "DE"),
    )
]


def charges(request: Request) -> Response:
    """Answer GET /v1/charges."""
    query = request.query_params
    require(
        request.headers.get("Authorization") == "Bearer sk_test_1", 401, {"error": {"type": "invalid_request_error"}}
    )
    since, until = number(request, "created[gte]", 0), number(request, "created[lt]", 2**40)
    found = [charge for charge in _ALL if since <= charge["created"] < until]
    if after := query.get("starting_after"):
        names = [charge["id"] for charge in found]
        require(after in names, 400, {"error": {"message": f"No such charge: {after}"}})
        found = found[names.index(after) + 1 :]
    limit = number(request, "limit", 10)
    page = {"object": "list", "url": "/v1/charges", "has_more": len(found) > limit, "data": found[:limit]}
    return JSONResponse(page)


def app() -> Starlette:
    """Return the API."""
    return serve(("/v1/charges", charges))
