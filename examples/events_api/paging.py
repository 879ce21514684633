"""The ways a day is cut into pages: how a page is asked for, and how the next one is told.

An envelope tells it in a field, null after the last page. An array or NDJSON tells it in a header, missing after the
last page, or, with page numbers, not at all: the page after the last is empty.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import URL

from examples.events_api.options import Form, Paging


@dataclass(frozen=True)
class Next:
    """How an answer tells the next page: fields of an envelope, headers of the other forms."""

    fields: Mapping[str, object]
    headers: Mapping[str, str]


def page_asked(paging: Paging, parameters: Mapping[str, str]) -> int:
    """The number of the page a request asks for, from 1.

    Raises:
        ValueError: The page number or the cursor is none that this API gives out; says so for the client.
    """
    if paging == "none":
        return 1
    name = "cursor" if paging == "cursor" else "page"
    text = parameters.get(name)
    if text is None:
        return 1
    try:
        number = int(b64decode(text, validate=True).removeprefix(b"page>") if name == "cursor" else text)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError(f"{name}={text} is no {name} of this API")
    return number


def tell_next(paging: Paging, form: Form, number: int | None, url: URL) -> Next:
    """How to tell page `number`, or with None that there is none, to who asked for `url`."""
    if paging == "none":
        return Next({}, {})
    if paging == "page":
        return Next({"next_page": number}, {})
    if paging == "next_link":
        link = None if number is None else str(url.include_query_params(page=number))
        field, value, header, text = "next", link, "Link", f'<{link}>; rel="next"'
    else:
        # Base64 as it is in the wild: a client must encode its "=" for the query.
        cursor = None if number is None else b64encode(f"page>{number}".encode()).decode()
        field, value, header, text = "next_cursor", cursor, "X-Next-Cursor", str(cursor)
    return Next({field: value}, {} if form == "envelope" or number is None else {header: text})
