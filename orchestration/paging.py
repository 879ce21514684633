"""Which request follows a page: by page number, next link or cursor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import msgspec

from orchestration.download import Download, envelope_fields, holds_no_records
from orchestration.errors import SourceBodyInvalid
from orchestration.source import Table


@dataclass(frozen=True)
class Request:
    """One request for a page: an absolute URL and the parameters to add to it."""

    url: str
    parameters: Mapping[str, str]


def first_request(table: Table, base_url: str, execution_date: str) -> Request:
    """The request for the first page of a table's date."""
    fetch, paging = table.fetch, table.fetch.paging
    parameters = {name: str(value) for name, value in fetch.parameters.items()}
    parameters[fetch.date_parameter] = execution_date
    if paging.style == "page" and paging.parameter:
        parameters[paging.parameter] = str(paging.first)
    return Request(base_url.rstrip("/") + fetch.path, parameters)


def next_request(table: Table, asked: Request, page: Download) -> Request | None:
    """The request for the page after `page`, or None where the API says that it was the last.

    Raises:
        SourceBodyInvalid: The API names a next page that can't be asked for.
    """
    paging = table.fetch.paging
    if paging.style == "none":
        return None
    if paging.style == "page" and not (paging.next or paging.next_header):
        if holds_no_records(page, table):
            return None
        return _with(asked, paging.parameter, str(int(asked.parameters[paging.parameter or ""]) + 1))
    named = _named(table, page)
    if not named:
        return None
    if paging.style == "next_link":
        return Request(_same_origin(table, asked.url, named), {})
    return _with(asked, paging.parameter, named)


def _with(asked: Request, parameter: str | None, value: str) -> Request:
    return Request(asked.url, {**asked.parameters, parameter or "": value})


def _named(table: Table, page: Download) -> str:
    """The next page, link or cursor as the page names it; empty where it names none."""
    paging = table.fetch.paging
    if table.fetch.form == "envelope":
        fields = envelope_fields(page, table)
        if paging.next:
            return _text(table, page, paging.next, fields)
    if paging.style == "next_link" and (paging.next_header or "Link").lower() == "link":
        return _link(page.headers.get("Link", ""))
    return page.headers.get(paging.next_header or "", "").strip()


def _text(table: Table, page: Download, path: str, fields: Mapping[str, msgspec.Raw]) -> str:
    """The value at a dotted path of fields, as text; a path that leads nowhere is an error, null is none."""
    *outer, last = path.split(".")
    where = f"{page.path.name} of {table.label}"
    for name in outer:
        try:
            fields = msgspec.json.decode(fields[name], type=dict[str, msgspec.Raw])
        except (KeyError, msgspec.DecodeError, UnicodeDecodeError):
            raise SourceBodyInvalid(f"{where} has no object {name!r} on the way to {path!r}") from None
    if last not in fields:
        raise SourceBodyInvalid(
            f"{where} has no field {path!r}, which says whether there is more",
            remedy=f"correct the API, or paging.next of {table.label} in the source's YAML",
        )
    try:
        value = msgspec.json.decode(fields[last], type=str | int | None)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SourceBodyInvalid(
            f"{where}: {path} is {bytes(fields[last])[:80]!r}, no text or number",
            remedy=f"correct the API, or paging.next of {table.label} in the source's YAML",
        ) from None
    return "" if value is None else str(value)


def _link(header: str) -> str:
    """The target of `rel="next"` in a Link header (RFC 8288)."""
    import httpx

    links = httpx.Response(200, headers=[(b"Link", header.encode())]).links
    return str(links.get("next", {}).get("url", ""))


def _same_origin(table: Table, asked: str, link: str) -> str:
    remedy = f"correct the API, or {table.source.upper()}_API_URL"
    try:
        target = urljoin(asked, link)
        old, new = urlsplit(asked), urlsplit(target)
    except ValueError as error:
        raise SourceBodyInvalid(
            f"{table.label}: the next link {link!r} is no address: {error}", remedy=remedy
        ) from error
    if (old.scheme, old.netloc) != (new.scheme, new.netloc):
        # The token must not travel to another host.
        raise SourceBodyInvalid(
            f"{table.label}: the next link {target} leads away from {old.scheme}://{old.netloc}", remedy=remedy
        )
    return target
