"""The limits on the duration and the size of a fetch."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from orchestration.errors import SourceBodyInvalid, SourceRefused, SourceTimedOut
from orchestration.source.deadline import Deadline
from tests.helpers.fetching import Api, certificate, records, serve_apis
from tests.malformed_responses.case import Wire, answer


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """An API on a server of its own: a response may still be running after its test, and one test turns on TLS."""
    with serve_apis() as make:
        yield make(tmp_path, monkeypatch)


def dripping(head: bytes, drop: bytes = b"x") -> Callable[[], Iterable[bytes]]:
    """A response that begins with `head` and continues with one `drop` after another until the client disconnects."""

    def pieces() -> Iterator[bytes]:
        yield head
        while True:
            time.sleep(0.02)
            yield drop

    return pieces


SHORT: dict[str, object] = {"ELT_FETCH_TIMEOUT": "0.5"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        dripping(HEAD + b"\r\n[", b" "),
        dripping(HEAD + b"Content-Length: 1000000000\r\n\r\n["),
        dripping(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n[\r\n"),
        dripping(HEAD + b"X-Long: "),
        dripping(b"HTTP/1.1 "),
        dripping(b"", b"HTTP/1.1 103 Early\r\n\r\n"),
    ],
    ids=["body", "body with a length", "chunks", "header", "status", "early hints"],
)
def test_a_dripping_api_ends_at_the_deadline_without_a_retry(api: Api, sent: Wire) -> None:
    with pytest.raises(SourceTimedOut, match=r"shop.events was not fetched within 0.5 s") as error:
        api.fetch(sent, environment=SHORT)

    assert "ELT_FETCH_TIMEOUT" in error.value.remedy
    assert error.value.exit_code == 4
    assert len(api.targets) <= 1


def test_a_silent_api_ends_at_the_deadline(api: Api) -> None:
    with pytest.raises(SourceTimedOut, match=r"/events\?date=2025-05-20: no response in time"):
        api.fetch(_silence, environment=SHORT)


def _silence() -> Iterator[bytes]:
    time.sleep(5)
    yield b""


def test_a_dripping_page_after_others_ends_at_the_same_deadline(api: Api) -> None:
    with pytest.raises(SourceTimedOut):
        api.fetch(
            answer("[1]"),
            answer("[2]"),
            dripping(HEAD + b"\r\n["),
            environment=SHORT,
            paging={"style": "page", "parameter": "page"},
        )


def test_a_dripping_error_is_named_by_its_status(api: Api) -> None:
    with pytest.raises(SourceRefused, match="answered 404: its body cannot be read: "):
        api.fetch(dripping(b"HTTP/1.1 404 \r\n\r\n"), environment={"ELT_FETCH_TIMEOUT": "1"})


def test_a_page_over_the_limit_ends_during_the_download(api: Api) -> None:
    endless = dripping(HEAD + b"\r\n[", b" " * 300_000)
    limit: dict[str, object] = {"ELT_MAX_PAGE_BYTES": 2_000_000}

    with pytest.raises(
        SourceBodyInvalid, match=r"a page over 2,000,000 bytes: 2,\d+,\d+ bytes were received so far"
    ) as error:
        api.fetch(endless, environment=limit)

    assert "ELT_MAX_PAGE_BYTES" in error.value.remedy


def test_pages_over_the_limit_of_a_date_end_it(api: Api) -> None:
    with pytest.raises(SourceBodyInvalid, match="after 6 bytes of other pages, a date over 8 bytes: 3 bytes") as error:
        api.fetch(
            answer("[1]"),
            answer("[2]"),
            answer("[3]"),
            environment={"ELT_MAX_DATE_BYTES": 8},
            paging={"style": "page", "parameter": "page"},
        )

    assert "ELT_MAX_DATE_BYTES" in error.value.remedy


def test_pages_as_large_as_the_limits_are_taken(api: Api) -> None:
    pages = api.fetch(
        answer("[1]"),
        answer("[2]"),
        answer("[]"),
        environment={"ELT_MAX_PAGE_BYTES": 3, "ELT_MAX_DATE_BYTES": 10},
        paging={"style": "page", "parameter": "page"},
    )

    assert records(pages) == [1, 2]


def test_a_dripping_api_behind_tls_ends_at_the_deadline(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    api.server.encrypt(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))

    assert records(api.fetch(answer("[1]"))) == [1]
    with pytest.raises(SourceTimedOut, match="was not fetched within"):
        api.fetch(dripping(HEAD + b"\r\n[", b" "), environment=SHORT)


def test_a_page_after_the_deadline_is_not_requested(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Deadline, "left", -1.0)

    with pytest.raises(SourceTimedOut, match="another page was expected"):
        api.fetch(answer("[1]"))
    assert api.targets == []
