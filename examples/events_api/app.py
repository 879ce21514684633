"""The shop's events API as an ASGI app.

GET /events?date=YYYY-MM-DD      the day's events
GET /products?date=YYYY-MM-DD    the products among them, one per stock code
anything else                    400, 401, 404 or 405, {"error": "..."}
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from examples.events_api import records
from examples.events_api.faults import FAULTS, NO_FAULT, Fault
from examples.events_api.forms import MEDIA_TYPES, framed
from examples.events_api.options import Options
from examples.events_api.paging import page_asked, tell_next

# Responses of up to this many records, about 12 MB, are buffered to send their length. Longer ones are streamed
# without it.
_HELD_ROWS = 50_000


def create_app(options: Options) -> Starlette:
    """Return the sample API. Its state, such as the requests with a fault, lives as long as the app.

    Raises:
        ValueError: `options.fault` is unknown.
    """
    if options.fault is not None and options.fault not in FAULTS:
        raise ValueError(f"no such fault: {options.fault} (there are {', '.join(FAULTS)})")
    api = _Api(options)
    return Starlette(
        routes=[Route("/events", api.events), Route("/products", api.products)],
        exception_handlers={HTTPException: _error},
    )


class _Api:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.faults_left = options.fault_times

    async def events(self, request: Request) -> Response:
        return await self._answer(request, "/events")

    async def products(self, request: Request) -> Response:
        return await self._answer(request, "/products")

    async def _answer(self, request: Request, path: str) -> Response:
        options = self.options
        if options.token is not None and request.headers.get("Authorization") != f"Bearer {options.token}":
            raise HTTPException(401, "a bearer token is required", {"WWW-Authenticate": "Bearer"})
        day = _date_asked(request)
        try:
            number = page_asked(options.paging, request.query_params)
        except ValueError as wrong:
            raise HTTPException(400, str(wrong)) from None
        fault = self._fault(path, day, number)
        if fault.instead:
            return fault.instead(options)
        if fault.slow:
            await asyncio.sleep(options.delay)
        return self._page(request, path, day, 1 if fault.loops else number, fault)

    def _fault(self, path: str, day: date, number: int) -> Fault:
        options = self.options
        meant = (
            options.fault_path in (None, path)
            and options.fault_date in (None, day)
            and options.fault_page in (None, number)
        )
        if options.fault is None or not meant or self.faults_left == 0:
            return NO_FAULT
        if self.faults_left is not None:
            self.faults_left -= 1
        return FAULTS[options.fault]

    def _page(self, request: Request, path: str, day: date, number: int, fault: Fault) -> Response:
        options = self.options
        total, records_of = self._day(path, day, fault)
        start, stop = 0, total
        if options.paging != "none":
            start = min((number - 1) * options.page_size, total)
            stop = min(start + options.page_size, total)
        more = stop < total or fault.loops
        announcement = tell_next(options.paging, options.form, number + 1 if more else None, request.url)
        body = framed(options.form, records_of(start, stop), announcement.fields)
        headers = {**announcement.headers, "Content-Type": fault.content_type or MEDIA_TYPES[options.form]}
        if fault.cut:
            return _cut(body, headers)
        if stop - start <= _HELD_ROWS:
            held = list(body)
            headers["Content-Length"] = str(sum(map(len, held)))
            body = iter(held)
        return StreamingResponse(_paced(body, options.delay if fault.slow else 0), headers=headers)

    def _day(self, path: str, day: date, fault: Fault) -> tuple[int, Callable[[int, int], Iterator[str]]]:
        """Return the number of records of the day, and a function that makes those from one row to another."""
        rows = 0 if fault.empty else self.options.rows
        if path == "/products":
            products = records.products(day, rows)
            return len(products), lambda start, stop: iter(products[start:stop])

        def events(start: int, stop: int) -> Iterator[str]:
            made = records.events(day, start, stop, bad_prices=fault.bad_prices)
            return map(fault.alter, made) if fault.alter else made

        return rows, events


def _date_asked(request: Request) -> date:
    value = request.query_params.get("date", "")
    try:
        day = date.fromisoformat(value)
    except ValueError:
        day = None
    # `fromisoformat` also accepts 20250520 and 2025-W21-2.
    if day is None or day.isoformat() != value:
        raise HTTPException(400, "the parameter date=YYYY-MM-DD is required")
    return day


def _cut(chunks: Iterator[bytes], headers: dict[str, str]) -> Response:
    first = next(chunks, b"")
    half = first[: len(first) // 2]
    return Response(half, headers={**headers, "Content-Length": str(2 * len(half) + 1)})


async def _paced(chunks: Iterator[bytes], delay: float) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
        # Even a pause of 0 lets other requests in.
        await asyncio.sleep(delay)


async def _error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # the only class it is registered for
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)
