"""Pagination of a day: how a page is requested, and how the next one is announced.

An envelope announces it in a field, which is null on the last page. An array or NDJSON announces it in a header, which
is missing on the last page. With page numbers it does not announce it at all: the page after the last is empty.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import URL

from examples.events_api.options import Form, Paging


@dataclass(frozen=True)
class Next:
    """How a response announces the next page: fields of an envelope, headers of the other forms."""

    fields: Mapping[str, object]
    headers: Mapping[str, str]


def page_asked(paging: Paging, parameters: Mapping[str, str]) -> int:
    """Return the number of the page that a request asks for, from 1.

    Raises:
        ValueError: The page number or the cursor is not one that this API issues. The message is meant for the client.
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
        raise ValueError(f"{name}={text} is not a {name} of this API")
    return number


def tell_next(paging: Paging, form: Form, number: int | None, url: URL) -> Next:
    """Return the announcement of page `number` for a request to `url`. If `number` is None, there is no next page."""
    if paging == "none":
        return Next({}, {})
    if paging == "page":
        return Next({"next_page": number}, {})
    if paging == "next_link":
        link = None if number is None else str(url.include_query_params(page=number))
        field, value, header, text = "next", link, "Link", f'<{link}>; rel="next"'
    else:
        # Standard Base64, as real APIs use it: a client must encode its "=" for the query.
        cursor = None if number is None else b64encode(f"page>{number}".encode()).decode()
        field, value, header, text = "next_cursor", cursor, "X-Next-Cursor", str(cursor)
    return Next({field: value}, {} if form == "envelope" or number is None else {header: text})
