"""Fetch: a date's pages from the API to the spool, with size and digests; nothing else is touched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration import keys
from orchestration.address import Request, identity
from orchestration.download import download, holds_no_records, shown
from orchestration.errors import SourceBodyInvalid, UsageError
from orchestration.paging import first_request, next_request
from orchestration.progress import Report
from orchestration.retry import Patience, patience, patiently
from orchestration.settings import EltSettings, Settings, SourceSettings
from orchestration.source import Table

if TYPE_CHECKING:
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
    sources = {table.source: _configured(settings, table.source) for table in tables}
    pages: list[Page] = []
    patient = patience(settings.elt, run_type)
    for name, source in sources.items():
        with _client(source, settings.elt.source_timeout) as client:
            for table in (table for table in tables if table.source == name):
                first = first_request(table, source.url or "", execution_date)
                found = list(_fetch_table(client, table, first, execution_date, spool, settings.elt, patient, report))
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


def _client(source: SourceSettings, timeout: float) -> httpx.Client:
    import httpx

    headers = {"Accept": "application/json, application/x-ndjson", "Accept-Encoding": "identity"}
    if source.token is not None:
        headers["Authorization"] = f"Bearer {source.token.get_secret_value()}"
    return httpx.Client(headers=headers, timeout=timeout)


def _fetch_table(
    client: httpx.Client,
    table: Table,
    first: Request,
    execution_date: str,
    spool: Path,
    elt: EltSettings,
    patient: Patience,
    report: Report,
) -> Iterator[Page]:
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
        key = keys.raw_page(table.source, table.name, execution_date, number)
        page = patiently(patient, report, download, client, table, request.address, spool / key)
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
