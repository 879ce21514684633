"""What the checks of servers and sources see on servers that misbehave, without a real lakeFS or Prefect."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
import yaml
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.events_api import Options, create_app, serving
from orchestration.doctor.checks import Finding, carry_out
from orchestration.doctor.http import clock
from orchestration.doctor.lakefs import lakefs_checks
from orchestration.doctor.prefect import prefect_checks
from orchestration.doctor.secrets import secret_checks
from orchestration.doctor.sources import source_checks
from orchestration.settings import Settings, SourceSettings, read_settings
from tests.helpers.elt_runs import CLOSED
from tests.helpers.local_servers import make_settings, web_server
from tests.helpers.projects import events_only

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)


def answer(date: str | None) -> httpx.Response:
    return httpx.Response(200, headers={"Date": date} if date else {})


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, "ok"), (5, "ok"), (-5, "ok"), (10, "warning"), (-299, "warning"), (300, "failed")]
)
def test_the_clock_is_compared_with_the_date_header(seconds: int, state: str) -> None:
    result = clock(answer(format_datetime(NOW - timedelta(seconds=seconds), usegmt=True)), NOW)

    assert result.state == state
    assert ("ahead of" in result.seen) == (seconds >= 10)
    assert ("behind" in result.seen) == (seconds <= -10)
    assert ("NTP" in result.remedy) == (state != "ok")


@pytest.mark.parametrize("date", [None, "yesterday", ""])
def test_a_clock_without_a_date_header_is_not_checked(date: str | None) -> None:
    assert clock(answer(date), NOW).state == "not checked"


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (503, "failed")])
def test_a_lakefs_that_answers_with_an_error_has_failed(tmp_path: Path, status: int, state: str) -> None:
    with web_server(status) as url:
        settings = make_settings(tmp_path, endpoint=url, access_key="key", secret_key="sesam")
        server, seen_clock, *_ = carry_out(tuple(lakefs_checks(settings, ()))[:2])

    assert server.state == state
    assert seen_clock.state == ("ok" if state == "ok" else "not checked")


def test_a_skewed_clock_is_found_by_asking_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    monkeypatch.setattr("http.server.BaseHTTPRequestHandler.date_time_string", lambda self, timestamp=None: late)
    with web_server() as url:
        settings = make_settings(tmp_path, endpoint=url, access_key="key", secret_key="sesam")
        _, seen_clock = carry_out(tuple(lakefs_checks(settings, ()))[:2])

    assert seen_clock.state == "failed"
    assert seen_clock.seen.startswith("this machine's clock is 3,6")


def test_keys_of_a_server_that_is_not_lakefs_fail(tmp_path: Path) -> None:
    with web_server() as url:
        settings = make_settings(tmp_path, endpoint=url, access_key="key", secret_key="sesam")
        found = {one.check: one for one in carry_out(tuple(lakefs_checks(settings, ())))}

    assert found["lakefs keys"].state == "failed"
    assert {found[name].state for name in ("lakefs version", "repository", "gate")} == {"not checked"}


def test_incomplete_settings_of_lakefs_fail_with_the_missing_variable(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, endpoint="http://lake.example", access_key="key")

    server, *_ = carry_out(tuple(lakefs_checks(settings, ()))[:1])

    assert (server.state, "LAKEFS_SECRET_KEY" in server.remedy) == ("failed", True)


@contextmanager
def open_prefect(status: int = 200) -> Iterator[str]:
    """A Prefect API that asks nobody for a login, or refuses every one."""

    async def healthy(request: Request) -> Response:
        return JSONResponse(True)

    async def pools(request: Request) -> Response:
        return JSONResponse([] if status == 200 else {"exception_message": "Unauthorized"}, status)

    async def version(request: Request) -> Response:
        return JSONResponse("3.8.8", status)

    routes = [
        Route("/api/health", healthy),
        Route("/api/work_pools/filter", pools, methods=["POST"]),
        Route("/api/admin/version", version),
    ]
    with serving(Starlette(routes=routes)) as url:
        yield f"{url}/api"


@pytest.fixture
def _prefect_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Restores what `use_prefect` sets in the environment."""
    from prefect.context import refresh_global_settings_context

    for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_MAX_RETRIES"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield
    monkeypatch.undo()
    refresh_global_settings_context()


@pytest.mark.usefixtures("_prefect_settings")
def test_a_prefect_without_a_login_is_a_warning_and_another_version_too(tmp_path: Path) -> None:
    with open_prefect() as url:
        found = {one.check: one for one in carry_out(tuple(prefect_checks(make_settings(tmp_path, api_url=url))))}

    assert found["prefect"].state == "ok"
    assert (found["prefect login"].state, "without a login" in found["prefect login"].seen) == ("warning", True)
    assert (found["prefect version"].state, found["prefect version"].seen[:12]) == ("warning", "server 3.8.8")


