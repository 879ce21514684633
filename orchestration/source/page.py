"""Download one page to a file, measure it on the way, and check it against the source declaration."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.errors import SourceBodyInvalid, SourceBusy, SourceRefused, SourceTimedOut, SourceUnreachable
from orchestration.source.address import Request
from orchestration.source.auth import variables
from orchestration.source.client import SourceClient
from orchestration.source.deadline import Deadline
from orchestration.source.decode import CutOffBody, Decoding, UndecodableBody, charset_of, codings_of
from orchestration.source.digests import Digests
from orchestration.source.paths import BLANK, is_json
from orchestration.source.rate_limit import retry_after, until_reset
from orchestration.text import FOREIGN_LIMIT, one_line, printable, quoted
from orchestration.workdir import translate_disk_errors

if TYPE_CHECKING:
    import httpx

    from orchestration.source.config import Table

ENVELOPE_LIMIT = 16 * 1024 * 1024
"""Bytes. DuckDB's default limit for one JSON object, which it reads in memory."""

_TRANSIENT = frozenset({408, 425, 500, 502, 503, 504, *range(520, 530)})
"""520 to 529 are a proxy's: the server behind it does not answer."""
_LIMITING = frozenset({403, 418, 420, 429, 503})
"""Statuses that may mean a rate limit, of which the headers say when it is reset."""
_JSON_TYPES = ("application/json", "text/json", "application/x-ndjson", "application/ndjson", "application/jsonl")
_ARRAY, _OBJECT = (b"[", b"]"), (b"{", b"}")
EDGE = 4096
_ADDRESS = 500
_BEGINNING = 200
_NOTHING_SHA256 = hashlib.sha256().hexdigest()
_NOTHING_MD5 = hashlib.md5(usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Download:
    """One downloaded page in the work directory.

    Attributes:
        path: The file with the body as UTF-8, after the compression of the transfer.
        bytes: Its size.
        sha256: Its SHA-256 in hex, which the receipt records.
        md5: Its MD5 in hex, which lakeFS calls the checksum.
        headers: The response's headers.
        url: The address that answered, after redirects.
        decoded: What the body was decoded from, such as `gzip`, in order; empty if the file has the bytes as sent.
        no_data: What the API sent to say that there is no data, such as `status 404`; the file is then empty.
    """

    path: Path
    bytes: int
    sha256: str
    md5: str
    headers: httpx.Headers
    url: str
    decoded: tuple[str, ...] = ()
    no_data: str = ""

    def emptied(self, no_data: str) -> Download:
        """Return the page without its bytes. A file without a byte has no record in any form.

        Raises:
            DiskFailed: The file could not be written.
        """
        with translate_disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(b"")
        return Download(self.path, 0, _NOTHING_SHA256, _NOTHING_MD5, self.headers, self.url, (), no_data)


@dataclass(frozen=True)
class Limit:
    """The maximum size of a page.

    Attributes:
        bytes: The maximum number of bytes.
        exceeds: A description of a larger page for messages.
        remedy: What to do about a larger page.
    """

    bytes: int
    exceeds: str
    remedy: str


def download(
    client: SourceClient, table: Table, wanted: Request, path: Path, limit: Limit, deadline: Deadline
) -> Download:
    """Stream one page to `path`, and require that it begins and ends like the declared form.

    Raises:
        SourceFailed: See `receive`; or the first or last bytes do not match the declaration.
        DiskFailed: The page could not be written to disk.
    """
    found = receive(client, table, wanted, path, limit, deadline)
    if found.no_data:
        return found
    if no_data := _no_data(found, table):
        return found.emptied(no_data)
    _check_edges(f"{wanted.method} {wanted.address[:_ADDRESS]}", found, table)
    return found


def receive(
    client: SourceClient, table: Table, wanted: Request, path: Path, limit: Limit, deadline: Deadline
) -> Download:
    """Stream one page of any form to `path`, with constant memory whatever its size.

    Raises:
        SourceUnreachable: No connection, a timeout, a body shorter than announced, or a transient server error.
        SourceBusy: 429, or another 4xx or 5xx that asks to wait.
        SourceTimedOut: The deadline has passed.
        SourceRefused: Any other status than 200.
        SourceBodyInvalid: Content type, encoding or size do not match the declaration.
        DiskFailed: The page could not be written to disk.
    """
    import httpx

    asked = f"{wanted.method} {wanted.address[:_ADDRESS]}"
    try:
        with deadline.applied():
            url, response = client.send(wanted, deadline)
            try:
                if response.status_code in table.fetch.empty.status:
                    return _nothing(path, response, url).emptied(f"status {response.status_code}")
                _check_status(asked, response, table)
                _check_headers(asked, response, table)
                return _write_body(asked, response, table, path, limit, url)
            finally:
                response.close()
    except httpx.RemoteProtocolError as error:
        raise SourceUnreachable(f"{asked}: the response was cut off: {error}") from error
    except httpx.TimeoutException as error:
        if deadline.left <= 0:
            raise deadline.error(f"{asked}: no response in time") from error
        raise SourceUnreachable(
            f"{asked}: no response in time ({type(error).__name__})",
            remedy="raise ELT_SOURCE_TIMEOUT if the API needs longer",
        ) from error
    except httpx.TransportError as error:
        raise SourceUnreachable(f"{asked}: {error}") from error


def _nothing(path: Path, response: httpx.Response, url: str) -> Download:
    return Download(path, 0, "", "", response.headers, url)


def _no_data(page: Download, table: Table) -> str:
    """Return the body if it is declared to mean no data; else an empty text."""
    declared = table.fetch.empty.body
    if not declared or page.bytes > EDGE:
        return ""
    text = page.path.read_bytes().strip(BLANK)
    if not text:
        return "an empty body" if "" in declared else ""
    return f"the body {text.decode(errors='replace')}" if any(is_json(text, value) for value in declared) else ""


def _check_status(asked: str, response: httpx.Response, table: Table) -> None:
    status = response.status_code
    if status == 200:
        return
    cause = f"{asked} answered {status} {one_line(response.reason_phrase, 100)}".rstrip()
    where = f"of {table.label} in the source's YAML"
    address = f"correct {table.source.upper()}_API_URL, or path {where}"
    secrets = f"check {' and '.join(variables(table.source, table.fetch.auth))}"
    if 300 <= status < 400:
        to = response.headers.get("Location")
        raise SourceRefused(
            f"{cause} to {'nowhere' if to is None else quoted(to, FOREIGN_LIMIT)}: "
            "only redirects on the same origin are followed",
            status=status,
            remedy=address,
        )
    remedy = {
        401: secrets,
        403: f"{secrets}, or set headers that the API requires, such as User-Agent, under headers {where}",
        404: address,
        406: f"set Accept under headers {where}",
        410: address,
    }.get(status, "")
    now = datetime.now(UTC)
    after = retry_after(response.headers.get("Retry-After"), now)
    if after is None and status in _LIMITING:
        after = until_reset(response.headers, now)
    if status == 429 or (status == 503 and after is not None):
        raise SourceBusy(cause, retry_after=after)
    if status >= 400 and after is not None:
        # Some APIs report a temporary rate limit by 403 or another status.
        raise SourceBusy(f"{cause}: {_beginning(response)}", retry_after=after, remedy=remedy)
    if status in _TRANSIENT:
        raise SourceUnreachable(cause)
    raise SourceRefused(f"{cause}: {_beginning(response)}", status=status, remedy=remedy)


def _beginning(response: httpx.Response) -> str:
    """Return the first bytes of an error response's body. The status is reported even if the body cannot be read."""
    import httpx

    try:
        codings = codings_of(response.headers.get("Content-Encoding", ""))
    except ValueError:
        return f"its body is encoded as {quoted(response.headers['Content-Encoding'])}"
    begin = b""
    try:
        for chunk in Decoding(codings).decoded(response.iter_raw(), lambda chunks: chunks):
            begin += chunk
            if len(begin) >= _BEGINNING:
                break
    except (httpx.RequestError, SourceTimedOut, SourceUnreachable, UndecodableBody, CutOffBody) as error:
        return f"its body cannot be read: {error}"
    return repr(begin[:_BEGINNING].decode(errors="replace"))


def _check_headers(asked: str, response: httpx.Response, table: Table) -> None:
    given = response.headers.get("Content-Type", "")
    kind = given.split(";")[0].strip().lower()
    if not kind and response.headers.get("Content-Length") == "0" and "" in table.fetch.empty.body:
        return
    declared = (name.lower() for name in table.fetch.content_types)
    if kind not in (*_JSON_TYPES, *declared) and not kind.endswith("+json"):
        raise SourceBodyInvalid(
            f"{asked}: content type {given!r} is not JSON",
            remedy=f"if the API is right, list it as content_types of {table.label} in the source's YAML",
        )


def _decoding(asked: str, response: httpx.Response, table: Table) -> Decoding:
    """Return how to decode a body, as its headers or the source's YAML say.

    Raises:
        SourceBodyInvalid: An encoding or a character set is unknown.
    """
    content_type = EmailMessage()
    content_type["Content-Type"] = printable(response.headers.get("Content-Type", ""), lines=False)
    declared = table.fetch.charset
    try:
        codings = codings_of(response.headers.get("Content-Encoding", ""))
        charset = charset_of(declared or content_type.get_content_charset() or "utf-8")
    except ValueError as error:
        raise SourceBodyInvalid(
            f"{asked}: {error}",
            remedy=f"correct the API, or the proxy in front of it; charset of {table.label} in the source's YAML "
            "sets another character set",
        ) from None
    return Decoding(codings, charset, is_guessed=declared is None)


def _write_body(asked: str, response: httpx.Response, table: Table, path: Path, limit: Limit, url: str) -> Download:
    announced = int(response.headers.get("Content-Length", "0"))
    if announced > limit.bytes:
        raise SourceBodyInvalid(f"{asked}: {limit.exceeds}: {announced:,} bytes are announced", remedy=limit.remedy)
    decoding = _decoding(asked, response, table)

    def counted(chunks: Iterable[bytes]) -> Iterator[bytes]:
        size = 0
        for chunk in chunks:
            size += len(chunk)
            if size > limit.bytes:
                raise SourceBodyInvalid(
                    f"{asked}: {limit.exceeds}: {size:,} bytes were received so far", remedy=limit.remedy
                )
            yield chunk

    size = 0
    with translate_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb")
    # Decoders take what the connection gives; without one, larger pieces are faster.
    received = response.iter_raw(None if decoding.codings else 1024 * 1024)
    with file, Digests() as digests:
        try:
            for chunk in counted(decoding.decoded(received, counted)):
                size += len(chunk)
                digests.update(chunk)
                with translate_disk_errors(path):
                    file.write(chunk)
        except UndecodableBody as error:
            remedy = f"correct the API, or set charset of {table.label} in the source's YAML to what it sends"
            raise SourceBodyInvalid(f"{asked}: {error}", remedy=remedy) from None
        except CutOffBody as error:
            raise SourceUnreachable(f"{asked}: the response was cut off: {error}") from None
        with translate_disk_errors(path):
            file.flush()
        return Download(path, size, digests.sha256, digests.md5, response.headers, url, tuple(decoding.done))


def _is_whole_list(table: Table) -> bool:
    return table.fetch.records == "$" and table.fetch.shape in ("objects", "arrays", "table")


def _check_edges(asked: str, page: Download, table: Table) -> None:
    form = table.fetch.form
    with page.path.open("rb") as file:
        begin = file.read(EDGE).lstrip(BLANK)
        file.seek(max(0, page.bytes - EDGE))
        end = file.read().rstrip(BLANK)
    if form == "ndjson" and not begin and page.bytes <= EDGE:
        return
    # The list of an envelope may be an element of an array.
    is_array = form == "array" or (form == "envelope" and (table.fetch.records or "").startswith("["))
    # An empty object of records may be sent as an empty list.
    is_array |= table.fetch.records == "$" and table.fetch.shape in ("values", "columns") and is_json(begin, [])
    first, last = _ARRAY if is_array or _is_whole_list(table) else _OBJECT
    if not (begin.startswith(first) and end.endswith(last)):
        raise SourceBodyInvalid(
            f"{asked}: a body of {page.bytes:,} bytes that begins {begin[:40]!r} and ends {end[-40:]!r} is not "
            f"{'an' if form[0] in 'ae' else ''} {form}".replace("  ", " "),
            remedy=f"correct the API, or the form of {table.label} in the source's YAML",
        )
