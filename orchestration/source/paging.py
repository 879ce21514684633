"""Derive the request for the next page from a page: by page number, next link or cursor."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from orchestration.errors import SourceBodyInvalid
from orchestration.source.address import Request, identity, resolve, same_origin, same_resource
from orchestration.source.config import Table
from orchestration.source.envelope import Fields, value_at
from orchestration.source.link_header import Link, parse_links
from orchestration.source.page import Download
from orchestration.text import FOREIGN_LIMIT, quoted


def first_request(table: Table, base_url: str, execution_date: str) -> Request:
    """Return the request for the first page of a table and date."""
    fetch, paging = table.fetch, table.fetch.paging
    parameters = {name: str(value) for name, value in fetch.parameters.items()}
    parameters[fetch.date_parameter] = execution_date
    if paging.style == "page" and paging.parameter:
        parameters[paging.parameter] = str(paging.first)
    return Request(base_url.rstrip("/") + fetch.path, parameters)


def next_request(table: Table, asked: Request, page: Download, fields: Fields) -> Request | None:
    """Return the request for the page after `page`; None if the API says that `page` was the last.

    Numbered pages are counted without limit. The caller detects where they end.

    Raises:
        SourceBodyInvalid: The next page that the API names cannot be requested.
    """
    paging = table.fetch.paging
    if paging.style == "none":
        return None
    if paging.is_counted:
        return _with(asked, paging.parameter, str(int(asked.parameters[paging.parameter or ""]) + 1))
    named = _named(table, asked, page, fields)
    if named is None:
        return None
    if paging.style == "next_link":
        return Request(_same_origin(table, asked.address, named))
    return _with(asked, paging.parameter, named)


def _with(asked: Request, parameter: str | None, value: str) -> Request:
    return Request(asked.url, {**asked.parameters, parameter or "": value})


def linked(asked: Request, page: Download) -> str | None:
    """Return the target of a next link in the Link header; None if the header has no such link or is malformed."""
    try:
        return next(iter(_targets(asked, page.headers.get_list("Link"))), None)
    except ValueError:
        return None


def _named(table: Table, asked: Request, page: Download, fields: Fields) -> str | None:
    """Return the next page, link or cursor that the page names; None if it names none."""
    paging = table.fetch.paging
    if paging.next:
        return _text(table, page, paging.next, fields) or None
    header = paging.next_header or ("Link" if paging.style == "next_link" else "")
    lines = page.headers.get_list(header)
    if paging.style == "next_link" and header.lower() == "link":
        return _link(table, asked, lines)
    return _only(table, f"values of {header}", {line.strip() for line in lines} - {""})


def _text(table: Table, page: Download, path: str, fields: Fields) -> str | None:
    """Return the field that names the next page, as text.

    Return None if it is null, or if it is absent and `paging.absent` is `end`.
    """
    where = f"{page.path.name} of {table.label}"
    remedy = f"correct the API, or paging.next of {table.label} in the source's YAML"
    try:
        raw = value_at(fields, path)
    except ValueError as error:
        raise SourceBodyInvalid(f"{where}: {error}, on the way to {path!r}", remedy=remedy) from None
    if raw is None and table.fetch.paging.absent == "end":
        return None
    if raw is None:
        raise SourceBodyInvalid(
            f"{where} has no field {path!r}, which announces the next page",
            remedy=f"{remedy}; if the API leaves it out of the last page, set paging.absent: end",
        )
    try:
        value = msgspec.json.decode(raw, type=str | int | None)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SourceBodyInvalid(
            f"{where}: {path} is {bytes(raw)[:80]!r}, not a text or number", remedy=remedy
        ) from None
    return None if value is None else str(value)


def _link(table: Table, asked: Request, lines: Sequence[str]) -> str | None:
    """Return the target of the next link in a Link header; None if there is no such link or it has no results."""
    try:
        targets = _targets(asked, lines)
    except ValueError as error:
        raise SourceBodyInvalid(
            f"{table.label}: the Link header {quoted(', '.join(lines), FOREIGN_LIMIT)} cannot be read: {error}",
            remedy="correct the API: RFC 8288 defines the header",
        ) from error
    addresses = [_same_origin(table, asked.address, target) for target in targets]
    return _only(table, "next links", {identity(address): address for address in addresses}.values())


def _targets(asked: Request, lines: Sequence[str]) -> list[str]:
    links = [link for link in parse_links(", ".join(lines)) if "next" in link.relations and _is_of(asked, link)]
    # Some APIs always send a next link. Its parameter `results` says whether that page has any.
    return [link.target for link in links if link.parameters.get("results", "").lower() != "false"]


def _is_of(asked: Request, link: Link) -> bool:
    """Return whether a link belongs to the requested page. Its `anchor` may name another resource."""
    anchor = link.parameters.get("anchor")
    return anchor is None or same_resource(asked.address, resolve(asked.address, anchor))


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
