"""What the imitations of public APIs share: responses, and records of two days.

Each folder here has the declaration of one API (`sources.yml`) and an imitation of it (`api.py`), as its public
documentation describes it. An imitation has

    app()      the API as an ASGI app
    SECRETS    the settings of the source, such as {"token": "..."}
    RECORDS    the records of 2025-05-20 as the API sends them, in order
    PUBLISHED  the rows that `main` then has, in order, written down independently of the declaration
    COUNTS     how many records are in no row, and why, if there are any

2025-05-19 has records too, and 2026-01-01 has none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

DAY = "2025-05-20"
EMPTY_DAY = "2026-01-01"

Handler = Callable[[Request], Response]


class Refused(Exception):
    """A request that the API refuses, with its response."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.response = JSONResponse(body, status, headers)


def serve(*routes: tuple[str, Handler], posts: tuple[str, ...] = ()) -> Starlette:
    """Return an app with these paths and handlers. `posts` are the paths that take POST instead of GET."""
    return Starlette(
        routes=[
            Route(path, _answering(handle), methods=["POST" if path in posts else "GET"]) for path, handle in routes
        ]
    )


def _answering(handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        request.state.body = await request.body()
        try:
            return handle(request)
        except Refused as refused:
            return refused.response

    return answer


def require(holds: bool, status: int, body: Any) -> None:
    """Refuse the request unless a condition holds."""
    if not holds:
        raise Refused(status, body)


def instant(text: str) -> datetime:
    """Return the time that a request names, which must have an offset."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, {"error": f"{text!r} is not a time"}) from None
    require(at.tzinfo is not None, 400, {"error": f"{text!r} has no offset"})
    return at


def at(text: str) -> datetime:
    """Return a time in UTC, as a published row has it."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def number(request: Request, name: str, default: int) -> int:
    """Return a whole number of the query."""
    text = request.query_params.get(name, str(default))
    require(text.isdigit(), 400, {"error": f"{name} is not a number"})
    return int(text)
