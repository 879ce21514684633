"""Wikimedia: the day in the path, a User-Agent with an address, and 404 until a day is loaded."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import require, serve

SECRETS: dict[str, str] = {}
# What the error for a day without data says.
NO_DATA = "answered 404 Not Found"
RECORDS = [
    {"article": article, "views": views, "rank": rank}
    for rank, (article, views) in enumerate({"Main_Page": 6_512_390, "Café": 81_206, "A/B": 9}.items(), 1)
]


def top(request: Request) -> Response:
    """Answer GET /metrics/pageviews/top/{project}/{access}/{year}/{month}/{day}."""
    require("@" in request.headers.get("User-Agent", ""), 403, {"detail": "Please set a user-agent"})
    day = request.path_params
    shown = "/".join(day[part] for part in ("year", "month", "day"))
    missing = {"detail": "The date(s) you used are valid, but we either do not have data for those date(s)"}
    require(shown == "2025/05/20", 404, missing)
    item = {"project": "en.wikipedia", "access": "all-access", **day, "articles": RECORDS}
    return JSONResponse({"items": [item]})


def app() -> Starlette:
    """Return the API."""
    return serve(("/metrics/pageviews/top/en.wikipedia/all-access/{year}/{month}/{day}", top))
