"""Frankfurter: a plain date, and rows as an array or, by Accept, as NDJSON. Its answers may be compressed."""

from __future__ import annotations

import gzip
import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import require, serve

SECRETS: dict[str, str] = {}
RECORDS = [
    {"date": "2025-05-20", "base": "EUR", "quote": quote, "rate": rate}
    for quote, rate in {"CHF": 0.9382, "GBP": 0.84155, "JPY": 162.71, "USD": 1.1254}.items()
]
PUBLISHED = [
    {"date": "2025-05-20", "base": "EUR", "quote": "CHF", "rate": 0.9382},
    {"date": "2025-05-20", "base": "EUR", "quote": "GBP", "rate": 0.84155},
    {"date": "2025-05-20", "base": "EUR", "quote": "JPY", "rate": 162.71},
    {"date": "2025-05-20", "base": "EUR", "quote": "USD", "rate": 1.1254},
]


def rates(request: Request) -> Response:
    """Answer GET /v2/rates."""
    query = request.query_params
    require(query.get("base", "EUR") == "EUR", 404, {"message": "not found"})
    found = [row for row in RECORDS if row["date"] == query.get("date")]
    if "application/x-ndjson" not in request.headers.get("Accept", ""):
        return JSONResponse(found)
    lines = "".join(f"{json.dumps(row)}\n" for row in found).encode()
    if "gzip" not in request.headers.get("Accept-Encoding", ""):
        return Response(lines, media_type="application/x-ndjson")
    return Response(gzip.compress(lines), media_type="application/x-ndjson", headers={"Content-Encoding": "gzip"})


def app() -> Starlette:
    """Return the API."""
    return serve(("/v2/rates", rates))
