"""HubSpot: a search by POST with times in milliseconds, and a cursor in the body."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import at, instant, require, serve

SECRETS = {"token": "pat-1"}
_START = 1747699200000  # 2025-05-20 in UTC


def _shown(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"


_ALL: list[dict[str, Any]] = [
    {
        "id": str(500 + place),
        "properties": {"email": f"a{place}@example.org", "lastmodifieddate": _shown(_START + milliseconds)},
        "archived": False,
    }
    for place, milliseconds in enumerate((-1, 0, 1, 3_600_000, 86_399_998, 86_399_999, 2 * 86_400_000))
]
RECORDS = _ALL[1:6]
PUBLISHED = [
    {"id": f"50{place}", "email": f"a{place}@example.org", "modified_at": at(modified), "archived": "false"}
    for place, modified in (
        (1, "2025-05-20T00:00:00"),
        (2, "2025-05-20T00:00:00.001"),
        (3, "2025-05-20T01:00:00"),
        (4, "2025-05-20T23:59:59.998"),
        (5, "2025-05-20T23:59:59.999"),
    )
]


def contacts(request: Request) -> Response:
    """Answer POST /crm/v3/objects/contacts/search."""
    require(request.headers.get("Authorization") == "Bearer pat-1", 401, {"status": "error", "message": "no"})
    body = json.loads(request.state.body)
    (group,) = body["filterGroups"]
    limits = {each["operator"]: int(each["value"]) for each in group["filters"]}
    modified = [instant(contact["properties"]["lastmodifieddate"]) for contact in _ALL]
    moments = [round(moment.timestamp() * 1000) for moment in modified]
    found = [contact for contact, moment in zip(_ALL, moments, strict=True) if limits["GTE"] <= moment < limits["LT"]]
    after, size = int(body.get("after", 0)), body["limit"]
    page: dict[str, Any] = {"total": len(found), "results": found[after : after + size]}
    if after + size < len(found):
        page["paging"] = {"next": {"after": str(after + size), "link": f"?after={after + size}"}}
    return JSONResponse(page)


def app() -> Starlette:
    """Return the API."""
    path = "/crm/v3/objects/contacts/search"
    return serve((path, contacts), posts=(path,))
