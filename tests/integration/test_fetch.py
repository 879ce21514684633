"""From a real HTTP response to the work directory, or to an error with the reason."""

import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from examples.events_api import Options, create_app, serving
from orchestration.errors import (
    DiskFailed,
    IngestCleanError,
    SourceBodyInvalid,
    SourceBusy,
    SourceRefused,
    SourceUnreachable,
    UsageError,
)
from orchestration.log import log_to
from orchestration.source.config import read_tables
from orchestration.source.fetch import fetch_date
from orchestration.source.pages import Page
from tests.helpers.projects import events_only, settings_of

DATE = "2025-05-20"
ENVELOPE: dict[str, Any] = {"form": "envelope", "records": "data"}


@dataclass
class Fetcher:
    """Fetches from an app, and keeps the log lines."""

    tmp_path: Path
    monkeypatch: pytest.MonkeyPatch
    serve: Callable[[Any], str]
    said: list[str] = field(default_factory=list)

    def __call__(self, app: Any, *, token: str | None = None, elt: dict[str, Any] | None = None, **fetch: Any) -> Any:
        events_only(self.tmp_path, **fetch)
        url = app if isinstance(app, str) else self.serve(app)
        environment = {"SHOP_API_URL": url, **({"SHOP_API_TOKEN": token} if token else {}), **(elt or {})}
        settings = settings_of(self.monkeypatch, self.tmp_path, **environment)
        return fetch_date(read_tables(self.tmp_path), settings, DATE, self.tmp_path / "work", log_to(self.said.append))


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fetcher]:
    with ExitStack() as stack:
        yield Fetcher(tmp_path, monkeypatch, lambda app: stack.enter_context(serving(app)))


def records_of(pages: tuple[Page, ...], form: str = "array") -> list[Any]:
    texts = [page.path.read_text() for page in pages]
    if form == "ndjson":
        return [json.loads(line) for text in texts for line in text.splitlines()]
    bodies = [json.loads(text) for text in texts]
    return list(itertools.chain.from_iterable(body["data"] if form == "envelope" else body for body in bodies))


def answering(body: bytes | str = b"[]", status: int = 200, **headers: str) -> Starlette:
    """Returns an API with the same response to every request for events."""
    named = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}

    def events(_: Request) -> Response:
        return Response(body, status, named)

    return Starlette(routes=[Route("/events", events)])


def test_the_work_directory_has_the_response_byte_for_byte(fetch: Fetcher) -> None:
    url = fetch.serve(create_app(Options(rows=1_000)))

    (page,) = fetch(url)

    sent = httpx.get(f"{url}/events", params={"date": DATE}).content
    assert page.path.read_bytes() == sent
    assert page.key == f"raw/shop/events/date={DATE}/page-00001.json"
    assert page.bytes == len(sent)
    assert page.sha256 == hashlib.sha256(sent).hexdigest()
    assert page.md5 == hashlib.md5(sent).hexdigest()
    assert fetch.said == [f"fetched shop.events: 1 pages, {len(sent):,} bytes"]


PAGINGS: list[tuple[str, str, dict[str, Any]]] = [
    ("array", "page", {"paging": {"style": "page", "parameter": "page"}}),
    ("ndjson", "page", {"form": "ndjson", "paging": {"style": "page", "parameter": "page"}}),
    ("envelope", "page", {**ENVELOPE, "paging": {"style": "page", "parameter": "page"}}),
    ("envelope", "page", {**ENVELOPE, "paging": {"style": "page", "parameter": "page", "next": "next_page"}}),
    ("array", "next_link", {"paging": {"style": "next_link"}}),
    ("envelope", "next_link", {**ENVELOPE, "paging": {"style": "next_link", "next": "next"}}),
    (
        "ndjson",
        "cursor",
        {"form": "ndjson", "paging": {"style": "cursor", "parameter": "cursor", "next_header": "X-Next-Cursor"}},
    ),
    ("envelope", "cursor", {**ENVELOPE, "paging": {"style": "cursor", "parameter": "cursor", "next": "next_cursor"}}),
]


