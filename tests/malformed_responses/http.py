"""Invalid or unexpected statuses and headers, around a valid body."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from threading import Event

import brotli
from backports import zstd

from orchestration.errors import (
    IngestCleanError,
    SourceBodyInvalid,
    SourceBusy,
    SourceRefused,
    SourceTimedOut,
    SourceUnreachable,
)
from tests.malformed_responses.case import MIB, Case, Counts, answer, array, chunked, event, ndjson

BODY = array(event())
ERROR_BODY = b'{"error": "details"}'
WHERE = "next: correct SHOP_API_URL, or path of shop.events in the source's YAML"
CUT_OFF = "the response was cut off"


def _fails(name: str, sent: bytes, fails: type[IngestCleanError], *says: str) -> Case:
    return Case(name, (sent,), fails, says)


def _refused() -> Iterator[Case]:
    for status in (
        "201 Created", "202 Accepted", "203 Non-Authoritative Information", "206 Partial Content", "400 Bad Request",
        "405 Method Not Allowed", "406 Not Acceptable", "409 Conflict", "418 I'm a Teapot", "422 Unprocessable Content",
        "451 Unavailable For Legal Reasons", "501 Not Implemented", "511 Network Authentication Required", "999 Odd",
    ):  # fmt: skip
        yield _fails(status, answer(ERROR_BODY, status), SourceRefused, f"answered {status}: '{ERROR_BODY.decode()}'")
    status_line = "answered 401 Unauthorized: "
    yield _fails(
        "401 Unauthorized", answer(ERROR_BODY, "401 Unauthorized"), SourceRefused, status_line, "check SHOP_API_TOKEN"
    )
    status_line, remedy = "answered 403 Forbidden: ", "next: check SHOP_API_TOKEN, or set headers that the API requires"
    yield _fails("403 Forbidden", answer(ERROR_BODY, "403 Forbidden"), SourceRefused, status_line, remedy)
    escape = answer(b"", "404 \x1b]0;mine\x07")
    yield _fails(
        "404 with a terminal escape sequence as the reason", escape, SourceRefused, r"answered 404 \x1b]0;mine\x07: ''"
    )
    for status in ("404 Not Found", "410 Gone"):
        yield _fails(status, answer(ERROR_BODY, status), SourceRefused, f"answered {status}: ", WHERE)
    for status in ("301 Moved Permanently", "302 Found", "307 Temporary Redirect"):
        sent = answer(b"", status, "Location: https://elsewhere.example/events")
        says = (
            f"answered {status} to 'https://elsewhere.example/events': only redirects on the same origin are followed"
        )
        yield _fails(status, sent, SourceRefused, says, WHERE)


def _busy() -> Iterator[Case]:
    status_line = "answered 429 Too Many Requests"
    limit = "next: run again after that, or raise ELT_RETRY_AFTER_LIMIT"
    yield _fails("429 without Retry-After", answer(ERROR_BODY, "429 Too Many Requests"), SourceBusy, status_line)
    retry_after: Mapping[str, tuple[str, ...]] = {
        "0": (status_line,),
        "3600": (f"{status_line} and asks to wait 3600 s", limit),
        "Fri, 31 Dec 9999 23:59:59 GMT": (f"{status_line} and asks to wait ", limit),
        "Wed, 21 Oct 2015 07:28:00 GMT": (status_line,),
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT": (status_line,),
        "soon": (status_line,),
        "²": (status_line,),
        "-5": (status_line,),
    }
    for value, says in retry_after.items():
        sent = answer(ERROR_BODY, "429 Too Many Requests", f"Retry-After: {value}")
        yield _fails(f"429 with Retry-After `{value}`", sent, SourceBusy, *says)
    sent = answer(ERROR_BODY, "503 Service Unavailable", "Retry-After: 0")
    yield _fails("503 with Retry-After `0`", sent, SourceBusy, "answered 503 Service Unavailable")
    for status in ("403 Forbidden", "404 Not Found", "418 I'm a Teapot", "420 Calm", "500 Error", "509 Bandwidth"):
        sent = answer(ERROR_BODY, status, "Retry-After: 0")
        yield _fails(f"{status} with Retry-After `0`", sent, SourceBusy, f"answered {status}: '{ERROR_BODY.decode()}'")
    sent = answer(ERROR_BODY, "403 Forbidden", "Retry-After: 3600")
    says = ("answered 403 Forbidden: ", "and asks to wait 3600 s", f"{limit}; or check SHOP_API_TOKEN")
    yield _fails("403 with Retry-After `3600`", sent, SourceBusy, *says)
    for status in ("403 Forbidden", "418 I'm a Teapot"):
        limit_headers = ("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 3600")
        sent = answer(ERROR_BODY, status, *limit_headers)
        says = (f"answered {status}: ", "and asks to wait 3600 s", limit)
        yield _fails(f"{status} with a rate limit that is reset in an hour", sent, SourceBusy, *says)
    sent = answer(ERROR_BODY, "403 Forbidden", "X-RateLimit-Remaining: 41", "X-RateLimit-Reset: 3600")
    yield _fails("403 with a rate limit that is not used up", sent, SourceRefused, "answered 403 Forbidden: ")
    yield Case(
        "403 with Retry-After `0`, then the records",
        (answer(ERROR_BODY, "403 Forbidden", "Retry-After: 0"), answer(BODY)),
        counts=Counts(1, 1),
    )


def _transient() -> Iterator[Case]:
    for status in (
        "408 Request Timeout", "425 Too Early", "500 Internal Server Error", "502 Bad Gateway",
        "503 Service Unavailable", "504 Gateway Timeout", "520 Unknown", "529 Overloaded",
    ):  # fmt: skip
        yield _fails(status, answer(ERROR_BODY, status), SourceUnreachable, f"answered {status}")


def _unreadable() -> Iterator[Case]:
    status_line = "answered 404 Not Found: its body cannot be read: "
    bomb = gzip.compress(gzip.compress(bytes(64 * MIB), mtime=0), mtime=0)
    zipped = answer(bomb, "404 Not Found", "Content-Encoding: gzip, gzip")
    says = r"answered 404 Not Found: '\x00\x00\x00"
    yield _fails("404 with a body that decodes to 64 MiB", zipped, SourceRefused, says, WHERE)
    cut = answer(ERROR_BODY, "404 Not Found", length=1_000)
    yield _fails("404 with a body that is cut off", cut, SourceRefused, status_line + "peer closed connection", WHERE)


def _dripping(drop: bytes) -> Iterator[bytes]:
    """A response that ends when the client closes the connection."""
    yield answer(b"[", length=None)
    closed = Event()
    while True:
        closed.wait(0.02)
        yield drop


STATUSES = (
    _fails("101 Switching Protocols", answer(b"", "101 Switching Protocols"), SourceUnreachable, CUT_OFF),
    _fails("103 Early Hints without a final response", answer(b"", "103 Early Hints"), SourceUnreachable, CUT_OFF),
    _fails("204 No Content", answer(b"", "204 No Content"), SourceRefused, "answered 204 No Content: ''"),
    *(
        Case(f"{name}, which is declared to mean no data", (sent,), counts=Counts(0, 0), source="no data")
        for name, sent in {
            "204 No Content": answer(b"", "204 No Content", content_type=None),
            "404 Not Found": answer(ERROR_BODY, "404 Not Found"),
            "the body `{}`": answer(b"{}"),
        }.items()
    ),
    Case(
        "a redirect on the same origin",
        (answer(b"", "307 Temporary Redirect", "Location: /events?v=2"), answer(BODY)),
        counts=Counts(1, 1),
    ),
    _fails("304 Not Modified", answer(b"", "304 Not Modified"), SourceRefused, "304 Not Modified to nowhere", WHERE),
    *_refused(),
    *_unreadable(),
    *_busy(),
    *_transient(),
    _fails("a status that is not a number", answer(BODY, "fine"), SourceUnreachable, CUT_OFF, "illegal status line"),
    _fails("a response without a status line", BODY, SourceUnreachable, CUT_OFF),
    _fails("a connection closed before the first byte", b"", SourceUnreachable, CUT_OFF),
    _fails("incomplete headers", b"HTTP/1.1 200 OK\r\nContent-Ty", SourceUnreachable, CUT_OFF),
    Case(
        "headers, then no data",
        (answer(BODY, length=1_000),),
        SourceUnreachable,
        ("no response in time (ReadTimeout)", "next: raise ELT_SOURCE_TIMEOUT"),
        stalls=True,
        environment={"ELT_SOURCE_TIMEOUT": "0.2"},
    ),
    Case(
        "a body that does not end, one byte after another",
        (partial(_dripping, b" "),),
        SourceUnreachable,
        ("a page of shop.events was not fetched within 0.2 s: ", "raise ELT_PAGE_TIMEOUT"),
        environment={"ELT_PAGE_TIMEOUT": "0.2"},
    ),
    Case(
        "a body that does not end, until the time of the table is over",
        (partial(_dripping, b" "),),
        SourceTimedOut,
        ("shop.events was not fetched within 0.2 s: ", "raise ELT_FETCH_TIMEOUT"),
        environment={"ELT_FETCH_TIMEOUT": "0.2"},
    ),
    Case(
        "redirects without an end",
        (answer(b"", "307 Temporary Redirect", "Location: /events"),),
        SourceRefused,
        ("redirects",),
    ),
)


def _content_types() -> Iterator[Case]:
    remedy = "list it as content_types of shop.events in the source's YAML"
    for name in ("text/html", "text/plain", "application/octet-stream", "application/javascript", "text/csv", ""):
        sent = answer(BODY, content_type=name)
        yield _fails(f"content type `{name or ' '}`", sent, SourceBodyInvalid, f"type {name!r} is not JSON", remedy)
    none = answer(BODY, content_type=None)
    yield _fails("no content type", none, SourceBodyInvalid, "content type '' is not JSON", remedy)
    two = answer(BODY, "200 OK", "Content-Type: text/html")
    says = "content type 'text/html, application/json' is not JSON"
    yield _fails("two content types", two, SourceBodyInvalid, says, remedy)


def _encodings() -> Iterator[Case]:
    zipped = gzip.compress(BODY, mtime=0)
    encoded = {"gzip": zipped, "deflate": zlib.compress(BODY), "br": brotli.compress(BODY), "zstd": zstd.compress(BODY)}
    encoded["gzip, br"] = brotli.compress(zipped)
    encoded["x-gzip"] = zipped[:] + gzip.compress(b"\n", mtime=0)
    for name, body in encoded.items():
        yield Case(
            f"content encoding `{name}`", (answer(body, "200 OK", f"Content-Encoding: {name}"),), counts=Counts(1, 1)
        )
    sent = answer(BODY, "200 OK", "Content-Encoding: compress")
    says = "content encoding 'compress' is not one of gzip, deflate, br, zstd"
    yield _fails("content encoding `compress`", sent, SourceBodyInvalid, says, "next: correct the API, or the proxy")
    sent = answer(BODY, "200 OK", "Content-Encoding: gzip")
    yield _fails("a body without compression as `gzip`", sent, SourceBodyInvalid, "the body is not gzip: Error -3")
    for name, whole in encoded.items():
        if name in ("gzip", "deflate", "br", "zstd"):
            sent = answer(whole[:-9], "200 OK", f"Content-Encoding: {name}")
            says = f"{CUT_OFF}: the {name} body ends too early"
            yield _fails(f"{name} that is cut off", sent, SourceUnreachable, says)
    yield from _bombs()
    says = r"begins b'\x1f\x8b"
    yield _fails("gzip without a Content-Encoding header", answer(zipped), SourceBodyInvalid, says, "is not an array")


def _bombs() -> Iterator[Case]:
    zeros = bytes(64 * MIB)
    bombs = {
        "gzip": lambda: gzip.compress(zeros, 1, mtime=0),
        "deflate": lambda: zlib.compress(zeros, 1),
        "br": lambda: brotli.compress(zeros, quality=1),
        "zstd": lambda: zstd.compress(zeros),
    }
    environment = {"ELT_MAX_PAGE_BYTES": "1000000"}
    for name, compress in bombs.items():

        def sent(name: str = name, compress: Callable[[], bytes] = compress) -> bytes:
            return answer(compress(), "200 OK", f"Content-Encoding: {name}")

        says = ("a page over 1,000,000 bytes: 1,", "bytes were received so far", "raise ELT_MAX_PAGE_BYTES")
        yield Case(f"{name} that decodes to 64 MiB", (sent,), SourceBodyInvalid, says, environment=environment)


def _lengths() -> Iterator[Case]:
    long, short = answer(BODY, length=10_000), answer(BODY, length=100)
    yield _fails("Content-Length larger than the body", long, SourceUnreachable, CUT_OFF, "expected 10000")
    yield _fails("Content-Length smaller than the body", short, SourceBodyInvalid, "of 100 bytes", "is not an array")
    for value in ("many", "-1"):
        sent = answer(BODY, length=value)
        yield _fails(f"Content-Length `{value}`", sent, SourceUnreachable, CUT_OFF, "bad Content-Length")
    two = answer(BODY, "200 OK", "Content-Length: 5")
    yield _fails("two different Content-Length headers", two, SourceUnreachable, CUT_OFF, "conflicting Content-Length")
    # HTTP ends the body there, after a whole line: it cannot be distinguished from a smaller day.
    lines = ndjson(event("a"), event("b"))
    sent = answer(lines, length=len(lines) // 2)
    name = "NDJSON with a Content-Length that is one line too small"
    yield Case(name, (sent,), counts=Counts(1, 1), source="ndjson")


def _transfers() -> Iterator[Case]:
    cut = chunked(BODY, ended=False)
    yield _fails("chunked, cut off after a whole chunk", cut, SourceUnreachable, CUT_OFF, "incomplete chunked read")
    sizeless = answer(b"many\r\n" + BODY, "200 OK", "Transfer-Encoding: chunked", length=None)
    yield _fails("chunks without a size", sizeless, SourceUnreachable, CUT_OFF, "illegal chunk header")
    zipped = answer(BODY, "200 OK", "Transfer-Encoding: gzip", length=None)
    yield _fails("transfer encoding `gzip`", zipped, SourceUnreachable, CUT_OFF, "Only Transfer-Encoding: chunked")
    odd = answer(BODY, "200 OK", "nonsense")
    yield _fails("a header without a colon", odd, SourceUnreachable, CUT_OFF, "illegal header line")
    huge = answer(BODY, "200 OK", f"X: {'x' * 200_000}")
    yield _fails("a header of 200,000 bytes", huge, SourceUnreachable, CUT_OFF, "Receive buffer too long")


def _large() -> Iterator[Case]:
    cases = (
        (
            "a page whose Content-Length exceeds the limit of a page",
            "ELT_MAX_PAGE_BYTES",
            "a page over 100 bytes: 1,000,000 bytes",
        ),
        (
            "a page whose Content-Length exceeds the limit of a date",
            "ELT_MAX_DATE_BYTES",
            "a date over 100 bytes: 1,000,000 by",
        ),
    )
    for name, setting, says in cases:
        sent = (answer(BODY, length=1_000_000),)
        parts = (says, "are announced", f"raise {setting}")
        yield Case(name, sent, SourceBodyInvalid, parts, stalls=True, environment={setting: "100"})


HEADERS = (*_content_types(), *_encodings(), *_lengths(), *_large(), *_transfers())
