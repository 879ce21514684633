"""Answers that are odd and yet to be used: each is a page of one day and carries a record of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.malformed_responses.case import DEEP, MIB, answer, array, chunked


@dataclass(frozen=True)
class Page:
    """One odd page.

    Attributes:
        name: The answer in words.
        around: Makes it around the JSON text of a record.
    """

    name: str
    around: Callable[[str], bytes]


def _described(record: str, text: str) -> str:
    return record.replace('"REGENCY CAKESTAND 3 TIER"', text, 1)


def _in_chunks(record: str) -> bytes:
    body = array(record)
    return chunked(body[:50], body[50:])


# A type says whether a body is JSON; its form is what the source declares.
_CONTENT_TYPES = (
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/vnd.shop+json; v=1",
    "application/x-ndjson",
)


def _typed(content_type: str) -> Page:
    return Page(f"content type `{content_type}`", lambda record: answer(array(record), content_type=content_type))


PAGES = (
    Page("100 Continue before the answer", lambda record: b"HTTP/1.1 100 Continue\r\n\r\n" + answer(array(record))),
    Page("103 Early Hints before the answer", lambda record: b"HTTP/1.1 103 Early\r\n\r\n" + answer(array(record))),
    Page("no reason phrase", lambda record: answer(array(record), "200")),
    Page("HTTP/1.0", lambda record: answer(array(record), length=None).replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
    *map(_typed, _CONTENT_TYPES),
    Page("content encoding `Identity`", lambda record: answer(array(record), "200 OK", "Content-Encoding: Identity")),
    Page("no length: the end of the connection ends the body", lambda record: answer(array(record), length=None)),
    Page("bytes after the body", lambda record: answer(array(record)) + b"[]"),
    Page("chunked", _in_chunks),
    Page("a cookie that is none", lambda record: answer(array(record), "200 OK", "Set-Cookie: ÿ=ÿ; domain=..;;")),
    Page("CRLF and blanks around everything", lambda record: answer(f"\r\n [\r\n{record} \r\n]\r\n\t")),
    Page("a comma after a record's last field", lambda record: answer(array(record[:-1] + ",}"))),
    Page(f"a field nested {DEEP:,} deep", lambda record: answer(array(_described(record, "[" * DEEP + "]" * DEEP)))),
    Page(
        "a record of almost 16 MiB",
        lambda record: answer(array(_described(record, f'"{"x" * (16 * MIB - 1_000)}"'))),
    ),
)
