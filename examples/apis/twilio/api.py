"""Twilio: Basic auth, a plain date, and relative next links that are null at the end."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import at, number, require, serve

SECRETS = {"user": "AC1", "password": "s:cret"}
_PATH = "/2010-04-01/Accounts/AC1/Messages.json"
_DAYS_SENT = ("Mon, 19 May 2025", *["Tue, 20 May 2025"] * 5, "Thu, 22 May 2025")
_ALL: list[dict[str, Any]] = [
    {
        "sid": f"SM{place}",
        "from": "+15550100",
        "to": "+15550101",
        "date_sent": f"{day} {place + 10}:00:00 +0000",
        "num_segments": str(place + 1),
        "price": None if place == 3 else "-0.00790",
    }
    for place, day in enumerate(_DAYS_SENT)
]
# A message that is sent while the pages are read moves the others on, so that one of them comes twice.
RECORDS = [*_ALL[1:3], *_ALL[2:6]]
COUNTS = {"identical": 1}
PUBLISHED = [
    {
        "sid": f"SM{place}",
        "from": "+15550100",
        "to": "+15550101",
        "date_sent": at(f"2025-05-20T{place + 10}:00:00"),
        "num_segments": place + 1,
        "price": price,
    }
    for place, price in ((1, -0.0079), (2, -0.0079), (3, None), (4, -0.0079), (5, -0.0079))
]
_DAYS = {"2025-05-19": _ALL[:1], "2025-05-20": RECORDS, "2025-05-22": _ALL[6:]}


def messages(request: Request) -> Response:
    """Answer GET /2010-04-01/Accounts/{sid}/Messages.json."""
    wanted = f"Basic {b64encode(b'AC1:s:cret').decode()}"
    require(request.headers.get("Authorization") == wanted, 401, {"code": 20003, "message": "Authenticate"})
    day, size, page = (
        request.query_params.get("DateSent", ""),
        number(request, "PageSize", 50),
        number(request, "Page", 0),
    )
    found = _DAYS.get(day, [])
    more = (page + 1) * size < len(found)
    following = f"{_PATH}?DateSent={day}&PageSize={size}&Page={page + 1}&PageToken=PA{page}" if more else None
    body = {"messages": found[page * size : (page + 1) * size], "next_page_uri": following, "page": page}
    return JSONResponse({**body, "page_size": size, "uri": str(request.url)})


def app() -> Starlette:
    """Return the API."""
    return serve((_PATH, messages))
