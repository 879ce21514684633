"""Rules between the fields of `config.meta.fetch`, which the types of `orchestration.source.schema` cannot express."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qsl

from orchestration.source import day
from orchestration.source.decode import charset_of
from orchestration.source.paths import Name, names_of, parse_path
from orchestration.source.schema import (
    Counted,
    Cursors,
    Day,
    Fetch,
    KeyInHeader,
    KeyInQuery,
    NextLinks,
    NoPaging,
    OAuth2,
    Offsets,
    PageNumbers,
)

_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f#]")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[!-~]+(?:[ \t]+[!-~]+)*")
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_OWN_HEADERS = frozenset(
    {
        *("accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host"),
        *("keep-alive", "range", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that change the framing of a response, select a part of it, or may suppress it."""


def problems(fetch: Fetch) -> Iterator[str]:
    """Yield one line for each problem, as `field: reason and what is allowed`."""
    if not fetch.path.startswith("/"):
        yield f"path: {fetch.path!r} does not begin with '/'"
    if bad := _UNSENDABLE.search(fetch.path):
        yield f"path: {fetch.path!r} contains {bad[0]!r}, which cannot be sent; write it as '%{ord(bad[0]):02X}'"
    if fetch.body is not None and fetch.method != "POST":
        yield "body: applies to method POST only"
    yield from _day_problems(fetch)
    yield from _wrong_headers(fetch.headers)
    yield from _auth_problems(fetch)
    yield from _path_problems(fetch)
    yield from _body_problems(fetch)
    yield from _empty_problems(fetch)
    yield from _paging_problems(fetch)
    yield from _concurrency_problems(fetch)
    yield from _given_twice(fetch)


def is_snapshot(fetch: Fetch) -> bool:
    """Return whether the requests ask for no day, so that the API answers with what is current."""
    return not any(map(day.has_placeholder, (fetch.path, fetch.parameters, fetch.headers, fetch.body)))


def may_end_pages(status: int) -> bool:
    """Return whether a status may mean that there is no such page: 204, or a 4xx about the request."""
    return status == 204 or (400 <= status < 500 and status not in (401, 403, 407, 408, 425, 429))


def _day_problems(fetch: Fetch) -> Iterator[str]:
    for field in ("path", "parameters", "headers", "body"):
        for text in day.texts_of(getattr(fetch, field)):
            for problem in day.problems_of(text):
                yield f"{field}: {problem}"
    try:
        day.zone_of(fetch.day.zone)
    except ValueError as error:
        yield f"day.zone: {error}"
    if is_snapshot(fetch):
        if fetch.day.end != Day().end:
            yield "day.end: applies to the placeholder {end} only, which is not used"
    elif fetch.day.snapshot_age:
        yield "day.snapshot_age: applies to a table without placeholders only"


def _wrong_headers(headers: Mapping[str, str]) -> Iterator[str]:
    names = [name.lower() for name in headers]
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            yield f"headers: {name!r} is not a valid header name"
        elif name.lower() in _SECRET_HEADERS:
            yield f"headers: {name!r} carries a secret, which belongs in <SOURCE>_API_TOKEN; auth says how it is sent"
        elif name.lower() in _OWN_HEADERS or name.lower().startswith(("if-", "proxy-")):
            yield f"headers: {name!r} cannot be set, since the fetch depends on it"
        elif not _HEADER_VALUE.fullmatch(value):
            yield f"headers.{name}: {value!r} is not a valid header value: printable ASCII without blanks around it"
        elif names.count(name.lower()) > 1:
            yield f"headers: {name!r} is given twice, in different letter cases"


