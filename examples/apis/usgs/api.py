"""USGS: a window whose end is included, offsets from 1 on, and 204 for no data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import instant, number, require, serve

SECRETS: dict[str, str] = {}
_START = datetime(2025, 5, 20, tzinfo=UTC)
_ALL: list[dict[str, Any]] = [
    {
        "type": "Feature",
        "id": f"us{place}",
        "properties": {"mag": 1.5 + place, "time": int((_START.timestamp() + seconds) * 1000)},
        "geometry": {"type": "Point", "coordinates": [-122.5, 38.25, 7.0]},
    }
    for place, seconds in enumerate((-0.001, 0, 10, 600, 50_000, 86_399.999, 86_400 * 2))
]
RECORDS = _ALL[1:6]


def events(request: Request) -> Response:
    """Answer GET /fdsnws/event/1/query."""
    query = request.query_params
    require(query.get("format") == "geojson", 400, {"error": "Bad Request"})
    offset, limit = number(request, "offset", 1), number(request, "limit", 20_000)
    require(offset >= 1 and limit <= 20_000, 400, {"error": "Bad Request"})
    since, until = instant(query["starttime"]), instant(query["endtime"])
    moments = [datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=row["properties"]["time"]) for row in _ALL]
    found = [row for row, at in zip(_ALL, moments, strict=True) if since <= at <= until]
    page = found[offset - 1 : offset - 1 + limit]
    if not page:
        return Response(status_code=204)
    metadata = {"count": len(page), "offset": offset, "limit": limit, "status": 200}
    body = {"type": "FeatureCollection", "metadata": metadata, "features": page}
    return JSONResponse(body, media_type="application/geo+json")


def app() -> Starlette:
    """Return the API."""
    return serve(("/fdsnws/event/1/query", events))
