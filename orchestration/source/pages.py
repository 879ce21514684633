"""Fetch the pages of one table, in order, until they end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import count
from pathlib import Path

from orchestration.errors import IngestCleanError, SourceBodyInvalid, SourceRefused
from orchestration.lake import keys
from orchestration.log import Log
from orchestration.settings import EltSettings
from orchestration.source.address import Request
from orchestration.source.ahead import Ahead
from orchestration.source.announced import Announced, announced, require_complete
from orchestration.source.body import Body, is_empty_list, read_body
from orchestration.source.client import SourceClient
from orchestration.source.config import Table
from orchestration.source.deadline import Deadline, deadline_after
from orchestration.source.page import EDGE, ENVELOPE_LIMIT, Download, Limit, download
from orchestration.source.paging import Position, known_requests, next_request
from orchestration.source.paths import BLANK
from orchestration.source.retry import RetryPolicy, call_with_retry
from orchestration.source.rules import may_end_pages
from orchestration.text import FOREIGN_LIMIT, one_line, quoted

_PAST_THE_END = frozenset({204, 400, 404, 410, 416, 422})
"""Statuses an API may send for a page number after its last page."""


@dataclass(frozen=True)
class Page:
    """One raw page: the response body, and its key on the lake.

    Attributes:
        table: `source.table`.
        key: The key on the lake.
        path: The file in the work directory.
        bytes: Its size.
        sha256: Its SHA-256 in hex.
        md5: Its MD5 in hex, which is lakeFS's checksum.
        decoded: What it was decoded from, such as `gzip`, in order; empty if it has the bytes as sent.
        no_data: What the API sent to say that there is no data; the page is then empty.
    """

    table: str
    key: str
    path: Path
    bytes: int
    sha256: str
    md5: str
    decoded: tuple[str, ...] = ()
    no_data: str = ""


@dataclass(frozen=True)
class Run:
    """State shared by the fetches of all tables of a date."""

    elt: EltSettings
    execution_date: str
    folder: Path
    retries: RetryPolicy
    log: Log

    def download(
        self, client: SourceClient, table: Table, request: Request, key: str, used: int, deadline: Deadline
    ) -> Download:
        """Download a page with the retry policy."""
        limit = self.limit(table, used)

        def once() -> Download:
            own = deadline.for_page(self.elt.page_timeout)
            return download(client, table, request, self.folder / key, limit, own)

        return call_with_retry(self.retries, self.log, once, deadline=deadline)

    def require_room(self, table: Table, page: Download, used: int) -> None:
        """Require that a page is within the limits. One that was downloaded at the same time as others may not be.

        Raises:
            SourceBodyInvalid: The date is too large.
        """
        limit = self.limit(table, used)
        if page.bytes > limit.bytes:
            raise SourceBodyInvalid(
                f"{table.label}: {limit.exceeds}: {page.bytes:,} bytes were received so far", remedy=limit.remedy
            )

    def limit(self, table: Table, used: int) -> Limit:
        """Return the size limit of the next page, after `used` bytes of the date."""
        elt = self.elt
        smaller = f"request smaller pages: set the API's page size under parameters of {table.label}"
        limits = [
            Limit(
                elt.max_page_bytes,
                f"a page over {elt.max_page_bytes:,} bytes",
                f"{smaller}, or raise ELT_MAX_PAGE_BYTES",
            ),
            Limit(
                elt.max_date_bytes - used,
                f"after {used:,} bytes of other pages, a date over {elt.max_date_bytes:,} bytes",
                "check what the API sends, or raise ELT_MAX_DATE_BYTES",
            ),
        ]
        if table.fetch.reads_bodies:
            kind = "an envelope" if table.fetch.form == "envelope" else "a counted"
            limits.append(Limit(ENVELOPE_LIMIT, f"{kind} page over {ENVELOPE_LIMIT:,} bytes", smaller))
        return min(limits, key=lambda limit: limit.bytes)


def fetch_table(client: SourceClient, table: Table, first: Request, run: Run, used: int) -> Iterator[Page]:
    """Yield the pages of a table and date, after `used` bytes of other tables.

    Raises:
        SourceFailed: The API gave no usable response, or not all that it announced.
        DiskFailed: A page could not be written to disk.
    """
    deadline = deadline_after(table.label, run.elt.fetch_timeout)
    progress = _Progress(used)

    def fetch(request: Request, number: int) -> Download:
        key = keys.raw_page(table.source, table.name, run.execution_date, number)
        return run.download(client, table, request, key, progress.used, deadline)

    with Ahead(table.fetch.concurrency, fetch, deadline.stop) as ahead:
        yield from _pages(client, table, first, run, progress, ahead)


@dataclass
class _Progress:
    """The bytes of the date so far."""

    used: int


def _pages(
    client: SourceClient, table: Table, first: Request, run: Run, progress: _Progress, ahead: Ahead
) -> Iterator[Page]:
    elt, fetch = run.elt, table.fetch
    request: Request | None = first
    seen: dict[bytes, int] = {}
    asked: dict[object, int] = {}
    found: list[Download] = []
    announcements: list[Announced] = []
    full, received, after_empty = 1, 0, False
    held: list[Page] = []
    while request is not None:
        number = len(found) + 1
        if number - after_empty > elt.max_pages:
            raise SourceBodyInvalid(
                f"{table.label} has more than {elt.max_pages:,} pages",
                remedy="request larger pages, or raise ELT_MAX_PAGES",
            )
        same = _identity(table, request)
        if same in asked:
            raise _circle(table, number, asked[same], f"{quoted(request.shown, FOREIGN_LIMIT)} was requested before")
        asked[same] = number
        key = keys.raw_page(table.source, table.name, run.execution_date, number)
        try:
            page = ahead.take(request, number)
        except SourceRefused as error:
            if _is_end(table, number, error.status, after_empty=after_empty):
                break
            raise _on_a_later_page(table, number, error) from error
        if page.no_data:
            run.log.info(f"{table.label}: page {number} has no data: {one_line(page.no_data, FOREIGN_LIMIT)}")
            if number > 1:
                break
        run.require_room(table, page, progress.used)
        progress.used += page.bytes
        body = read_body(page, table)
        announcements.append(announced(table, page, body))
        position = _position(table, announcements[-1], body, number, received)
        received = position.received
        if number == 1:
            ahead.plan(zip(known_requests(table, request, position), count(2), strict=False))
        following = None if page.no_data else next_request(table, request, page, body, position)
        if following:
            # An API may repeat the key of a query in its links.
            following = replace(following, url=client.without_key(following.url))
        digest = _digest_of_records(table, page, body)
        if body.no_data:
            page = page.emptied(body.no_data)
        found.append(page)
        raw = Page(table.label, key, page.path, page.bytes, page.sha256, page.md5, page.decoded, page.no_data)
        if digest:
            if digest in seen:
                raise _circle(
                    table, number, seen[digest], f"{quoted(request.shown, FOREIGN_LIMIT)} returned the same response"
                )
            seen[digest] = full = number
            # More numbered pages followed, so the empty page before them belongs to the date.
            yield from (*held, raw)
            held = []
        elif number == 1 or (not fetch.ends_empty and following is not None):
            # A day without records keeps one page.
            yield raw
        elif fetch.ends_empty and not after_empty:
            held.append(raw)
        if fetch.ends_empty and not digest and (after_empty or following is None):
            _report_empty_end(table, number, announcements, run.log)
            break
        after_empty = fetch.ends_empty and not digest
        request = following
    require_complete(table, found[:full], announcements, run.log)


def _position(table: Table, announcement: Announced, body: Body, number: int, received: int) -> Position:
    """Return how far the pages have come with this one, counting its records only if the paging needs their number."""
    paging, fetch = table.fetch.paging, table.fetch
    count = body.count if fetch.counts_records else 0
    total = announcement.total if isinstance(fetch.total, str) or fetch.total_header else None
    has_pages = getattr(paging, "pages", None) or getattr(paging, "pages_header", None)
    pages = announcement.pages if has_pages else None
    return Position(number, received + count, count, total and total[1], pages and pages[1])


def _report_empty_end(table: Table, number: int, announcements: Sequence[Announced], log: Log) -> None:
    """Log that an empty page ended the pages, if the API announced nothing that confirms it."""
    if number > 1 and not any(found.total or found.pages for found in announcements):
        log.info(
            f"{table.label}: the pages end at page {number}, which is empty; the API announces neither their number "
            "nor that of the records"
        )


def _digest_of_records(table: Table, page: Download, body: Body) -> bytes:
    """Return a digest that two pages with the same records share; empty for a page without records."""
    if page.no_data or body.no_data:
        return b""
    if table.fetch.form == "envelope":
        # Other fields may contain a clock or a request id.
        counted = body.shape in ("columns", "table")
        is_empty = body.count == 0 if counted else is_empty_list(body.records)
        return b"" if is_empty else sha256(body.records).digest()
    empty = page.bytes <= EDGE and is_empty_list(page.path.read_bytes().strip(BLANK))
    return b"" if empty else bytes.fromhex(page.sha256)


def _is_end(table: Table, number: int, status: int | None, *, after_empty: bool) -> bool:
    """Return whether an error status in place of a numbered page means that the page before was the last."""
    declared = getattr(table.fetch.paging, "end_status", ())
    return number > 1 and (status in declared or (after_empty and status in _PAST_THE_END))


def _on_a_later_page(table: Table, number: int, error: SourceRefused) -> IngestCleanError:
    """Return the error for a refused page, with what the pages before it imply."""
    if number == 1 or error.status is None:
        return error
    came = f"; {number - 1} pages were fetched before it"
    if table.fetch.counts_pages and may_end_pages(error.status):
        return error.extended(
            f"{came}, and an API may end its pages this way",
            remedy=f"if that is the end, set paging.end_status: [{error.status}] of {table.label} in the source's YAML",
        )
    if error.status in (404, 410):
        return error.extended(f"{came}, and the last one named this page", remedy="run again, or correct the API")
    return error.extended(came)


def _circle(table: Table, number: int, before: int, how: str) -> SourceBodyInvalid:
    return SourceBodyInvalid(
        f"{table.label}: page {number} is page {before} again, so the paging is circular: {how}",
        remedy=f"correct the API, or paging of {table.label} in the source's YAML",
    )


def _identity(table: Table, request: Request) -> object:
    try:
        return request.identity
    except ValueError as error:
        raise SourceBodyInvalid(
            f"{table.label}: {quoted(request.url, FOREIGN_LIMIT)} cannot be requested: {error}",
            remedy=f"correct the API if it named that address, else {table.source.upper()}_API_URL",
        ) from error