def _auth_problems(fetch: Fetch) -> Iterator[str]:
    auth = fetch.auth
    if isinstance(auth, KeyInHeader):
        if not _HEADER_NAME.fullmatch(auth.name):
            yield f"auth.name: {auth.name!r} is not a valid header name"
        elif auth.name.lower() in _OWN_HEADERS:
            yield f"auth.name: {auth.name!r} cannot be set, since the fetch depends on it"
        elif auth.name.lower() in map(str.lower, fetch.headers):
            yield f"headers: gives {auth.name!r}, which is auth.name; remove one of them"
        if not (auth.prefix.isascii() and auth.prefix.isprintable()):
            yield f"auth.prefix: {auth.prefix!r} is not printable ASCII"
    if isinstance(auth, KeyInQuery) and not auth.name:
        yield "auth.name: is empty"
    if isinstance(auth, OAuth2) and not re.match(r"https?://[^/\s@?#]+(/|$)|/", auth.token_url):
        yield f"auth.token_url: {auth.token_url!r} is neither an http address nor a path that begins with '/'"


def _path_problems(fetch: Fetch) -> Iterator[str]:
    """Yield the fields that should be a path in the body, and are not one."""
    given = {"records": fetch.records, "total": fetch.total, **{f"expect.{path}": path for path in fetch.expect}}
    for name in ("next", "more", "done", "pages"):
        given[f"paging.{name}"] = getattr(fetch.paging, name, None)
    for field, path in given.items():
        if isinstance(path, str):
            try:
                parse_path(path)
            except ValueError as error:
                yield f"{field}: {error}"


def _body_problems(fetch: Fetch) -> Iterator[str]:
    if fetch.form == "envelope" and not fetch.records:
        yield "records: missing: form envelope needs the path of the list"
    if fetch.total is True or fetch.total == "":
        yield "total: names the field with the number of all records, or is false"
    if fetch.total is not None and fetch.total_header:
        yield "total_header: conflicts with total; remove one of them"
    if fetch.form == "envelope":
        return
    if fetch.shape in ("table", "values", "columns") or (fetch.form == "ndjson" and fetch.shape != "objects"):
        yield f"shape: {fetch.shape} applies to form envelope only, where records: $ is the whole body"
    if fetch.records:
        yield f"records: {fetch.records!r} applies to form envelope only"
    if isinstance(fetch.total, str):
        yield f"total: {fetch.total!r} is a field of an envelope; form {fetch.form} takes false, or total_header"
    if not fetch.failure_signs:
        yield "failure_signs: applies to form envelope only"
    if fetch.expect:
        yield "expect: applies to form envelope only"
    if fetch.empty.records:
        yield "empty.records: applies to form envelope only"
    for name in ("next", "more", "done", "pages"):
        path = getattr(fetch.paging, name, None)
        if path and isinstance(next(iter(parse_path(path)), None), Name):
            other = "next_header" if name == "next" else "pages_header" if name == "pages" else "form envelope"
            yield f"paging.{name}: {path!r} is a field of an envelope; form {fetch.form} needs {other}"


def _empty_problems(fetch: Fetch) -> Iterator[str]:
    if fetch.charset is not None:
        try:
            charset_of(fetch.charset)
        except ValueError as error:
            yield f"charset: {error}; allowed are names such as utf-8, iso-8859-1 or windows-1252"
    for status in fetch.empty.status:
        if not may_end_pages(status):
            yield f"empty.status: {status} cannot mean no data; allowed are 204 and a 4xx about the request"
    for value in fetch.empty.records:
        if isinstance(value, list) or (isinstance(value, str) and value not in ("absent", "")):
            yield f"empty.records: {value!r} is not absent, null, an empty text or object, a number or false"
    for value in fetch.empty.body:
        if fetch.form == "array" and value == []:
            yield "empty.body: [] needs no declaration, since an empty array has no record"


def _paging_problems(fetch: Fetch) -> Iterator[str]:
    paging = fetch.paging
    if isinstance(paging, NoPaging):
        return
    named = getattr(paging, "next", None)
    if named and getattr(paging, "next_header", None):
        yield "paging.next_header: conflicts with next; remove one of them"
    if isinstance(paging, Cursors) and not (named or paging.next_header):
        yield "paging.next: missing: style cursor needs next or next_header"
    if paging.more and paging.done:
        yield "paging.done: conflicts with more; remove one of them"
    if paging.absent == "end" and not (named or paging.more or paging.done):
        yield "paging.absent: applies to paging.next, more and done only"
    if isinstance(paging, PageNumbers):
        if paging.pages and paging.pages_header:
            yield "paging.pages_header: conflicts with pages; remove one of them"
        if paging.end_status and (named or paging.next_header):
            yield "paging.end_status: applies only to pages without next and next_header"
    if isinstance(paging, Counted):
        for status in paging.end_status:
            if not may_end_pages(status):
                yield f"paging.end_status: {status} cannot mean the end; allowed are 204 and a 4xx about the request"
    if not isinstance(paging, NextLinks):
        yield from _parameter_problems(fetch, paging)


