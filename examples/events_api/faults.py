"""Faults that this API can inject into its responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.responses import HTMLResponse, JSONResponse, Response

from examples.events_api.options import Options


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        description: One line of description.
        instead: Makes the response that is sent in place of the records.
        alter: Changes the JSON text of an event.
        bad_prices: One price in 25 is unusable.
        empty: The day has no records.
        loops: Every page is page 1, followed by a next page.
        content_type: The media type declared for the body.
        slow: The response pauses before its start and after each chunk.
        cut: The body ends early.
    """

    description: str
    instead: Callable[[Options], Response] | None = None
    alter: Callable[[str], str] | None = None
    bad_prices: bool = False
    empty: bool = False
    loops: bool = False
    content_type: str | None = None
    slow: bool = False
    cut: bool = False


NO_FAULT = Fault("behaves")


def _busy(options: Options) -> Response:
    return JSONResponse({"error": "too many requests"}, 429, {"Retry-After": str(options.retry_after)})


def _broken(_: Options) -> Response:
    return JSONResponse({"error": "something went wrong here"}, 500)


def _nonsense(_: Options) -> Response:
    return Response("nonsense", media_type="application/json")


def _error_page(_: Options) -> Response:
    return HTMLResponse("<!doctype html>\n<title>Error</title>\n<h1>The shop is being refurbished</h1>\n")


# A quote within a JSON string is escaped, so these match the field and nothing else.
def _rename_price(event: str) -> str:
    return event.replace('"Price":', '"Unit Price":')


def _add_channel(event: str) -> str:
    return f'{event[:-1]},"Channel":"web"}}'


FAULTS: Mapping[str, Fault] = {
    "429": Fault("429 with Retry-After", instead=_busy),
    "500": Fault("500 with a JSON error", instead=_broken),
    "slow": Fault("a pause before the answer and after each chunk of it", slow=True),
    "truncated": Fault("half of a chunk is sent, Content-Length says more, the connection is closed", cut=True),
    "wrong-content-type": Fault("the right body under text/html", content_type="text/html"),
    "not-json": Fault("200 and application/json, but the body is: nonsense", instead=_nonsense),
    "html": Fault("200 and an error page in HTML", instead=_error_page),
    "empty-day": Fault("no records", empty=True),
    "renamed-field": Fault('"Price" is called "Unit Price"', alter=_rename_price),
    "new-field": Fault('events have an additional field, "Channel"', alter=_add_channel),
    "loop": Fault("every page repeats page 1 and announces a next one", loops=True),
    "bad-day": Fault("a further 4 % of the prices are unusable", bad_prices=True),
}
"""All faults by name."""
