"""Fetches of `shop.events` from an API that sends given bytes, and the requests that it received."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orchestration.log import log_to
from orchestration.settings import SourceSettings
from orchestration.source.config import read_tables
from orchestration.source.fetch import fetch_date
from orchestration.source.pages import Page
from tests.helpers.projects import events_only, settings_of
from tests.malformed_responses.case import Case, Wire, answer
from tests.malformed_responses.server import AnswerServer, answering

DATE = "2025-05-20"

# Declarations of a source.
ENVELOPE: dict[str, Any] = {"form": "envelope", "records": "data"}
PAGED: dict[str, Any] = {"paging": {"style": "page", "parameter": "page"}}
CURSOR: dict[str, Any] = {**ENVELOPE, "paging": {"style": "cursor", "parameter": "cursor", "next": "next"}}


@dataclass
class Api:
    """The API and fetches from it. It sends its responses in order, and repeats the last one.

    `also` has the responses of further paths.
    """

    server: AnswerServer
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    logged: list[str] = field(default_factory=list)
    also: dict[str, Iterator[Wire]] = field(default_factory=dict)

    def fetch(
        self,
        *answers: Wire,
        environment: dict[str, object] | None = None,
        source: SourceSettings | None = None,
        date: str = DATE,
        **fetch: Any,
    ) -> tuple[Page, ...]:
        """Fetch the pages of a date; `fetch` changes the source's declaration."""
        url = self.server.play(Case("", answers))
        self.server.answers |= self.also
        events_only(self.folder, **fetch)
        environment = {"SHOP_API_URL": url, "ELT_RETRIES": 1, "ELT_RETRY_WAIT": 0, **(environment or {})}
        settings = settings_of(self.monkeypatch, self.folder, **environment)
        if source is not None:
            settings = replace(settings, sources={"shop": source})
        return fetch_date(read_tables(self.folder), settings, date, self.folder / "work", log_to(self.logged.append))

    @property
    def targets(self) -> list[str]:
        """Path and query of each request, in order."""
        return [head.split()[1].decode() for head in self.server.asked]


def linked(body: str, *links: str) -> bytes:
    """Return a response with these Link headers."""
    return answer(body, "200 OK", *(f"Link: {link}" for link in links))


@contextmanager
def serve_apis() -> Iterator[Callable[[Path, pytest.MonkeyPatch], Api]]:
    """Start a server, and yield a function that makes an `Api` on it for one test at a time."""
    with answering() as server:
        yield partial(Api, server)


def records(pages: tuple[Page, ...]) -> list[Any]:
    """Return the records of pages that are arrays, or envelopes with a list `data`."""
    bodies = [json.loads(page.path.read_bytes() or b"[]") for page in pages]
    return [record for body in bodies for record in (body["data"] if isinstance(body, dict) else body)]


def certificate(folder: Path) -> Path:
    """Write a new key and its certificate for 127.0.0.1, valid for an hour, and return the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "certificate.pem"
    file.write_bytes(key.private_bytes(*plain) + signed.public_bytes(serialization.Encoding.PEM))
    return file
