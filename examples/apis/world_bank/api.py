"""World Bank: an array of an object about the pages and a list of records."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import number, require, serve

SECRETS: dict[str, str] = {}
# It counts by year, so an empty day is one of a year without records.
EMPTY_DAY = "1901-01-01"
RECORDS = [
    {"indicator": {"id": "SP.POP.TOTL"}, "countryiso3code": code, "date": "2025", "value": value}
    for code, value in {"ABW": 107_995, "AFG": 43_844_111, "AGO": None, "ALB": 2_363_314, "AND": 82_904}.items()
]


def indicator(request: Request) -> Response:
    """Answer GET /v2/country/all/indicator/SP.POP.TOTL."""
    query = request.query_params
    require(query.get("format") == "json", 400, [{"message": [{"key": "Invalid format"}]}])
    found = [row for row in RECORDS if row["date"] == query.get("date")]
    size, page = number(request, "per_page", 50), number(request, "page", 1)
    if not found:
        return JSONResponse([{"page": 0, "pages": 0, "per_page": 0, "total": 0, "lastupdated": None}, None])
    pages = -(-len(found) // size)
    about = {"page": page, "pages": pages, "per_page": size, "total": len(found), "lastupdated": "2025-07-01"}
    return JSONResponse([about, found[(page - 1) * size : page * size]])


def app() -> Starlette:
    """Return the API."""
    return serve(("/v2/country/all/indicator/SP.POP.TOTL", indicator))
