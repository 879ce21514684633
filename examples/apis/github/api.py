"""GitHub: an open-ended window, pages by Link header, and a rate limit that is reported by 403 and a time of reset."""

from __future__ import annotations

import time

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import Refused, instant, number, require, serve

SECRETS = {"token": "ghp_1"}
_TIMES = ("2025-05-19T23:59:59Z", "2025-05-20T00:00:00Z", "2025-05-20T08:00:00Z", "2025-05-20T09:30:00Z")
_ALL = [
    {"id": 900 + place, "number": place, "title": f"Issue {place}", "updated_at": at}
    for place, at in enumerate((*_TIMES, "2025-05-20T23:59:59Z", "2025-05-20T23:59:59Z"))
]
RECORDS = _ALL[1:]


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
