"""World Bank: an array of an object about the pages and a list of records."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from examples.apis.imitation import number, require, serve

SECRETS: dict[str, str] = {}
_COUNTRIES = {"ABW": "Aruba", "AFG": "Afghanistan", "AGO": "Angola", "ALB": "Albania", "AND": "Andorra"}
_VALUES = dict(zip(_COUNTRIES, (107_995, 43_844_111, None, 2_363_314, 82_904), strict=True))
RECORDS = [
    {
        "indicator": {"id": "SP.POP.TOTL", "value": "Population, total"},
        "country": {"id": code[:2], "value": country},
        "countryiso3code": code,
        "date": "2025",
        "value": _VALUES[code],
    }
    for code, country in _COUNTRIES.items()
]
PUBLISHED = [
    {"countryiso3code": code, "year": 2025, "value": value, "indicator": "SP.POP.TOTL", "country": country}
    for code, value, country in (
        ("ABW", 107_995.0, "Aruba"),
        ("AFG", 43_844_111.0, "Afghanistan"),
        ("AGO", None, "Angola"),
        ("ALB", 2_363_314.0, "Albania"),
        ("AND", 82_904.0, "Andorra"),
    )
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
