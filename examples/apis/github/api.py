"""GitHub: an open-ended window, pages by Link header, and a rate limit that is reported by 403 and a time of reset."""

from __future__ import annotations

import time
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import Refused, at, instant, number, require, serve

SECRETS = {"token": "ghp_1"}
# The day begins at ten in the evening in UTC. The issue 905 was changed while the pages were read.
_TIMES = {
    900: "2025-05-19T21:59:59Z",
    901: "2025-05-19T22:00:00Z",
    902: "2025-05-20T08:00:00Z",
    905: "2025-05-20T09:30:00Z",
    903: "2025-05-20T21:59:59Z",
    904: "2025-05-20T22:00:00Z",
}
_ALL: list[dict[str, Any]] = [
    {
        "id": name,
        "number": name - 900,
        "title": f"Issue {name - 900}",
        "updated_at": updated,
        "closed_at": updated if name == 902 else None,
        "user": {"login": "octocat", "id": 1},
        "labels": [{"name": "bug"}, {"name": "shop"}] if name == 901 else [],
    }
    for name, updated in (*_TIMES.items(), (905, "2025-05-20T10:00:00Z"), (906, "2025-06-01T00:00:00Z"))
]
_ALL.sort(key=lambda issue: str(issue["updated_at"]))
RECORDS = _ALL[1:]
COUNTS = {"conflicting": 1, "other_dates": 2}
PUBLISHED = [
    {
        "id": name,
        "number": place,
        "title": f"Issue {place}",
        "updated_at": at(updated),
        "closed_at": at("2025-05-20T08:00:00") if place == 2 else None,
        "author": "octocat",
        "first_label": label,
    }
    for name, place, updated, label in (
        ("901", 1, "2025-05-19T22:00:00", "bug"),
        ("902", 2, "2025-05-20T08:00:00", None),
        ("903", 3, "2025-05-20T21:59:59", None),
        ("905", 5, "2025-05-20T10:00:00", None),
    )
]


class _Api:
    """The first request in its life meets the rate limit."""

    def __init__(self) -> None:
        self.requests = 0

    def issues(self, request: Request) -> Response:
        """Answer GET /repos/{owner}/{repo}/issues."""
        query = request.query_params
        require(request.headers.get("Authorization") == "Bearer ghp_1", 401, {"message": "Bad credentials"})
        require("User-Agent" in request.headers, 403, {"message": "Request forbidden by administrative rules."})
        self.requests += 1
        if self.requests == 1:
            limits = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{time.time() + 0.3:.3f}"}
            raise Refused(403, {"message": "API rate limit exceeded"}, limits)
        since, size, page = instant(query["since"]), number(request, "per_page", 30), number(request, "page", 1)
        found = [issue for issue in _ALL if instant(str(issue["updated_at"])) >= since]
        headers = {"X-RateLimit-Remaining": "4998", "X-RateLimit-Reset": str(int(time.time()) + 3_000)}
        last = -(-len(found) // size)
        if page < last:
            following, final = (request.url.include_query_params(page=at) for at in (page + 1, last))
            headers["Link"] = f'<{following}>; rel="next", <{final}>; rel="last"'
        return JSONResponse(found[(page - 1) * size : page * size], headers=headers)


def app() -> Starlette:
    """Return the API."""
    return serve(("/repos/octo/shop/issues", _Api().issues))
