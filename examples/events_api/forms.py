"""The forms in which a list of records is sent: array, NDJSON and envelope."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice

from examples.events_api.options import Form

MEDIA_TYPES: Mapping[Form, str] = {
    "array": "application/json",
    "ndjson": "application/x-ndjson",
    "envelope": "application/json",
}

# About 500 KB of events.
_CHUNK_ROWS = 2_000


def framed(form: Form, records: Iterator[str], paging: Mapping[str, object]) -> Iterator[bytes]:
    """Yield the body in chunks. `paging` holds the fields next to "data" in an envelope."""
    if form == "ndjson":
        for batch in _batches(records):
            yield ("\n".join(batch) + "\n").encode()
        return
    opening, closing = "[", "]"
    if form == "envelope":
        opening, closing = '{"data":[', "]}" if not paging else f"],{json.dumps(paging)[1:]}"
    joint = opening
    for batch in _batches(records):
        yield (joint + ",\n".join(batch)).encode()
        joint = ",\n"
    yield (opening + closing if joint == opening else closing).encode()


def _batches(records: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(records, _CHUNK_ROWS)):
        yield batch
