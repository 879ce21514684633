"""Fetch: a date's pages from the API to the spool, with size and digests; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestration import keys
from orchestration.address import Request, identity
from orchestration.deadline import deadline_after
from orchestration.download import ENVELOPE_LIMIT, Limit, download, holds_no_records, shown
from orchestration.errors import SourceBodyInvalid, UsageError
from orchestration.paging import first_request, next_request
from orchestration.progress import Report, warning
from orchestration.retry import Patience, patience, patiently
from orchestration.settings import EltSettings, Settings, SourceSettings
from orchestration.source import Table

if TYPE_CHECKING:
    import ssl

    import httpx

    from orchestration.request import RunType


@dataclass(frozen=True)
class Page:
    """One page of raw: the API's answer byte for byte, and the key it goes to.

    Attributes:
        table: `source.table`.
        key: The key on the lake.
        path: The file on the spool.
        bytes: Its size.
        sha256: Its SHA-256 in hex.
        md5: Its MD5 in hex, lakeFS's checksum.
    """

    table: str
    key: str
    path: Path
    bytes: int
    sha256: str
    md5: str


def fetch_date(
    tables: Sequence[Table],
    settings: Settings,
    execution_date: str,
    spool: Path,
    report: Report,
    run_type: RunType = "daily",
) -> tuple[Page, ...]:
    """All pages of all tables of a date; the run type says how patiently they are asked for.

    Raises:
        UsageError: A source's address is not set.
        SourceFailed: The API gave no usable answer; says which page and why.
        SpoolFailed: The disk did not take it.
    """
    import httpx

    sources = {table.source: _configured(settings, table.source) for table in tables}
    for name, source in sources.items():
        _warn_of_open_token(name, source, report)
    run = _Run(settings.elt, execution_date, spool, patience(settings.elt, run_type), report)
    context = httpx.create_ssl_context()
    pages: list[Page] = []
    for table in sorted(tables, key=lambda table: list(sources).index(table.source)):
        source = sources[table.source]
        first = first_request(table, source.url or "", execution_date)
        # A client of its own: a connection is bound to the deadline of its table.
        with _client(table.source, source, settings.elt.source_timeout, context) as client:
            found = list(_fetch_table(client, table, first, run, sum(page.bytes for page in pages)))
        report(f"fetched {table.label}: {len(found)} pages, {sum(page.bytes for page in found):,} bytes")
        pages += found
    return tuple(pages)


def _configured(settings: Settings, name: str) -> SourceSettings:
    source = settings.sources.get(name)
    if source is None or source.url is None:
        variable = f"{name.upper()}_API_URL"
        raise UsageError(
            f"{variable} is not set: the address of source {name}", remedy=f"set {variable} in the environment or .env"
        )
    return source


def _client(name: str, source: SourceSettings, timeout: float, context: ssl.SSLContext) -> httpx.Client:
    import httpx

    headers = {
        "Accept": "application/json, application/x-ndjson",
        "Accept-Encoding": "identity",
        "User-Agent": f"ingest-clean/{version('ingest-clean')}",
    }
    if source.token is not None:
        token = source.token.get_secret_value()
        # The HTTP library's own error would show it.
        if not (token.isascii() and token.isprintable()):
            raise UsageError(
                f"{name.upper()}_API_TOKEN has a character that no HTTP header takes, such as a line break",
                remedy="set it again",
            )
        headers["Authorization"] = f"Bearer {token}"
    return httpx.Client(headers=headers, timeout=timeout, verify=context)


def _warn_of_open_token(name: str, source: SourceSettings, report: Report) -> None:
    url = urlsplit(source.url or "")
    if source.token is not None and url.scheme == "http" and not _is_loopback(url.hostname or ""):
        report(
            warning(
                f"{name.upper()}_API_TOKEN is sent to {url.hostname} over plain http, readable on the way; use https"
            )
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@dataclass(frozen=True)
class _Run:
    """What the fetches of all tables of a date share."""

    elt: EltSettings
    execution_date: str
    spool: Path
    patient: Patience
    report: Report

    def limit(self, table: Table, used: int) -> Limit:
        """The limit of the next page, once `used` bytes of the date came."""
        elt = self.elt
        smaller = f"ask for smaller pages: set the API's page size under parameters of {table.label}"
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
        if table.fetch.form == "envelope":
            limits.append(Limit(ENVELOPE_LIMIT, f"an envelope page over {ENVELOPE_LIMIT:,} bytes", smaller))
        return min(limits, key=lambda limit: limit.bytes)


def _fetch_table(client: httpx.Client, table: Table, first: Request, run: _Run, used: int) -> Iterator[Page]:
    elt = run.elt
    deadline = deadline_after(table.label, elt.fetch_timeout)
    request: Request | None = first
    seen: dict[str, int] = {}
    asked: dict[object, int] = {}
    number = 0
    while request is not None:
        number += 1
        if number > elt.max_pages:
            raise SourceBodyInvalid(
                f"{table.label} has more than {elt.max_pages:,} pages",
                remedy="ask for larger pages, or raise ELT_MAX_PAGES",
            )
        same = _identity(table, request)
        if same in asked:
            raise _circle(table, number, asked[same], f"{shown(request.address)} was asked for before")
        asked[same] = number
        key = keys.raw_page(table.source, table.name, run.execution_date, number)
        wanted = (client, table, request.address, run.spool / key, run.limit(table, used), deadline)
        page = patiently(run.patient, run.report, download, *wanted, deadline=deadline)
        used += page.bytes
        following = next_request(table, request, page)
        empty = holds_no_records(page, table)
        if not empty and page.sha256 in seen:
            raise _circle(table, number, seen[page.sha256], f"{shown(request.address)} answered the same")
        seen[page.sha256] = number
        # The empty page that ends a paging holds nothing to keep; an empty day keeps its one page.
        if number == 1 or not empty or following is not None:
            yield Page(table.label, key, page.path, page.bytes, page.sha256, page.md5)
        request = following


def _circle(table: Table, number: int, before: int, how: str) -> SourceBodyInvalid:
    return SourceBodyInvalid(
        f"{table.label}: page {number} is page {before} again, so the paging goes in circles: {how}",
        remedy=f"correct the API, or paging of {table.label} in the source's YAML",
    )


def _identity(table: Table, request: Request) -> object:
    try:
        return identity(request.address)
    except ValueError as error:
        raise SourceBodyInvalid(
            f"{table.label}: {shown(request.url)} cannot be asked for: {error}",
            remedy=f"correct the API where it named that address, else {table.source.upper()}_API_URL",
        ) from error