@pytest.mark.parametrize(("form", "style", "described"), PAGINGS)
@pytest.mark.parametrize("rows", [0, 99, 100, 250])
def test_every_page_is_fetched_once_in_each_style(
    fetch: Fetcher, form: Any, style: Any, described: dict[str, Any], rows: int
) -> None:
    paged = create_app(Options(rows=rows, form=form, paging=style, page_size=100))
    whole = fetch.serve(create_app(Options(rows=rows)))

    pages = fetch(paged, **described)

    expected = httpx.get(f"{whole}/events", params={"date": DATE}).json()
    assert records_of(pages, form) == expected
    assert [page.key[-10:-5] for page in pages] == [f"{n:05d}" for n in range(1, max(1, -(-rows // 100)) + 1)]


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("500", SourceUnreachable, "answered 500 Internal Server Error (tries: 4)"),
        ("429", SourceBusy, "answered 429 Too Many Requests (tries: 4)"),
        ("truncated", SourceUnreachable, "the response was cut off"),
        ("wrong-content-type", SourceBodyInvalid, "content type 'text/html"),
        ("not-json", SourceBodyInvalid, "begins b'nonsense'"),
        ("html", SourceBodyInvalid, "content type 'text/html"),
    ],
)
def test_each_fault_has_its_outcome(fetch: Fetcher, fault: str, error: type[IngestCleanError], says: str) -> None:
    with pytest.raises(error) as raised:
        fetch(create_app(Options(rows=1_000, fault=fault, retry_after=0)))

    assert says in raised.value.cause
    assert raised.value.exit_code == 4
    assert f"/events?date={DATE}" in raised.value.cause


@pytest.mark.parametrize("fault", ["500", "429", "truncated"])
def test_a_transient_fault_is_retried(fetch: Fetcher, fault: str) -> None:
    (page,) = fetch(create_app(Options(rows=1_000, fault=fault, fault_times=2, retry_after=0)))

    assert len(records_of((page,))) == 1_000
    assert [line[:19] for line in fetch.said[:2]] == ["warning: try 1 of 4", "warning: try 2 of 4"]


def test_retry_after_is_respected(fetch: Fetcher) -> None:
    begun = time.monotonic()

    fetch(create_app(Options(rows=10, fault="429", fault_times=1, retry_after=2)))

    assert time.monotonic() - begun >= 2
    assert "retrying in 2 s" in fetch.said[0]


def test_a_retry_after_beyond_the_limit_ends_the_run_at_once(fetch: Fetcher) -> None:
    with pytest.raises(SourceBusy, match="429") as error:
        fetch(create_app(Options(fault="429", retry_after=3_600)))

    assert "asks to wait 3600 s (tries: 1)" in error.value.cause
    assert "ELT_RETRY_AFTER_LIMIT" in error.value.remedy


def test_a_slow_response_is_accepted_within_the_timeout(fetch: Fetcher) -> None:
    slow = create_app(Options(rows=1_000, fault="slow", delay=0.3))

    assert len(records_of(fetch(slow))) == 1_000
    with pytest.raises(SourceUnreachable, match="no response in time"):
        fetch(slow, elt={"ELT_SOURCE_TIMEOUT": "0.1", "ELT_RETRIES": "1"})


@pytest.mark.parametrize("fault", ["renamed-field", "new-field", "empty-day", "bad-day"])
def test_content_that_the_models_check_is_fetched_unchanged(fetch: Fetcher, fault: str) -> None:
    url = fetch.serve(create_app(Options(rows=100, fault=fault)))

    (page,) = fetch(url)

    assert page.path.read_bytes() == httpx.get(f"{url}/events", params={"date": DATE}).content


@pytest.mark.parametrize(("form", "style", "described"), [*PAGINGS[:1], *PAGINGS[3:6], *PAGINGS[7:]])
def test_a_repeated_page_is_an_error(fetch: Fetcher, form: Any, style: Any, described: dict[str, Any]) -> None:
    with pytest.raises(SourceBodyInvalid, match="page 2 is page 1 again"):
        fetch(create_app(Options(form=form, paging=style, page_size=100, fault="loop")), **described)


def test_more_pages_than_the_limit_are_an_error(fetch: Fetcher) -> None:
    with pytest.raises(SourceBodyInvalid, match="more than 3 pages") as error:
        fetch(
            create_app(Options(rows=1_000, paging="page", page_size=100)),
            elt={"ELT_MAX_PAGES": 3},
            paging={"style": "page", "parameter": "page"},
        )

    assert "ELT_MAX_PAGES" in error.value.remedy


@pytest.mark.parametrize(
    ("app", "error", "says"),
    [
        (answering(status=204), SourceRefused, "answered 204"),
        (answering("no such path", 404), SourceRefused, "404 Not Found: 'no such path'"),
        (
            answering(status=302, Location="https://elsewhere.example/"),
            SourceRefused,
            "only redirects on the same origin are followed",
        ),
        (answering(b"[1, 2, 3]", Content_Encoding="gzip"), SourceBodyInvalid, "the body is not gzip"),
        (answering(Content_Encoding="compress"), SourceBodyInvalid, "content encoding 'compress'"),
        (answering(b""), SourceBodyInvalid, "a body of 0 bytes"),
        (answering(b'{"error": "late"}'), SourceBodyInvalid, "is not an array"),
        (answering(b'[{"a": 1}, {"a"'), SourceBodyInvalid, "is not an array"),
        (answering("[]", Content_Type="text/plain"), SourceBodyInvalid, "content type 'text/plain'"),
    ],
)
def test_responses_that_are_not_an_array_of_records_are_refused(
    fetch: Fetcher, app: Starlette, error: type[IngestCleanError], says: str
) -> None:
    with pytest.raises(error) as raised:
        fetch(app)

    assert says in raised.value.cause


def test_a_declared_content_type_is_accepted(fetch: Fetcher) -> None:
    (page,) = fetch(answering("[]", Content_Type="text/plain; charset=utf-8"), content_types=["text/plain"])

    assert page.bytes == 2


def test_white_space_around_a_body_is_accepted(fetch: Fetcher) -> None:
    (page,) = fetch(answering(b"\n [1, 2]\r\n\t "))

    assert records_of((page,)) == [1, 2]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"data": [1], "next": "x", }', "is not JSON"),
        ('{"rows": []}', "no list 'data', only 'rows'"),
        ('{"data": {}}', "no list 'data'"),
        ('{"data": []}', "no field 'next'"),
        ('{"data": [], "next": ["x"]}', "not a text or number"),
        ('{"data": [], "next": "http://elsewhere.example/events"}', "points away from"),
    ],
)
def test_an_incomplete_envelope_is_refused(fetch: Fetcher, body: str, says: str) -> None:
    with pytest.raises(SourceBodyInvalid) as error:
        fetch(answering(body), **ENVELOPE, paging={"style": "next_link", "next": "next"})

    assert says in error.value.cause


