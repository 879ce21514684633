"""Derive the request for the next page from a page: by page number, offset, next link or cursor."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import msgspec

from orchestration.errors import SourceBodyInvalid
from orchestration.source.address import Request, identity, resolve, same_origin, same_resource
from orchestration.source.body import Body
from orchestration.source.config import Table
from orchestration.source.day import Day, filled, filled_json
from orchestration.source.link_header import Link, parse_links
from orchestration.source.page import Download
from orchestration.source.paths import with_value
from orchestration.source.schema import Counted, Cursors, NextLinks, NoPaging, Offsets, PageNumbers
from orchestration.text import FOREIGN_LIMIT, quoted


@dataclass(frozen=True)
class Position:
    """How far the pages of a date have come.

    Attributes:
        number: The pages that were requested.
        received: The records on them, as far as the paging needs to count them.
        last: The records on the last of them.
        total: The number of all records that the last page announces in the declared place; None without one.
        pages: The same for the number of pages.
    """

    number: int
    received: int = 0
    last: int = 0
    total: int | None = None
    pages: int | None = None


def first_request(table: Table, base_url: str, day: Day) -> Request:
    """Return the request for the first page of a table and day."""
    fetch, paging = table.fetch, table.fetch.paging
    path = filled(fetch.path, day, lambda value: quote(value, safe="/:"))
    request = Request(
        url=base_url.rstrip("/") + path,
        parameters={name: filled(_text(value), day) for name, value in fetch.parameters.items()},
        method=fetch.method,
        headers={name: filled(value, day) for name, value in fetch.headers.items()},
        body=filled_json(fetch.body, day),
    )
    return _at(request, paging, paging.first) if isinstance(paging, Counted) else request


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def next_request(table: Table, asked: Request, page: Download, body: Body, position: Position) -> Request | None:
    """Return the request for the page after `page`; None if the API says that `page` was the last.

    Without a declared end, counted pages have none here. The caller ends them at empty pages.

    Raises:
        SourceBodyInvalid: The next page that the API names cannot be requested.
    """
    paging = table.fetch.paging
    if isinstance(paging, NoPaging) or _is_last(table, body):
        return None
    if isinstance(paging, Offsets) or (isinstance(paging, PageNumbers) and table.fetch.counts_pages):
        return _counted(paging, asked, position)
    named = _named(table, paging, asked, page, body)
    if named is None:
        if (paging.more or paging.done) and paging.absent == "error" and not _is_last(table, body):
            raise SourceBodyInvalid(
                f"{body.where} has {paging.more or paging.done} for a further page, and names none",
                remedy=f"correct the API, or paging of {table.label} in the source's YAML",
            )
        return None
    if isinstance(paging, NextLinks):
        # The link has all parameters.
        return replace(asked, url=_same_origin(table, page.url, str(named)), parameters={})
    if isinstance(paging, Cursors):
        return _at(_without_first(asked, paging.first_only), paging, named)
    return _at(asked, paging, named)


def _counted(paging: Counted, asked: Request, position: Position) -> Request | None:
    """Return the request for the next counted page; None after the declared number of pages or records."""
    at = int(asked.at or 0)
    if isinstance(paging, PageNumbers):
        if position.pages is not None and position.number >= position.pages:
            return None
        following = at + 1
    else:
        step = paging.size or position.last
        following = at + step
        if not step or (position.total is not None and following - paging.first >= position.total):
            return None
    if position.total is not None and position.received >= position.total:
        return None
    return _at(asked, paging, following)


def known_requests(table: Table, first: Request, position: Position) -> Iterator[Request]:
    """Yield the requests after the first one, as far as the first page says how many there are."""
    paging = table.fetch.paging
    if not (isinstance(paging, Counted) and table.fetch.counts_pages):
        return
    pages = position.pages if isinstance(paging, PageNumbers) else None
    if pages is None and paging.size and position.total is not None:
        pages = -(-position.total // paging.size)
    step = (paging.size or 1) if isinstance(paging, Offsets) else 1
    for number in range(1, pages or 0):
        yield _at(first, paging, paging.first + number * step)


def _at(asked: Request, paging: PageNumbers | Offsets | Cursors, value: str | int) -> Request:
    """Return a request for another page."""
    match paging.in_:
        case "query":
            return replace(asked, parameters={**asked.parameters, paging.parameter: str(value)}, at=value)
        case "header":
            return replace(asked, headers={**asked.headers, paging.parameter: str(value)}, at=value)
        case "body":
            return replace(asked, body=with_value(asked.body, paging.parameter, value), at=value)


def _without_first(asked: Request, first_only: Sequence[str]) -> Request:
    def kept(values: Any) -> Any:
        if first_only == "all":
            return {} if values else values
        return {name: value for name, value in values.items() if name not in first_only} if values else values

    return replace(asked, parameters=kept(asked.parameters), body=kept(asked.body))


def linked(page: Download) -> str | None:
    """Return the target of a next link in the Link header; None if the header has no such link or is malformed."""
    try:
        return next(iter(_targets(page.url, page.headers.get_list("Link"))), None)
    except ValueError:
        return None


def _is_last(table: Table, body: Body) -> bool:
    """Return whether the flag `more` or `done` says that the page is the last."""
    paging = table.fetch.paging
    if isinstance(paging, NoPaging) or not (path := paging.more or paging.done):
        return False
    name, remedy = (
        "more" if paging.more else "done",
        f"correct the API, or paging of {table.label} in the source's YAML",
    )
    found = body.value(path, remedy)
    if found in (None, b"null") and paging.absent == "end":
        return True
    flag = {b"true": True, b"false": False, b'"true"': True, b'"false"': False, b"1": True, b"0": False}.get(
        found or b""
    )
    if flag is None:
        instead = "is absent" if found is None else f"is {found[:80]!r}"
        raise SourceBodyInvalid(
            f"{body.where}: {path}, which is paging.{name}, {instead}, not true or false",
            remedy=f"{remedy}; if the API leaves it out of the last page, set paging.absent: end",
        )
    return flag is (name == "done")


def _named(
    table: Table, paging: PageNumbers | NextLinks | Cursors, asked: Request, page: Download, body: Body
) -> str | int | None:
    """Return the next page, link or cursor that the page names; None if it names none."""
    if paging.next:
        named = _value(table, body, paging.next)
    else:
        header = paging.next_header or ("Link" if isinstance(paging, NextLinks) else "")
        lines = page.headers.get_list(header)
        if isinstance(paging, NextLinks) and header.lower() == "link":
            return _link(table, page, lines)
        named = _only(table, f"values of {header}", {line.strip() for line in lines} - {""})
    if named in ("", "0", 0) or (isinstance(paging, Cursors) and str(named) in map(str, paging.end_values)):
        return None
    return named


def _value(table: Table, body: Body, path: str) -> str | int | None:
    """Return the field that names the next page.

    Return None if it is null or false, or if it is absent and `paging.absent` is `end`.
    """
    remedy = f"correct the API, or paging.next of {table.label} in the source's YAML"
    raw = body.value(path, remedy)
    if raw is None and getattr(table.fetch.paging, "absent", "") == "end":
        return None
    if raw is None:
        raise SourceBodyInvalid(
            f"{body.where} has no field {path!r}, which announces the next page",
            remedy=f"{remedy}; if the API leaves it out of the last page, set paging.absent: end",
        )
    if raw in (b"null", b"false"):
        return None
    try:
        value: str | int | float = msgspec.json.decode(raw, type=str | int | float)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SourceBodyInvalid(f"{body.where}: {path} is {raw[:80]!r}, not a text or number", remedy=remedy) from None
    # A text keeps all digits of the number.
    return raw.decode() if isinstance(value, float) else value


def _link(table: Table, page: Download, lines: Sequence[str]) -> str | None:
    """Return the target of the next link in a Link header; None if there is no such link or it has no results."""
    try:
        targets = _targets(page.url, lines)
    except ValueError as error:
        raise SourceBodyInvalid(
            f"{table.label}: the Link header {quoted(', '.join(lines), FOREIGN_LIMIT)} cannot be read: {error}",
            remedy="correct the API: RFC 8288 defines the header",
        ) from error
    addresses = [_same_origin(table, page.url, target) for target in targets]
    return _only(table, "next links", {identity(address): address for address in addresses}.values())


def _targets(asked: str, lines: Sequence[str]) -> list[str]:
    links = [link for link in parse_links(", ".join(lines)) if "next" in link.relations and _is_of(asked, link)]
    # Some APIs always send a next link. Its parameter `results` says whether that page has any.
    return [link.target for link in links if link.parameters.get("results", "").lower() != "false"]


def _is_of(asked: str, link: Link) -> bool:
    """Return whether a link belongs to the requested page. Its `anchor` may name another resource."""
    anchor = link.parameters.get("anchor")
    return anchor is None or same_resource(asked, resolve(asked, anchor))


def _only(table: Table, what: str, values: Collection[str]) -> str | None:
    if len(values) > 1:
        raise SourceBodyInvalid(
            f"{table.label}: a page names {len(values)} different {what}: "
            + ", ".join(quoted(value, FOREIGN_LIMIT) for value in sorted(values)[:3]),
            remedy="correct the API",
        )
    return next(iter(values), None)


def _same_origin(table: Table, asked: str, link: str) -> str:
    remedy = f"correct the API, or {table.source.upper()}_API_URL"
    try:
        target = resolve(asked, link)
        is_same = same_origin(asked, target)
    except ValueError as error:
        raise SourceBodyInvalid(
            f"{table.label}: the next link {quoted(link, FOREIGN_LIMIT)} is not a valid address: {error}", remedy=remedy
        ) from error
    if not is_same:
        # Do not send the token to another host.
        raise SourceBodyInvalid(
            f"{table.label}: the next link {quoted(link, FOREIGN_LIMIT)} points away from {resolve(asked, '/')}",
            remedy=remedy,
        )
    return target
