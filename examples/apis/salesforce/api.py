"""Salesforce: OAuth 2 client credentials, a window in a query language, and relative next links."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import at, instant, require, serve

SECRETS = {"client_id": "3MVG9", "client_secret": "shh"}
_PATH = "/services/data/v60.0/query"
_TIMES = ("2025-05-19T23:59:59.000+0000", "2025-05-20T00:00:00.000+0000", "2025-05-20T11:00:00.000+0000")
_ALL = [
    {
        "attributes": {"type": "Account", "url": f"/services/data/v60.0/sobjects/Account/001{place}"},
        "Id": f"001{place}",
        "Name": f"Account {place}",
        "AnnualRevenue": None if place == 2 else 1_500_000.5 * place,
        "SystemModstamp": changed,
    }
    for place, changed in enumerate((*_TIMES, "2025-05-20T12:00:00.000+0000", "2025-05-20T23:59:59.000+0000"))
]
RECORDS = _ALL[1:]
PUBLISHED = [
    {
        "id": f"001{place}",
        "name": f"Account {place}",
        "annual_revenue": revenue,
        "system_modstamp": at(f"2025-05-20T{changed}"),
        "kind": "Account",
    }
    for place, revenue, changed in (
        (1, 1_500_000.5, "00:00:00"),
        (2, None, "11:00:00"),
        (3, 4_500_001.5, "12:00:00"),
        (4, 6_000_002.0, "23:59:59"),
    )
]


class _Api:
    """Each access token is good for two requests."""

    def __init__(self) -> None:
        self.token, self.left = "", 0
        self.found: list[dict[str, Any]] = []

    def grant(self, request: Request) -> Response:
        """Answer POST /services/oauth2/token."""
        form = dict(parse_qsl(request.state.body.decode()))
        known = (form.get("client_id"), form.get("client_secret")) == ("3MVG9", "shh")
        if not known or form.get("grant_type") != "client_credentials":
            return JSONResponse({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
        self.token, self.left = f"00D{len(self.token)}", 2
        return JSONResponse({"access_token": self.token, "token_type": "Bearer", "instance_url": "https://h"})

    def query(self, request: Request) -> Response:
        """Answer GET /services/data/v60.0/query."""
        if self._is_refused(request):
            return self._refusal()
        limits = re.search(r"SystemModstamp >= (\S+) AND SystemModstamp < (\S+) ", request.query_params.get("q", ""))
        require(limits is not None, 400, [{"errorCode": "MALFORMED_QUERY"}])
        assert limits
        since, until = map(instant, limits.groups())
        self.found = [row for row in _ALL if since <= instant(str(row["SystemModstamp"])) < until]
        return self._page(0)

    def more(self, request: Request) -> Response:
        """Answer a next link."""
        return self._refusal() if self._is_refused(request) else self._page(int(request.path_params["start"]))

    def _is_refused(self, request: Request) -> bool:
        self.left -= 1
        return self.left < 0 or request.headers.get("Authorization") != f"Bearer {self.token}"

    def _refusal(self) -> Response:
        return JSONResponse([{"errorCode": "INVALID_SESSION_ID"}], 401)

    def _page(self, start: int) -> Response:
        page: dict[str, Any] = {"totalSize": len(self.found), "done": True, "records": self.found[start : start + 1]}
        if start + 1 < len(self.found):
            page |= {"done": False, "nextRecordsUrl": f"{_PATH}/01g-{start + 1}"}
        return JSONResponse(page)


def app() -> Starlette:
    """Return the API."""
    api, token = _Api(), "/services/oauth2/token"
    return serve((token, api.grant), (_PATH, api.query), (f"{_PATH}/01g-{{start}}", api.more), posts=(token,))
