"""HubSpot: a search by POST with times in milliseconds, and a cursor in the body."""

from __future__ import annotations

import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import require, serve

SECRETS = {"token": "pat-1"}
_START = 1747699200000  # 2025-05-20 in UTC
_ALL: list[dict[str, Any]] = [
    {
        "id": str(500 + place),
        "properties": {"email": f"a{place}@example.org", "lastmodifieddate": _START + milliseconds},
        "updatedAt": "2025-05-20T12:00:00.000Z",
    }
    for place, milliseconds in enumerate((-1, 0, 1, 3_600_000, 86_399_998, 86_399_999, 2 * 86_400_000))
]
RECORDS = _ALL[1:6]


def contacts(request: Request) -> Response:
    """Answer POST /crm/v3/objects/contacts/search."""
    require(request.headers.get("Authorization") == "Bearer pat-1", 401, {"status": "error", "message": "no"})
    body = json.loads(request.state.body)
    (group,) = body["filterGroups"]
    limits = {each["operator"]: int(each["value"]) for each in group["filters"]}
    at = [contact["properties"]["lastmodifieddate"] for contact in _ALL]
    found = [contact for contact, moment in zip(_ALL, at, strict=True) if limits["GTE"] <= moment < limits["LT"]]
    after, size = int(body.get("after", 0)), body["limit"]
    page: dict[str, Any] = {"total": len(found), "results": found[after : after + size]}
    if after + size < len(found):
        page["paging"] = {"next": {"after": str(after + size), "link": f"?after={after + size}"}}
    return JSONResponse(page)


def app() -> Starlette:
    """Return the API."""
    path = "/crm/v3/objects/contacts/search"
    return serve((path, contacts), posts=(path,))
