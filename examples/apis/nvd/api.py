"""NVD: two required ends of a window, offsets with a total, a key in a header, and 403 for too many requests."""

from __future__ import annotations

import time
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import Refused, at, instant, number, require, serve

SECRETS = {"token": "nvd-1"}
_SIZE = 2
_TIMES = ("2025-05-19T23:59:59.999", "2025-05-20T00:00:00.000", "2025-05-20T13:15:22.100", "2025-05-20T23:59:59.999")
_ALL: list[dict[str, Any]] = [
    {
        "cve": {
            "id": f"CVE-2025-{4_000 + place}",
            "published": published,
            "vulnStatus": "Received",
            "descriptions": [{"lang": "en", "value": f"Flaw {place}"}, {"lang": "es", "value": f"Fallo {place}"}],
            "metrics": {"cvssMetricV31": [{"cvssData": {"baseScore": 9.8}}]} if place == 2 else {},
        }
    }
    for place, published in enumerate((*_TIMES, "2025-05-22T00:00:00.000"))
]
RECORDS = _ALL[1:4]
PUBLISHED = [
    {
        "cve_id": f"CVE-2025-400{place}",
        "published": at(f"2025-05-20T{published}"),
        "status": "Received",
        "description": f"Flaw {place}",
        "base_score": score,
    }
    for place, published, score in ((1, "00:00:00", None), (2, "13:15:22.100", 9.8), (3, "23:59:59.999", None))
]


class _Api:
    """The first request in its life is one too many."""

    def __init__(self) -> None:
        self.last: float | None = None

    def vulnerabilities(self, request: Request) -> Response:
        """Answer GET /rest/json/cves/2.0."""
        query = request.query_params
        require(request.headers.get("apiKey") == "nvd-1", 404, {"message": "Invalid apiKey."})
        require("pubStartDate" in query and "pubEndDate" in query, 404, {"message": "Both dates are required."})
        now, last, self.last = time.monotonic(), self.last, time.monotonic()
        if last is None:
            raise Refused(403, {"message": "Too many requests"}, {"Retry-After": "0.1"})
        start = number(request, "startIndex", 0)
        require(not start or now - last >= 0.5, 403, {"message": "Too many requests"})
        since, until = instant(query["pubStartDate"]), instant(query["pubEndDate"])
        require((until - since).days <= 120, 404, {"message": "The range is at most 120 days."})
        found = [row for row in _ALL if since <= instant(f"{row['cve']['published']}Z") <= until]
        page = {"resultsPerPage": _SIZE, "startIndex": start, "totalResults": len(found), "format": "NVD_CVE"}
        return JSONResponse({**page, "vulnerabilities": found[start : start + _SIZE]})


def app() -> Starlette:
    """Return the API."""
    return serve(("/rest/json/cves/2.0", _Api().vulnerabilities))
