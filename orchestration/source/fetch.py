"""Fetch a date's pages from the API into the work directory, with size and digests. Nothing else is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from orchestration.errors import UsageError
from orchestration.log import Log
from orchestration.settings import Settings, SourceSettings
from orchestration.source.client import signed_in, warn_of_open_secrets
from orchestration.source.config import Table
from orchestration.source.day import day_of, today_in
from orchestration.source.pages import Page, Run, fetch_table
from orchestration.source.paging import first_request
from orchestration.source.retry import RunType, retry_policy
from orchestration.source.rules import is_snapshot
from orchestration.source.secrets import Secrets
from orchestration.source.throttle import Throttle


def fetch_date(
    tables: Sequence[Table],
    settings: Settings,
    execution_date: str,
    folder: Path,
    log: Log,
    run_type: RunType = "daily",
) -> tuple[Page, ...]:
    """Fetch all pages of all tables of a date, with the retry policy of the run type.

    Raises:
        UsageError: A source's address is not set, or a table has no past dates and this is one.
        SourceFailed: The API gave no usable response; the message names the page and the reason.
        DiskFailed: A page could not be written to disk.
    """
    import httpx

    for table in tables:
        if problem := not_on(table, execution_date, datetime.now(UTC)):
            raise UsageError(problem, remedy=f"elt run {today_in(table.fetch.day.zone, datetime.now(UTC))}")
    sources = {table.source: _configured(settings, table.source) for table in tables}
    tables = sorted(tables, key=lambda table: list(sources).index(table.source))
    warned: set[str] = set()
    for table in tables:
        warn_of_open_secrets(table, sources[table.source], log, warned)
    run = Run(settings.elt, execution_date, folder, retry_policy(settings.elt, run_type), log)
    context = httpx.create_ssl_context()
    throttles: dict[tuple[str, float], Throttle] = {}
    pages: list[Page] = []
    for table in tables:
        source, rate = sources[table.source], table.fetch.throttle
        throttle = throttles.setdefault((table.source, rate), Throttle(rate)) if rate else None
        day = day_of(execution_date, table.fetch.day.zone, table.fetch.day.end)
        first = first_request(table, source.url or "", day)
        secrets = Secrets()
        own = replace(run, log=secrets.log(log))
        with secrets.kept(), signed_in(table, source, run.elt.source_timeout, context, throttle, secrets) as client:
            found = list(fetch_table(client, table, first, own, sum(page.bytes for page in pages)))
        log.info(f"fetched {table.label}: {len(found)} pages, {sum(page.bytes for page in found):,} bytes")
        pages += found
    return tuple(pages)


def not_on(table: Table, execution_date: str, now: datetime) -> str:
    """Return why a table cannot be fetched for a date; an empty text if it can.

    A table whose requests have no placeholder is a snapshot: the API answers with what is current, whatever the date.
    """
    if not is_snapshot(table.fetch):
        return ""
    zone, age = table.fetch.day.zone, table.fetch.day.snapshot_age
    today = today_in(zone, now)
    if 0 <= (today - date.fromisoformat(execution_date)).days <= age:
        return ""
    return (
        f"{table.label} cannot be fetched for {execution_date}: its requests have no placeholder such as {{date}}, so "
        f"the API answers with what is current, and today is {today} in {zone}"
    )


def _configured(settings: Settings, name: str) -> SourceSettings:
    source = settings.sources.get(name)
    if source is None or source.url is None:
        variable = f"{name.upper()}_API_URL"
        raise UsageError(
            f"{variable} is not set: the address of source {name}", remedy=f"set {variable} in the environment or .env"
        )
    return source