def _concurrency_problems(fetch: Fetch) -> Iterator[str]:
    if fetch.concurrency == 1:
        return
    paging = fetch.paging
    has_total = bool(fetch.total or fetch.total_header)
    if isinstance(paging, PageNumbers) and fetch.counts_pages:
        if not (paging.pages or paging.pages_header or (has_total and paging.size)):
            yield "concurrency: needs paging.pages or pages_header, or total and paging.size"
    elif isinstance(paging, Offsets):
        if not (has_total and paging.size):
            yield "concurrency: needs total or total_header, and paging.size"
    else:
        yield "concurrency: needs paging by page number or offset, since each other page names only the next one"


def _parameter_problems(fetch: Fetch, paging: PageNumbers | Offsets | Cursors) -> Iterator[str]:
    if paging.in_ == "body":
        if fetch.body is None:
            yield "paging.in: body needs a body"
        try:
            if _is_in(fetch.body, names_of(paging.parameter)) and isinstance(paging, Counted):
                yield f"body: gives {paging.parameter!r}, which is paging.parameter; paging.first sets the first one"
        except ValueError as error:
            yield f"paging.parameter: {error}"
    if paging.in_ == "header":
        name = paging.parameter.lower()
        if not _HEADER_NAME.fullmatch(name):
            yield f"paging.parameter: {paging.parameter!r} is not a valid header name"
        elif name in _OWN_HEADERS | _SECRET_HEADERS or name.startswith(("if-", "proxy-")):
            yield f"paging.parameter: header {paging.parameter!r} cannot be set, since the fetch depends on it"
        elif isinstance(paging, Counted) and name in map(str.lower, fetch.headers):
            yield f"headers: gives {paging.parameter!r}, which is paging.parameter; paging.first sets the first one"
    if isinstance(paging, Cursors) and paging.first_only != "all":
        for name in paging.first_only:
            if name not in fetch.parameters and name not in (fetch.body or {}):
                yield f"paging.first_only: {name!r} is neither under parameters nor at the top of the body"


def _is_in(body: object, names: Sequence[str]) -> bool:
    for name in names:
        if not isinstance(body, Mapping) or name not in body:
            return False
        body = body[name]
    return True


def _given_twice(fetch: Fetch) -> Iterator[str]:
    """Yield request parameters that two fields set, because only one of them would take effect."""
    paging = fetch.paging
    given = {"parameters": list(fetch.parameters)}
    if isinstance(fetch.auth, KeyInQuery):
        given["auth.name"] = [fetch.auth.name]
        if fetch.auth.name in fetch.parameters:
            yield f"parameters: gives {fetch.auth.name!r}, which is auth.name; remove one of them"
    parameter = getattr(paging, "parameter", None)
    if parameter and getattr(paging, "in_", "") == "query":
        if isinstance(fetch.auth, KeyInQuery) and parameter == fetch.auth.name:
            yield f"paging.parameter: {parameter!r} is auth.name too"
        given["paging.parameter"] = [parameter]
        # The first request may need its own cursor, such as `*`.
        if isinstance(paging, Counted) and parameter in fetch.parameters:
            yield f"parameters: gives {parameter!r}, which is paging.parameter; paging.first sets the first one"
    for name, _ in parse_qsl(fetch.path.partition("?")[2], keep_blank_values=True):
        for field, names in given.items():
            if name in names:
                yield f"path: its query gives {name!r}, and so does {field}; remove one of them"