def test_a_next_field_may_be_nested(fetch: Fetcher) -> None:
    (page,) = fetch(
        answering('{"data": [7], "meta": {"next": null}}'),
        **ENVELOPE,
        paging={"style": "cursor", "parameter": "cursor", "next": "meta.next"},
    )

    assert records_of((page,), "envelope") == [7]


def test_an_envelope_over_16_mib_names_the_page_size(fetch: Fetcher) -> None:
    with pytest.raises(SourceBodyInvalid, match="over 16,777,216 bytes") as error:
        fetch(answering(b'{"data": ["' + b"x" * 16 * 1024 * 1024 + b'"]}'), **ENVELOPE)

    assert "parameters of shop.events" in error.value.remedy


def test_the_token_is_sent_and_never_logged(fetch: Fetcher) -> None:
    guarded = create_app(Options(rows=10, token="opensesame"))

    assert len(records_of(fetch(guarded, token="opensesame"))) == 10
    with pytest.raises(SourceRefused, match="401") as error:
        fetch(guarded, token="shibboleth")
    assert "shibboleth" not in error.value.describe()


def test_the_error_names_an_unreachable_api(fetch: Fetcher) -> None:
    with pytest.raises(SourceUnreachable, match="Connection refused"):
        fetch("http://127.0.0.1:9", elt={"ELT_RETRIES": 1})


def test_a_source_without_an_address_is_a_usage_error(fetch: Fetcher) -> None:
    with pytest.raises(UsageError, match="SHOP_API_URL is not set"):
        fetch("")


def test_an_unwritable_work_directory_is_platform_failed(fetch: Fetcher) -> None:
    (fetch.tmp_path / "work").write_text("a file where the folder should be")

    with pytest.raises(DiskFailed, match="cannot write"):
        fetch(answering(b"[]"))
