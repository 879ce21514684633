"""USGS: a window whose end is included, offsets from 1 on, and 204 for no data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import at, instant, number, require, serve

SECRETS: dict[str, str] = {}
_START = datetime(2025, 5, 20, tzinfo=UTC)
_ALL: list[dict[str, Any]] = [
    {
        "type": "Feature",
        "id": f"us{place}",
        "properties": {
            "mag": None if place == 4 else 1.5 + place,
            "place": "10 km NW of The Geysers, CA",
            "time": int((_START.timestamp() + seconds) * 1000),
            "updated": 1_750_000_000_040,
        },
        "geometry": {"type": "Point", "coordinates": [-122.5, 38.25, None if place == 4 else 7.0]},
    }
    for place, seconds in enumerate((-0.001, 0, 10, 600, 50_000, 86_399.999, 86_400 * 2))
]
RECORDS = _ALL[1:6]
PUBLISHED = [
    {
        "id": name,
        "type": "Feature",
        "magnitude": magnitude,
        "place": "10 km NW of The Geysers, CA",
        "time": at(f"2025-05-20T{time}"),
        "updated": at("2025-06-15T15:06:40.040"),
        "longitude": -122.5,
        "latitude": 38.25,
        "depth": depth,
    }
    for name, magnitude, time, depth in (
        ("us1", 2.5, "00:00:00", 7.0),
        ("us2", 3.5, "00:00:10", 7.0),
        ("us3", 4.5, "00:10:00", 7.0),
        ("us4", None, "13:53:20", None),
        ("us5", 6.5, "23:59:59.999", 7.0),
    )
]


def events(request: Request) -> Response:
    """Answer GET /fdsnws/event/1/query."""
    query = request.query_params
    require(query.get("format") == "geojson", 400, {"error": "Bad Request"})
    offset, limit = number(request, "offset", 1), number(request, "limit", 20_000)
    require(offset >= 1 and limit <= 20_000, 400, {"error": "Bad Request"})
    since, until = instant(query["starttime"]), instant(query["endtime"])
    moments = [datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=row["properties"]["time"]) for row in _ALL]
    found = [row for row, moment in zip(_ALL, moments, strict=True) if since <= moment <= until]
    page = found[offset - 1 : offset - 1 + limit]
    if not page:
        return Response(status_code=204)
    metadata = {"count": len(page), "offset": offset, "limit": limit, "status": 200}
    body = {"type": "FeatureCollection", "metadata": metadata, "features": page}
    return JSONResponse(body, media_type="application/geo+json")


def app() -> Starlette:
    """Return the API."""
    return serve(("/fdsnws/event/1/query", events))
