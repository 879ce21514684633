"""Square: a window with offsets, a cursor that is absent at the end, and `{}` for no data."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import at, instant, number, require, serve

SECRETS = {"token": "EAAA1"}
# The day begins at four o'clock in UTC.
_TIMES = (
    "2025-05-20T03:59:59.999Z",
    "2025-05-20T04:00:00.000Z",
    "2025-05-20T15:00:00.000Z",
    "2025-05-21T03:59:59.000Z",
)
_ALL: list[dict[str, Any]] = [
    {
        "id": f"pay{place}",
        "created_at": created,
        "amount_money": {"amount": 100 * place, "currency": "USD"},
        "updated_at": f"2025-05-22T0{place}:00:00.000Z",
    }
    | ({"note": "paid at the door"} if place == 2 else {})
    for place, created in enumerate((*_TIMES, "2025-05-22T04:00:00.000Z"))
]
RECORDS = _ALL[1:4]
PUBLISHED = [
    {
        "id": name,
        "created_at": at(created),
        "amount": amount,
        "currency": "USD",
        "updated_at": at(updated),
        "note": note,
    }
    for name, created, amount, updated, note in (
        ("pay1", "2025-05-20T04:00:00", 100, "2025-05-22T01:00:00", None),
        ("pay2", "2025-05-20T15:00:00", 200, "2025-05-22T02:00:00", "paid at the door"),
        ("pay3", "2025-05-21T03:59:59", 300, "2025-05-22T03:00:00", None),
    )
]


def payments(request: Request) -> Response:
    """Answer GET /v2/payments."""
    query = request.query_params
    problem = {"errors": [{"category": "AUTHENTICATION_ERROR", "code": "UNAUTHORIZED"}]}
    require(request.headers.get("Authorization") == "Bearer EAAA1", 401, problem)
    since, until = instant(query["begin_time"]), instant(query["end_time"])
    found = [row for row in _ALL if since <= instant(row["created_at"]) < until]
    start, limit = int(b64decode(query["cursor"])) if "cursor" in query else 0, number(request, "limit", 100)
    page: dict[str, Any] = {"payments": found[start : start + limit]} if found else {}
    if start + limit < len(found):
        page["cursor"] = b64encode(str(start + limit).encode()).decode()
    return JSONResponse(page)


def app() -> Starlette:
    """Return the API."""
    return serve(("/v2/payments", payments))
