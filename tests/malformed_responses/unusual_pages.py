"""Unusual but valid responses: each is a page of one day, with its own record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.malformed_responses.case import DEEP, MIB, answer, array, chunked


@dataclass(frozen=True)
class Page:
    """One unusual page.

    Attributes:
        name: A short description of the page.
        around: Builds the page around the JSON text of a record.
    """

    name: str
    around: Callable[[str], bytes]


def _described(record: str, text: str) -> str:
    return record.replace('"REGENCY CAKESTAND 3 TIER"', text, 1)


def _in_chunks(record: str) -> bytes:
    body = array(record)
    return chunked(body[:50], body[50:])


# The content type says only that a body is JSON; the source declares its form.
_CONTENT_TYPES = (
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/vnd.shop+json; v=1",
    "application/x-ndjson",
)


def _typed(content_type: str) -> Page:
    return Page(f"content type `{content_type}`", lambda record: answer(array(record), content_type=content_type))


PAGES = (
    Page("100 Continue before the response", lambda record: b"HTTP/1.1 100 Continue\r\n\r\n" + answer(array(record))),
    Page("103 Early Hints before the response", lambda record: b"HTTP/1.1 103 Early\r\n\r\n" + answer(array(record))),
    Page("a status without a reason phrase", lambda record: answer(array(record), "200")),
    Page("HTTP/1.0", lambda record: answer(array(record), length=None).replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
    *map(_typed, _CONTENT_TYPES),
    Page("content encoding `Identity`", lambda record: answer(array(record), "200 OK", "Content-Encoding: Identity")),
    Page("no Content-Length: the body ends with the connection", lambda record: answer(array(record), length=None)),
    Page("bytes after the body", lambda record: answer(array(record)) + b"[]"),
    Page("chunked", _in_chunks),
    Page("an invalid cookie", lambda record: answer(array(record), "200 OK", "Set-Cookie: ÿ=ÿ; domain=..;;")),
    Page(
        "CRLF and white space around the array and its record", lambda record: answer(f"\r\n [\r\n{record} \r\n]\r\n\t")
    ),
    Page("a comma after a record's last field", lambda record: answer(array(record[:-1] + ",}"))),
    Page(
        f"a field with {DEEP:,} levels of nesting",
        lambda record: answer(array(_described(record, "[" * DEEP + "]" * DEEP))),
    ),
    Page(
        "a record of almost 16 MiB",
        lambda record: answer(array(_described(record, f'"{"x" * (16 * MIB - 1_000)}"'))),
    ),
)
