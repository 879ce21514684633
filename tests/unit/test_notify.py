"""Which runs the webhook reports, with what, and that its address is never logged."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect import Flow
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_UI_URL, temporary_settings
from prefect.states import Crashed, Failed
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from examples.events_api import serving
from orchestration.errors import PlatformFailed
from orchestration.flows.hooks import notify
from orchestration.flows.ingest import ingest_clean
from orchestration.flows.marts import marts
from orchestration.flows.notify import Notice, send
from tests.helpers.elt_runs import CLOSED
from tests.helpers.projects import name_project

SECRET = "T0SESAM/B0SESAM"
PAGES = "https://prefect.example"
NOTICE = Notice("ingest_clean", "2025-05-20", "DataFailed", "events_has_rows: 1 failing rows", "http://prefect/run")


class Webhook:
    """A real webhook: the bodies that it received, and the status of its responses."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.status = 204
        self.url = ""

    async def receive(self, request: Request) -> Response:
        self.received.append(json.loads(await request.body()))
        return Response(status_code=self.status)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    receiver = Webhook()
    with serving(Starlette(routes=[Route("/hook/{secret:path}", receiver.receive, methods=["POST"])])) as url:
        receiver.url = f"{url}/hook/{SECRET}"
        yield receiver


@pytest.fixture
def log() -> Iterator[list[logging.LogRecord]]:
    """The log records. Prefect's loggers stop propagating to the root logger once Prefect has set them up."""
    records: list[logging.LogRecord] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not any(record is known for known in records):
                records.append(record)

    kept, loggers = Kept(), [logging.getLogger(), logging.getLogger("prefect")]
    for logger in loggers:
        logger.addHandler(kept)
    yield records
    for logger in loggers:
        logger.removeHandler(kept)


