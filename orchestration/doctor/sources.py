"""Checks of the declarations, and of the sources' APIs: each answers one request of its first table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from orchestration.doctor.checks import Check, Result, failed, ok, warning
from orchestration.doctor.http import TIMEOUT
from orchestration.doctor.prefect import SIGNED_IN
from orchestration.errors import SourceUnreachable, UsageError
from orchestration.settings import LakeSettings

if TYPE_CHECKING:
    from orchestration.settings import Settings, SourceSettings
    from orchestration.source.config import Table


def source_checks(settings: Settings) -> Iterator[Check]:
    """Return a check of each dbt source, and of each kind of declaration that is invalid."""
    from orchestration.flows.secrets import wanted_secrets
    from orchestration.models.reports import read_reports
    from orchestration.source.config import read_tables

    try:
        tables = read_tables(settings.project_dir)
    except UsageError as error:
        yield Check("source declarations", partial(failed, error.cause, error.remedy))
        return
    try:
        read_reports(settings.project_dir)
    except UsageError as error:
        yield Check("report declarations", partial(failed, error.cause, error.remedy))
    wanted = wanted_secrets(settings)
    first = {table.source: table for table in reversed(tables)}
    for name, table in sorted(first.items()):
        source = settings.sources.get(name)
        in_block = source and any(not getattr(source, field) for field in wanted[name])
        yield Check(f"source {name}", partial(_look, settings, table), SIGNED_IN if in_block else ())


def _look(settings: Settings, table: Table) -> Result:
    from orchestration.flows.secrets import with_secrets
    from orchestration.log import log_to
    from orchestration.source.client import warn_of_open_secrets

    configured = settings.sources.get(table.source)
    if configured is None:
        variable = f"{table.source.upper()}_API_URL"
        return failed(f"{variable} is not set: the address of source {table.source}", f"set {variable} in .env")
    # Without lakeFS's keys, which have a check of their own.
    alone = replace(settings, lake=LakeSettings(), sources={table.source: configured})
    source = with_secrets(alone).sources[table.source]
    result = _ask(table, source)
    lines: list[str] = []
    warn_of_open_secrets(table, source, log_to(lines.append), set())
    if lines and result.state == "ok":
        return warning(lines[0].removeprefix("warning: "), f"set {table.source.upper()}_API_URL to an https:// address")
    return result


def _ask(table: Table, source: SourceSettings) -> Result:
    """Send the first request for yesterday, and look at the status of the answer only."""
    import httpx

    from orchestration.dates import day_before
    from orchestration.source.client import signed_in
    from orchestration.source.day import day_of
    from orchestration.source.deadline import deadline_after
    from orchestration.source.paging import first_request
    from orchestration.source.secrets import Secrets

    day = day_of(day_before(datetime.now(UTC)), table.fetch.day.zone, table.fetch.day.end)
    secrets, context = Secrets(), httpx.create_ssl_context()
    deadline = deadline_after(table.label, TIMEOUT)
    with secrets.kept(), signed_in(table, source, TIMEOUT, context, None, secrets) as client, deadline.applied():
        try:
            address, response = client.send(first_request(table, source.url or "", day), deadline)
        except httpx.TransportError as error:
            raise SourceUnreachable(
                f"no answer from {source.url}: {error or type(error).__name__}",
                remedy=f"check {table.source.upper()}_API_URL, the network and the API",
            ) from error
        response.close()
        address = client.without_key(address)
        return _result(table, address, response.status_code, client.settings)


def _result(table: Table, address: str, status: int, variables: tuple[str, ...]) -> Result:
    seen = f"{address} answered {status}"
    if status < 300:
        return ok(seen)
    if status in (401, 403):
        names = " and ".join(variables) or f"{table.source.upper()}_API_TOKEN"
        return failed(seen, f"the API refuses the credentials: correct {names}")
    if status == 429:
        return warning(seen, "the API is busy; look again later, or lower fetch.throttle of the table")
    remedy = f"elt source check {table.label} shows the request and the answer"
    return failed(seen, remedy) if status >= 500 else warning(seen, remedy)
