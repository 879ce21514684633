"""What one kind of answer is, what has to come of it, and how answers are put together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.errors import IngestCleanError, SourceBusy, SourceUnreachable

MIB = 1024 * 1024
DEEP = 100_000
"""How deep a value may be nested in an array of records, at the least."""

Wire = bytes | Callable[[], bytes | Iterable[bytes]]
"""An HTTP answer down to the last byte; a function where it is too large to be kept, or comes piece by piece."""

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
    "paged": {"fetch": {"paging": {"style": "page", "parameter": "page"}}, "may_be_empty": True},
    "linked": {"fetch": {"paging": {"style": "next_link"}}},
}
"""How `events` may be declared: what is changed in its `config.meta`."""


@dataclass(frozen=True)
class Counts:
    """Where a date's events have to go, in rows, counted by hand."""

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
        told = f"{self.raw:,} raw = {' + '.join(parts)}"
        return (
            f"{told}; drift: {', '.join(f'`{name!r}` {n}' for name, n in self.drift.items())}" if self.drift else told
        )


@dataclass(frozen=True)
class Case:
    """One kind of answer and its documented outcome.

    Attributes:
        name: The answer in words.
        answers: What the requests for `events` get in turn, the last of them again and again.
        fails: The error that ends the run; None where the date is published.
        says: Parts of the error's message, its value and its remedy.
        counts: Where the rows have to go; None where no row was read.
        source: How `events` is declared.
        stalls: The server keeps the connection open after its bytes.
        products: What the requests for `products` get.
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
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        return self.fails.outcome if self.fails else "published"

    @property
    def asked_again(self) -> bool:
        """Whether another try may get something better, and soon enough."""
        passing = self.fails is not None and issubclass(self.fails, SourceUnreachable | SourceBusy)
        return passing and "ELT_RETRY_AFTER_LIMIT" not in "".join(self.says)


@dataclass(frozen=True)
class Row:
    """One record of a day whose other records are fine, and its fate; or some records under one id.

    Attributes:
        name: The record's oddity in words.
        record: Its JSON text.
        rejected: The reason it is rejected for; empty where it is not.
        becomes: Some columns of its row; `event_id` among them.
        drift: Its undeclared or repeated fields.
        beside: Further records under its id; `becomes` is the one row that stays.
        identical: How many of all these are like another.
        conflicting: How many differ from the one that stays.
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
    """Where these rows and `good` good ones have to go."""
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
    """An event as JSON text; fields are given as JSON texts, a space in their names as an underscore."""
    fields = {
        **_FIELDS,
        "Event ID": json.dumps(event_id),
        **{name.replace("_", " "): text for name, text in texts.items()},
    }
    fields.pop(without, None)
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in fields.items()) + "}"


def good(count: int) -> list[str]:
    """Events that nothing is wrong with, each with an id of its own."""
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
    """An HTTP answer with these headers; no Content-Length with None, another than the right one as told."""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", "Connection: close", *headers]
    if content_type is not None:
        lines.append(f"Content-Type: {content_type}")
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length == 'right' else length}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(*chunks: bytes, ended: bool = True) -> bytes:
    """An HTTP answer in chunks, ended as it should be or not."""
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + (b"0\r\n\r\n" if ended else b"")
    return answer(body, "200 OK", "Transfer-Encoding: chunked", length=None)
