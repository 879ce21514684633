"""One kind of response with its expected outcome, and functions that build responses."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.errors import IngestCleanError, SourceBusy, SourceUnreachable

MIB = 1024 * 1024
DEEP = 100_000
"""A nesting depth that must be accepted in an array of records."""

Wire = bytes | Callable[[], bytes | Iterable[bytes]]
"""All bytes of an HTTP response; a function if the response is too large to keep or comes in parts."""

SOURCES: Mapping[str, Mapping[str, Any]] = {
    "array": {},
    "ndjson": {"fetch": {"form": "ndjson"}},
    "envelope": {
        "fetch": {
            "form": "envelope",
            "records": "data",
            "paging": {"style": "cursor", "parameter": "cursor", "next": "next"},
        }
    },
    "null list": {"fetch": {"form": "envelope", "records": "data", "empty": {"records": [None]}}},
    "expected": {"fetch": {"form": "envelope", "records": "data", "expect": {"ok": True}}},
    "no data": {"fetch": {"empty": {"status": [204, 404], "body": [{}]}}, "may_be_empty": True},
    "counted": {
        "fetch": {
            "form": "envelope",
            "records": "data",
            "total": "total",
            "paging": {"style": "page", "parameter": "page"},
        }
    },
    "paged": {"fetch": {"paging": {"style": "page", "parameter": "page"}}, "may_be_empty": True},
    "linked": {"fetch": {"paging": {"style": "next_link"}}},
    "offsets": {"fetch": {"paging": {"style": "offset", "parameter": "offset", "size": 2}, "total_header": "X-Count"}},
    "posted": {
        "fetch": {
            "method": "POST",
            "parameters": {},
            "body": {"day": "{date}"},
            "form": "envelope",
            "records": "data",
            "paging": {"style": "cursor", "parameter": "after", "in": "body", "next": "next"},
        }
    },
    "until refused": {"fetch": {"paging": {"style": "page", "parameter": "page", "end_status": [404]}}},
    "basic": {"fetch": {"auth": {"type": "basic"}}},
    "key in the query": {"fetch": {"auth": {"type": "query", "name": "api_key"}}},
    "oauth2": {"fetch": {"auth": {"type": "oauth2", "token_url": "/token"}}},
}
"""The declarations of `events`: the changes to its `config.meta`."""


@dataclass(frozen=True)
class Counts:
    """The expected accounting of a date's events, in rows, counted by hand."""

    raw: int
    curated: int
    identical: int = 0
    conflicting: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    drift: Mapping[str, int] = field(default_factory=dict)

    @property
    def closes(self) -> bool:
        return self.raw == self.curated + self.identical + self.conflicting + sum(self.rejected.values())

    def __str__(self) -> str:
        parts = [f"{self.curated:,} curated"]
        parts += [f"{count} {name}" for name in ("identical", "conflicting") if (count := getattr(self, name))]
        parts += [f"{count} rejected `{reason}`" for reason, count in self.rejected.items()]
        accounting = f"{self.raw:,} raw = {' + '.join(parts)}"
        return (
            f"{accounting}; drift: {', '.join(f'`{name!r}` {n}' for name, n in self.drift.items())}"
            if self.drift
            else accounting
        )


@dataclass(frozen=True)
class Case:
    """One kind of response and its documented outcome.

    Attributes:
        name: A short description of the response.
        answers: The responses to the requests for `events`, in order; the last one is repeated.
        fails: The error that ends the run; None if the date is published.
        says: Parts of the error message, including its value and its remedy.
        counts: The expected accounting; None if no row is read.
        source: How `events` is declared.
        stalls: The server keeps the connection open after its bytes.
        products: The response to the requests for `products`.
        token: The response to the requests for an access token.
        environment: Settings of the run.
    """

    name: str
    answers: tuple[Wire, ...] = field(repr=False)
    fails: type[IngestCleanError] | None = None
    says: tuple[str, ...] = ()
    counts: Counts | None = None
    source: str = "array"
    stalls: bool = False
    products: bytes = b""
    token: bytes = b""
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        return self.fails.outcome if self.fails else "published"

    @property
    def retried(self) -> bool:
        """Whether the request is repeated."""
        transient = self.fails is not None and issubclass(self.fails, SourceUnreachable | SourceBusy)
        return transient and "ELT_RETRY_AFTER_LIMIT" not in "".join(self.says)


@dataclass(frozen=True)
class Row:
    """One record, or several with the same id, in a day of otherwise valid records, and the expected outcome.

    Attributes:
        name: A short description of the record.
        record: Its JSON text.
        rejected: The reason for its rejection; empty if it is not rejected.
        becomes: Some columns of its row, including `event_id`.
        drift: Its undeclared or repeated fields.
        beside: Further records with the same id; `becomes` is the one row that is kept.
        identical: How many of all these are identical rows.
        conflicting: How many of all these are conflicting rows.
    """

    name: str
    record: str
    rejected: str = ""
    becomes: Mapping[str, object] = field(default_factory=dict)
    drift: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    identical: int = 0
    conflicting: int = 0


def counts_of(rows: Iterable[Row], good: int) -> Counts:
    """Returns the expected accounting of these rows and of `good` valid ones."""
    rows = list(rows)
    rejected = Counter(row.rejected for row in rows if row.rejected)
    drift = Counter(name for row in rows for name in row.drift)
    curated = good + sum(not row.rejected for row in rows)
    return Counts(
        raw=good + sum(1 + len(row.beside) for row in rows),
        curated=curated,
        identical=sum(row.identical for row in rows),
        conflicting=sum(row.conflicting for row in rows),
        rejected=dict(rejected),
        drift=dict(drift),
    )


_FIELDS: Mapping[str, str] = {
    "Event ID": '"a"',
    "Event Type": '"sale"',
    "Timestamp": '"2025-05-20T10:00:00Z"',
    "Invoice No": '"536365"',
    "Stock Code": '"22423"',
    "Description": '"REGENCY CAKESTAND 3 TIER"',
    "Quantity": "2",
    "Price": '"12.75"',
    "Customer ID": "null",
    "Country": '"France"',
}


def event(event_id: str = "a", /, without: str = "", **texts: str) -> str:
    """Returns an event as JSON text; field values are JSON texts, and an underscore in a name means a space."""
    fields = {
        **_FIELDS,
        "Event ID": json.dumps(event_id),
        **{name.replace("_", " "): text for name, text in texts.items()},
    }
    fields.pop(without, None)
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in fields.items()) + "}"


def good(count: int) -> list[str]:
    """Returns valid events, each with its own id."""
    return [event(f"good-{number}") for number in range(count)]


def array(*records: str) -> bytes:
    return f"[{','.join(records)}]".encode()


def ndjson(*records: str) -> bytes:
    return "".join(f"{record}\n" for record in records).encode()


def envelope(*records: str, following: str = "null") -> bytes:
    return f'{{"data":[{",".join(records)}],"next":{following}}}'.encode()


def answer(
    body: bytes | str = b"[]",
    status: str = "200 OK",
    *headers: str,
    content_type: str | None = "application/json",
    length: int | str | None = "right",
) -> bytes:
    """Returns an HTTP response; a `length` of None omits Content-Length, any other value replaces the right one."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length == 'right' else length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*chunks: bytes, ended: bool = True) -> bytes:
    """Returns an HTTP response in chunks, with or without the last, empty one."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + (b"0\r\n\r\n" if ended else b"")
    return answer(body, "200 OK", "Transfer-Encoding: chunked", length=None)
