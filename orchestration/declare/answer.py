"""Read one answer of an API: from a file, or by one request through the client of the fetch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.errors import SourceFailed, UsageError
from orchestration.log import Log
from orchestration.settings import EltSettings, SourceSettings
from orchestration.source.client import signed_in, warn_of_open_secrets
from orchestration.source.config import Table
from orchestration.source.day import day_of
from orchestration.source.deadline import deadline_after
from orchestration.source.decode import CutOffBody, Decoding, UndecodableBody
from orchestration.source.page import ENVELOPE_LIMIT, Limit, receive
from orchestration.source.paging import first_request
from orchestration.source.retry import call_with_retry, retry_policy
from orchestration.source.rows import KeptRows
from orchestration.source.schema import Fetch
from orchestration.source.secrets import Secrets

_GZIP = b"\x1f\x8b"
LENIENT_TYPES = ("text/plain", "text/javascript", "application/javascript", "application/octet-stream", "text/html", "")
"""Content types that are no JSON's, and that APIs send with it."""


@dataclass(frozen=True)
class Answer:
    """The body of one answer, as UTF-8 without a byte order mark.

    Attributes:
        body: The bytes.
        origin: The file or the request, as messages name it.
        headers: The headers by lower-case name; empty for a file.
    """

    body: bytes
    origin: str
    headers: Mapping[str, str] = field(default_factory=dict)


def read_answer(file: Path) -> Answer:
    """Read a saved answer: JSON or NDJSON in UTF-8, with or without a byte order mark, maybe compressed by gzip.

    Raises:
        UsageError: The file cannot be read, is not UTF-8, or is larger than one envelope may be.
    """
    try:
        sent = file.read_bytes()
    except OSError as error:
        raise UsageError(f"--sample {file}: cannot be read: {error.strerror or error}") from None

    def counted(chunks: Iterable[bytes]) -> Iterable[bytes]:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > ENVELOPE_LIMIT:
                raise UsageError(
                    f"--sample {file}: more than {ENVELOPE_LIMIT:,} bytes", remedy="give a smaller page of the API"
                )
            yield chunk

    try:
        codings = ("gzip",) if sent.startswith(_GZIP) else ()
        body = b"".join(counted(Decoding(codings).decoded(iter([sent]), counted)))
        body.decode()
    except (UndecodableBody, CutOffBody, UnicodeDecodeError) as error:
        raise UsageError(f"--sample {file}: {error}", remedy="save the answer as JSON in UTF-8") from None
    if not body.strip():
        raise UsageError(f"--sample {file}: is empty", remedy="save an answer that has records")
    return Answer(body, str(file))


def ask(
    elt: EltSettings, label: tuple[str, str], source: SourceSettings, fetch: Fetch, date: str, folder: Path, log: Log
) -> Answer:
    """Request the first page of a table, which need not be declared yet, once.

    Raises:
        UsageError: A secret that the auth needs is not set.
        SourceFailed: The API gave no usable answer, or one without content.
    """
    import httpx

    table = Table(*label, "", fetch, 0.5, folder, (), KeptRows())
    secrets = Secrets()
    own = secrets.log(log)
    warn_of_open_secrets(table, source, own, set())
    request = first_request(table, source.url or "", day_of(date, fetch.day.zone, fetch.day.end))
    limit = Limit(ENVELOPE_LIMIT, f"an answer over {ENVELOPE_LIMIT:,} bytes", "ask for a smaller page")
    deadline = deadline_after(table.label, elt.fetch_timeout)
    path = folder / "answer"
    with (
        secrets.kept(),
        signed_in(table, source, elt.source_timeout, httpx.create_ssl_context(), None, secrets) as client,
    ):

        def once() -> Answer:
            page = receive(client, table, request, path, limit, deadline.for_page(elt.page_timeout))
            body = path.read_bytes()
            if not body.strip():
                raise SourceFailed(
                    f"{request.method} {request.shown} answered without content for {date}",
                    remedy="ask for a day with records by --date DATE",
                )
            return Answer(body, request.shown, {name.lower(): value for name, value in page.headers.items()})

        return call_with_retry(retry_policy(elt, "daily"), own, once, deadline=deadline)