@pytest.mark.usefixtures("_prefect_settings")
def test_a_refused_login_fails_without_showing_it(tmp_path: Path) -> None:
    with open_prefect(401) as url:
        settings = make_settings(tmp_path, api_url=url, api_auth_string="elt:sesam")
        found = {one.check: one for one in carry_out(tuple(prefect_checks(settings)))}

    assert (found["prefect login"].state, found["prefect version"].state) == ("failed", "not checked")
    assert "PREFECT_API_AUTH_STRING" in found["prefect login"].remedy
    assert "sesam" not in str(found)


def test_a_prefect_that_does_not_answer_fails(tmp_path: Path) -> None:
    found = carry_out(tuple(prefect_checks(make_settings(tmp_path, api_url=f"{CLOSED}/api"))))

    assert [one.state for one in found] == ["failed", "not checked", "not checked", "not checked"]
    assert found[0].remedy == "start it, and check PREFECT_API_URL"


# sources


def of_source(project: Path, **source: str) -> tuple[Settings, Finding]:
    """Carries out the check of the source `shop`, which declares a bearer token."""
    configured = {"shop": SourceSettings.model_validate(source)} if source else {}
    settings = replace(read_settings(), project_dir=project, sources=configured)
    (check,) = source_checks(settings)
    (finding,) = carry_out([replace(check, needs=())])
    return settings, finding


@pytest.fixture
def project(tmp_path: Path) -> Path:
    events_only(tmp_path, auth={"type": "bearer"})
    return tmp_path


@pytest.mark.parametrize(
    ("options", "state", "words"),
    [
        (Options(rows=10, token="sesam"), "ok", ""),
        (Options(rows=10, token="another"), "failed", "the API refuses the credentials: correct SHOP_API_TOKEN"),
        (Options(rows=10, token="sesam", fault="500"), "failed", "elt source check shop.events"),
        (Options(rows=10, token="sesam", fault="429"), "warning", "fetch.throttle"),
    ],
)
def test_a_source_is_asked_once_with_its_token(project: Path, options: Options, state: str, words: str) -> None:
    with serving(create_app(options)) as url:
        _, finding = of_source(project, url=url, token="sesam")

    assert finding.state == state
    assert words in finding.remedy
    assert "/events?date=" in finding.seen
    assert "sesam" not in finding.seen


def test_credentials_over_plain_http_are_a_warning(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.source.client._is_loopback", lambda host: False)
    with serving(create_app(Options(rows=10, token="sesam"))) as url:
        _, finding = of_source(project, url=url, token="sesam")

    assert (finding.state, "plain http" in finding.seen) == ("warning", True)
    assert "https://" in finding.remedy


def test_a_source_that_does_not_answer_fails(project: Path) -> None:
    _, finding = of_source(project, url=CLOSED, token="sesam")

    assert (finding.state, finding.seen.startswith(f"no answer from {CLOSED}")) == ("failed", True)
    assert "SHOP_API_URL" in finding.remedy


def test_a_source_without_an_address_fails(project: Path) -> None:
    _, finding = of_source(project)

    assert (finding.state, finding.remedy) == ("failed", "set SHOP_API_URL in .env")


def test_an_invalid_source_declaration_fails(tmp_path: Path) -> None:
    events_only(tmp_path, form="no such form")

    (finding,) = carry_out(tuple(source_checks(replace(read_settings(), project_dir=tmp_path))))

    assert (finding.check, finding.state) == ("source declarations", "failed")


def test_an_invalid_report_declaration_fails(tmp_path: Path) -> None:
    events_only(tmp_path)
    model = {"name": "daily_rain", "config": {"meta": {"report": {"measures": [{"columns": "rain"}]}}}}
    (tmp_path / "models" / "marts.yml").write_text(yaml.safe_dump({"models": [model]}))

    finding, _ = carry_out(tuple(source_checks(replace(read_settings(), project_dir=tmp_path))))

    assert (finding.check, finding.state) == ("report declarations", "failed")
    assert "marts.yml: model daily_rain: config.meta.report.measures[0]: Object" in finding.seen


# secrets


def test_a_secret_names_where_it_comes_from_and_never_its_value(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SourceSettings(url="http://shop.example", token=SecretStr("sesam"))
    settings = replace(make_settings(project), project_dir=project, sources={"shop": source})

    def seen() -> str:
        found = {one.check: one for one in carry_out([check for check in secret_checks(settings) if not check.needs])}
        assert "sesam" not in str(found)
        finding = found["secret SHOP_API_TOKEN"]
        assert finding.state == "ok"
        return finding.seen

    (project / ".env").write_text("SHOP_API_TOKEN=sesam\n")
    assert seen() == "from .env"
    monkeypatch.setenv("SHOP_API_TOKEN", "sesam")
    assert seen() == "from the environment, which takes precedence over .env"


def test_a_secret_that_is_not_set_here_needs_prefect(project: Path) -> None:
    source = SourceSettings(url="http://shop.example")
    settings = replace(make_settings(project), project_dir=project, sources={"shop": source})

    needed = {check.name: check.needs for check in secret_checks(settings)}

    assert needed["secret SHOP_API_TOKEN"] == ("prefect", "prefect login")
    assert needed["secret lakefs keys"] == ()