@pytest.fixture
def run_hook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Runs the hook of a failed run, with the webhook in the settings."""
    monkeypatch.setenv("ELT_PROJECT_DIR", str(name_project(tmp_path)))

    def run_with(url: str, flow: Flow[..., Any] = ingest_clean, run: FlowRun | None = None, state: Any = None) -> None:
        monkeypatch.setenv("ELT_NOTIFY_URL", url)
        with temporary_settings({PREFECT_UI_URL: PAGES}):
            notify(flow, run or run_of("daily"), state or Failed(name="DataFailed", message="events_has_rows: 1 rows"))

    return run_with


def run_of(run_type: str | None, execution_date: str | None = "2025-05-20") -> FlowRun:
    given = {"run_type": run_type, "execution_date": execution_date}
    return FlowRun(
        flow_id=uuid4(),
        name="2025-05-20 daily",
        parameters={name: value for name, value in given.items() if value},
        expected_start_time=datetime(2025, 6, 2, 3, tzinfo=UTC),
    )


# what is sent


def test_a_notice_is_one_text_and_its_parts(webhook: Webhook) -> None:
    send(webhook.url, NOTICE)

    assert webhook.received == [
        {
            "text": "ingest_clean 2025-05-20: DataFailed\nevents_has_rows: 1 failing rows\nhttp://prefect/run",
            "project": "ingest_clean",
            "subject": "2025-05-20",
            "outcome": "DataFailed",
            "cause": "events_has_rows: 1 failing rows",
            "link": "http://prefect/run",
        }
    ]


def test_a_part_that_is_missing_leaves_no_empty_line() -> None:
    assert (
        Notice("ingest_clean", "marts", "Crashed", "", "http://run").text == "ingest_clean marts: Crashed\nhttp://run"
    )


def test_a_long_cause_is_cut_and_the_link_is_kept(webhook: Webhook) -> None:
    send(webhook.url, Notice("ingest_clean", "2025-05-20", "DataFailed", "x" * 100_000, "http://run"))

    (body,) = webhook.received
    assert body["cause"] == "x" * 1_500 + "… (cut, 100,000 characters in all)"
    assert body["text"].endswith("in all)\nhttp://run")
    assert len(body["text"]) < 1_600


def test_a_cause_makes_no_link_or_mention_in_a_chat_service(webhook: Webhook) -> None:
    cause = "<!channel> <http://evil|next: click> ![p](http://evil/p.png) @here @Everyone a@allies.org &\x1b\u202e"
    subject = "<!here>\n2025-05-21"
    send(webhook.url, Notice("ingest_clean", subject, "SourceFailed", f"{cause}\n2025-05-21: Published", "http://run"))

    (body,) = webhook.received
    assert body["text"].split("\n") == [
        r"ingest_clean &lt;!here&gt;\n2025-05-21: SourceFailed",
        "&lt;!channel&gt; &lt;http://evil|next: click&gt; ![p] (http://evil/p.png) @ here @ Everyone a@allies.org "
        r"&amp;\x1b\u202e",
        "  2025-05-21: Published",
        "http://run",
    ]
    assert body["cause"].startswith("<!channel> <http://evil|next: click>")


@pytest.mark.parametrize(
    "status",
    [
        *(301, 302, 307, 308),
        *(400, 403, 404, 500, 503),
    ],
)
def test_a_webhook_that_refuses_is_logged_without_its_address(webhook: Webhook, status: int) -> None:
    webhook.status = status

    with pytest.raises(PlatformFailed, match=f"answered {status}") as failed:
        send(webhook.url, NOTICE)

    assert SECRET not in failed.value.describe()
    assert len(webhook.received) == 1


@pytest.mark.parametrize("url", [f"{CLOSED}/{SECRET}", f"http://[::1/{SECRET}", f"ftp://x/{SECRET}", SECRET])
def test_an_unreachable_webhook_is_logged_without_its_address(url: str) -> None:
    with pytest.raises(PlatformFailed, match="does not answer") as failed:
        send(url, NOTICE)

    assert "ELT_NOTIFY_URL" in failed.value.remedy
    assert SECRET not in failed.value.describe()
    # A traceback shows what led to it, and httpx's own error names the address.
    assert failed.value.__suppress_context__
    assert failed.value.__cause__ is None


# which runs are reported


def test_a_failed_run_is_reported_with_its_date_outcome_cause_and_page(
    run_hook: Callable[..., None], webhook: Webhook
) -> None:
    run = run_of("daily")

    run_hook(webhook.url, run=run)

    (body,) = webhook.received
    assert body["subject"] == "2025-05-20"
    assert (body["outcome"], body["cause"]) == ("DataFailed", "events_has_rows: 1 rows")
    assert body["link"] == f"{PAGES}/runs/flow-run/{run.id}"


def test_a_backfill_sends_no_notification(run_hook: Callable[..., None], webhook: Webhook) -> None:
    run_hook(webhook.url, run=run_of("backfill"))
    assert webhook.received == []

    run_hook(webhook.url, run=run_of(None))
    assert len(webhook.received) == 1


def test_a_crashed_run_without_a_date_is_known_by_its_schedule(run_hook: Callable[..., None], webhook: Webhook) -> None:
    run_hook(webhook.url, run=run_of(None, None), state=Crashed(message="exit code -9"))

    assert webhook.received[0]["text"].startswith("ingest_clean 2025-06-01: Crashed\nexit code -9\n")


def test_a_run_is_reported_also_if_the_project_has_no_valid_name(
    run_hook: Callable[..., None], webhook: Webhook, tmp_path: Path
) -> None:
    name_project(tmp_path, "Not a name")

    run_hook(webhook.url)

    assert webhook.received[0]["project"] == tmp_path.name


def test_a_flow_without_dates_is_known_by_its_name(run_hook: Callable[..., None], webhook: Webhook) -> None:
    run_hook(webhook.url, flow=marts, run=run_of(None, None))

    assert webhook.received[0]["subject"] == "marts"


def test_a_webhook_that_fails_only_warns_and_its_address_is_not_in_the_log(
    run_hook: Callable[..., None], webhook: Webhook, log: list[logging.LogRecord]
) -> None:
    webhook.status = 500

    run_hook(webhook.url)
    run_hook(f"{CLOSED}/{SECRET}")

    warnings = [record for record in log if record.name.endswith("ingest_clean")]
    assert [record.levelname for record in warnings] == ["WARNING", "WARNING"]
    assert "notification for 2025-05-20 daily failed" in warnings[0].getMessage()
    assert "answered 500" in warnings[0].getMessage()
    assert "does not answer: ConnectError" in warnings[1].getMessage()
    assert not any(SECRET in record.getMessage() or record.exc_info for record in log)


def test_settings_that_are_wrong_only_warn(
    run_hook: Callable[..., None],
    webhook: Webhook,
    log: list[logging.LogRecord],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ELT_RETRIES", "often")

    run_hook(webhook.url)

    assert webhook.received == []
    (warned,) = (record for record in log if record.name.endswith("ingest_clean"))
    assert "ELT_RETRIES='often'" in warned.getMessage()
