"""A fetch of `shop.events` from an API that sends given bytes, and what it was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
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
from orchestration.source.fetch import Page, fetch_date
from tests.bad_answers.case import Case, Wire, answer
from tests.bad_answers.server import AnswerServer, answering
from tests.support import events_only, settings_of

DATE = "2025-05-20"

# How a source may be declared.
ENVELOPE: dict[str, Any] = {"form": "envelope", "records": "data"}
PAGED: dict[str, Any] = {"paging": {"style": "page", "parameter": "page"}}
CURSOR: dict[str, Any] = {**ENVELOPE, "paging": {"style": "cursor", "parameter": "cursor", "next": "next"}}


@dataclass
class Api:
    """The API, and a fetch from it; its answers come in turn, the last of them again and again."""

    server: AnswerServer
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    said: list[str] = field(default_factory=list)

    def fetch(
        self,
        *answers: Wire,
        environment: dict[str, object] | None = None,
        source: SourceSettings | None = None,
        **fetch: Any,
    ) -> tuple[Page, ...]:
        """The pages of a date; `fetch` is what the source declares otherwise."""
        url = self.server.play(Case("", answers))
        events_only(self.folder, **fetch)
        environment = {"SHOP_API_URL": url, "ELT_RETRIES": 1, "ELT_RETRY_WAIT": 0, **(environment or {})}
        settings = settings_of(self.monkeypatch, self.folder, **environment)
        if source is not None:
            settings = replace(settings, sources={"shop": source})
        return fetch_date(read_tables(self.folder), settings, DATE, self.folder / "work", log_to(self.said.append))

    @property
    def targets(self) -> list[str]:
        """Path and query of each request, in order."""
        return [head.split()[1].decode() for head in self.server.asked]


def linked(body: str, *links: str) -> bytes:
    """An answer with these Link headers."""
    return answer(body, "200 OK", *(f"Link: {link}" for link in links))


@contextmanager
def an_api(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with answering() as server:
        yield Api(server, folder, monkeypatch)


def records(pages: tuple[Page, ...]) -> list[Any]:
    """The records of pages that are arrays, or envelopes with them under `data`."""
    bodies = [json.loads(page.path.read_bytes()) for page in pages]
    return [record for body in bodies for record in (body["data"] if isinstance(body, dict) else body)]


def certificate(folder: Path) -> Path:
    """A file with a fresh key and a certificate of it for 127.0.0.1, valid for an hour."""
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
