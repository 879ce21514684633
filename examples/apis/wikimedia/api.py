"""Wikimedia: the day in the path, a User-Agent with an address, and 404 until a day is loaded."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import DAY, EMPTY_DAY, require, serve

SECRETS: dict[str, str] = {}
# What the error for a day that is not loaded yet says.
NO_DATA = "answered 404 Not Found"
RECORDS = [
    {"article": article, "views": views, "rank": rank}
    for rank, (article, views) in enumerate({"Main_Page": 6_512_390, "Café": 81_206, "A/B": 9}.items(), 1)
]
PUBLISHED = [
    {"article": "A/B", "views": 9, "rank": 3},
    {"article": "Café", "views": 81_206, "rank": 2},
    {"article": "Main_Page", "views": 6_512_390, "rank": 1},
]


class _Api:
    """The empty day of the other APIs is loaded after it was asked for once."""

    def __init__(self) -> None:
        self.loaded = [DAY]

    def top(self, request: Request) -> Response:
        """Answer GET /metrics/pageviews/top/{project}/{access}/{year}/{month}/{day}."""
        require("@" in request.headers.get("User-Agent", ""), 403, {"detail": "Please set a user-agent"})
        asked = request.path_params
        day = "-".join(asked[part] for part in ("year", "month", "day"))
        is_loaded = day in self.loaded
        if day == EMPTY_DAY:
            self.loaded.append(day)
        missing = {"detail": "The date(s) you used are valid, but we either do not have data for those date(s)"}
        require(is_loaded, 404, missing)
        item = {"project": "en.wikipedia", "access": "all-access", **asked, "articles": RECORDS}
        return JSONResponse({"items": [item]})


def app() -> Starlette:
    """Return the API."""
    return serve(("/metrics/pageviews/top/en.wikipedia/all-access/{year}/{month}/{day}", _Api().top))
