"""Compare what was fetched for a date with the totals and next pages that the API announced."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from orchestration.errors import SourceBodyInvalid
from orchestration.log import Log
from orchestration.source.body import Body, count_records
from orchestration.source.config import Table
from orchestration.source.failures import Fields, text_of
from orchestration.source.page import Download
from orchestration.source.paging import linked
from orchestration.source.paths import BLANK
from orchestration.source.schema import Cursors, PageNumbers
from orchestration.text import quoted

TOTALS = (
    *("total_count", "totalCount", "total_results", "totalResults", "total_records", "totalRecords"),
    *("total_items", "totalItems", "total_elements", "totalElements", "total_hits", "totalHits"),
    *("total_rows", "totalRows", "total_size", "totalSize", "num_found", "numFound", "@odata.count", "total"),
)
PAGES = ("total_pages", "totalPages", "num_pages", "numPages", "last_page", "lastPage", "pages")
TOTAL_HEADERS = ("X-Total-Count", "X-Total", "X-WP-Total")
PAGES_HEADERS = ("X-Total-Pages", "X-WP-TotalPages")
TRUE_MEANS_MORE = (
    *("has_more", "hasMore", "has_next", "hasNext", "has_next_page", "hasNextPage", "more", "moreAvailable"),
    *("truncated", "is_truncated", "isTruncated", "more_records", "moreRecords"),
)
FALSE_MEANS_MORE = ("is_last", "isLast", "is_last_page", "isLastPage", "last", "done")
NEXT = (
    *("next", "next_page", "nextPage", "next_page_token", "nextPageToken", "next_token", "nextToken"),
    *("next_cursor", "nextCursor", "next_link", "nextLink", "@odata.nextLink", "next_url", "nextUrl"),
    *("next_page_url", "nextPageUrl", "next_page_uri", "nextRecordsUrl", "continuation_token", "continuationToken"),
)
INSIDE = (
    *("meta", "_meta", "metadata", "pagination", "paging", "page", "page_info", "pageInfo"),
    *("links", "_links", "info", "result_info", "response_metadata", "hits"),
)
"""Objects of an envelope whose fields are checked after the top-level fields."""

_WHOLE = re.compile(rb'"?(\d{1,15})"?')


@dataclass(frozen=True)
class Announced:
    """What one page announces about the whole date.

    Attributes:
        total: The name of the field or header with the number of records, and that number.
        pages: The same for the number of pages.
        more: A sign that another page follows; empty if the page has no such sign.
    """

    total: tuple[str, int] | None = None
    pages: tuple[str, int] | None = None
    more: str = ""


def announced(table: Table, page: Download, body: Body) -> Announced:
    """Return what a page announces; only what is declared if the source declares `total: false`.

    Raises:
        SourceBodyInvalid: What is declared as the total or as the number of pages is not a number.
    """
    fetch, paging = table.fetch, table.fetch.paging
    if page.no_data:
        return Announced()
    pages: tuple[str, int] | None = None
    if isinstance(paging, PageNumbers):
        pages = _declared(table, page, body, "paging.pages", paging.pages, paging.pages_header)
    if fetch.total is False:
        return Announced(pages=pages)
    within = list(_within(body.fields))
    more = [f"{name}: true" for name in TRUE_MEANS_MORE if _any(within, name) == b"true"]
    more += [f"{name}: false" for name in FALSE_MEANS_MORE if _any(within, name) == b"false"]
    if not fetch.counts_pages:
        # Only meaningful on the last page: there, the declared field or header named no next page.
        ends = {str(value) for value in paging.end_values} if isinstance(paging, Cursors) else set()
        named = ((name, _target(_any(within, name))) for name in NEXT)
        more += [
            f"{name}: {quoted(text)}"
            for name, found in named
            if _names_something(found) and (text := found.decode(errors="replace")).strip('"') not in ends
        ]
    if target := linked(page):
        more.append(f"a Link header with the next page {quoted(target)}")
    total = _declared(table, page, body, "total", fetch.total or None, fetch.total_header)
    total = total or _number(within, TOTALS) or _in_header(page, TOTAL_HEADERS)
    pages = pages or _number(within, PAGES) or _in_header(page, PAGES_HEADERS)
    return Announced(total, pages, more[0] if more else "")


def require_complete(table: Table, pages: Sequence[Download], announcements: Sequence[Announced], log: Log) -> None:
    """Compare what was fetched for a date with what was announced.

    `pages` are the pages with records, or the first page if none has any. More records than announced are only a
    warning, since nothing is lost.

    Raises:
        SourceBodyInvalid: Records, pages or a next page were announced but not fetched.
    """
    last = announcements[-1]
    remedy = (
        f"declare the paging of {table.label} in the source's YAML, or ask for larger pages under parameters; "
        "if it has another meaning, set total: to the field with the number of records, or to false"
    )
    if last.more:
        raise SourceBodyInvalid(
            f"{table.label}: after {len(announcements)} pages, the last one announces more by {last.more}",
            remedy=remedy,
        )
    paging = table.fetch.paging
    asked = len(announcements) + (max(0, paging.first - 1) if isinstance(paging, PageNumbers) else 0)
    if last.pages and last.pages[1] > asked:
        name, number = last.pages
        raise SourceBodyInvalid(
            f"{table.label}: {name} announces {number:,} pages, {len(announcements):,} were fetched", remedy=remedy
        )
    # Empty pages after the last record may announce 0.
    totals = [found.total for found in announcements[: len(pages)] if found.total]
    if totals:
        name, number = totals[-1]
        counts = [count_records(page, table) for page in pages]
        # A page that cannot be counted here is left to the accounting.
        if None in counts:
            return
        fetched = sum(count or 0 for count in counts)
        if number > fetched:
            raise SourceBodyInvalid(
                f"{table.label}: {name} announces {number:,} records, {fetched:,} were fetched", remedy=remedy
            )
        if number < fetched:
            log.warning(f"{table.label}: {name} announces {number:,} records, {fetched:,} were fetched")


def _within(fields: Fields) -> Iterator[Fields]:
    yield fields
    for name in INSIDE:
        if text_of(fields, name).startswith(b"{"):
            try:
                yield msgspec.json.decode(fields[name], type=dict[str, msgspec.Raw])
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue


def _any(within: Sequence[Fields], name: str) -> bytes:
    return next((text for fields in within if (text := text_of(fields, name))), b"")


def _target(text: bytes) -> bytes:
    """Return the address of a link that is an object, as in `{"href": "/rows?page=2"}`; any other value as it is."""
    return _field_of(text, "href") if text.startswith(b"{") else text


def _field_of(text: bytes, name: str) -> bytes:
    try:
        return text_of(msgspec.json.decode(text, type=dict[str, msgspec.Raw]), name)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return b""


def _number(within: Sequence[Fields], names: Sequence[str]) -> tuple[str, int] | None:
    for name in names:
        text = _any(within, name)
        # Elasticsearch: {"total": {"value": 5, "relation": "eq"}}
        if found := _WHOLE.fullmatch(_field_of(text, "value") if text.startswith(b"{") else text):
            return name, int(found[1])
    return None


def _in_header(page: Download, names: Sequence[str]) -> tuple[str, int] | None:
    for name in names:
        if found := _WHOLE.fullmatch(page.headers.get(name, "").strip().encode()):
            return name, int(found[1])
    return None


def _declared(
    table: Table, page: Download, body: Body, field: str, path: str | bool | None, header: str | None
) -> tuple[str, int] | None:
    """Return the number at a declared path or in a declared header, with its name; None if none is declared."""
    if header:
        kind, name, text = "header", header, page.headers.get(header, "").strip().encode()
    elif isinstance(path, str):
        remedy = f"correct the API, or {field} of {table.label} in the source's YAML"
        kind, name, text = "field", path, (body.value(path, remedy) or b"").strip(BLANK)
    else:
        return None
    found = _WHOLE.fullmatch(text)
    if found is None:
        raise SourceBodyInvalid(
            f"{body.where} does not announce its {field.removeprefix('paging.')}: "
            + (f"{name} is {text[:80]!r}, not a whole number" if text else f"it has no {kind} {name!r}"),
            remedy=f"correct the API, or {field} of {table.label} in the source's YAML",
        )
    return name, int(found[1])


def _names_something(text: bytes) -> bool:
    """Return whether a field for the next page holds a non-empty text or a number other than 0."""
    return bool(re.fullmatch(rb'"(?!0?").*"|[1-9]\d*', text, re.DOTALL))
