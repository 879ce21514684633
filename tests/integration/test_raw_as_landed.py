"""What raw and the receipt have of pages that are not byte for byte as sent, and of tables without past dates."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from examples.events_api import serving
from orchestration.errors import PlatformFailed, UsageError
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import read_receipt
from orchestration.run import run_date
from orchestration.settings import Settings
from tests.helpers.projects import copy_project, keys_of, request_for, settings_of
from tests.helpers.tables import SOURCES, edit_yaml
from tests.malformed_responses.case import array, event

PRODUCTS = b'[{"Stock Code": "22423", "Description": "REGENCY CAKESTAND 3 TIER"}]'


class Shop:
    """Sends compressed events, and products as they are at the moment."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def events(self, request: Request) -> Response:
        self.asked.append(str(request.url.query))
        body = gzip.compress(b"\xef\xbb\xbf" + array(event()), mtime=0)
        return Response(body, media_type="application/json", headers={"Content-Encoding": "gzip"})

    def products(self, request: Request) -> Response:
        self.asked.append("products")
        return Response(PRODUCTS, media_type="application/json")


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shop: Shop) -> Iterator[Callable[[], Settings]]:
    project = copy_project(tmp_path)
    edit_yaml(project / SOURCES, _any_date)
    routes = [Route("/events", shop.events), Route("/products", shop.products)]
    with serving(Starlette(routes=routes)) as url:
        yield lambda: settings_of(monkeypatch, project, SHOP_API_URL=url)


def _any_date(content: dict[str, list[dict[str, list[dict[str, dict[str, dict[str, object]]]]]]]) -> None:
    content["sources"][0]["tables"][0]["config"]["meta"]["other_dates_limit"] = 1


def _snapshot(project: Path) -> None:
    """Declares the products as what the API has at the moment."""

    def edit(content: dict[str, list[dict[str, list[dict[str, dict[str, dict[str, dict[str, object]]]]]]]]) -> None:
        del content["sources"][0]["tables"][1]["config"]["meta"]["fetch"]["parameters"]

    edit_yaml(project / SOURCES, edit)


def test_the_receipt_says_what_a_page_was_decoded_from(
    lake: Lake, settings: Callable[[], Settings], execution_date: str
) -> None:
    assert run_date(request_for(lake, settings(), execution_date)).outcome == "published"

    receipt = read_receipt(lake, MAIN, keys.date_receipt(execution_date))
    assert receipt is not None
    page = keys.raw_page("shop", "events", execution_date, 1)
    assert lake.read(MAIN, page) == array(event())
    assert receipt.content["details"][page]["decoded"] == ["gzip", "byte order mark"]
    assert "decoded" not in receipt.content["details"][keys.raw_page("shop", "products", execution_date, 1)]


def test_a_snapshot_of_a_past_date_is_published_from_the_raw_that_main_has(
    lake: Lake, settings: Callable[[], Settings], shop: Shop, execution_date: str, tmp_path: Path
) -> None:
    first = run_date(request_for(lake, settings(), execution_date))
    before = keys_of(lake, MAIN, execution_date)
    _snapshot(tmp_path)
    shop.asked.clear()

    again = run_date(request_for(lake, settings(), execution_date))

    assert (first.outcome, again.outcome) == ("published", "superseded")
    assert shop.asked == [f"date={execution_date}"]
    receipt = keys.date_receipt(execution_date)
    after = keys_of(lake, MAIN, execution_date)
    assert {key: after[key] for key in after if key != receipt} == {
        key: before[key] for key in before if key != receipt
    }
    assert run_date(request_for(lake, settings(), execution_date)).outcome == "unchanged"


def test_a_snapshot_of_a_past_date_without_raw_is_refused(
    lake: Lake, settings: Callable[[], Settings], shop: Shop, execution_date: str, tmp_path: Path
) -> None:
    _snapshot(tmp_path)

    with pytest.raises(UsageError, match=rf"shop\.products cannot be fetched for {execution_date}"):
        run_date(request_for(lake, settings(), execution_date))

    assert shop.asked == []
    assert list(lake.branches(f"etl-{execution_date}")) == []


def test_raw_that_is_not_what_landed_is_not_used(
    lake: Lake,
    settings: Callable[[], Settings],
    execution_date: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_date(request_for(lake, settings(), execution_date))
    _snapshot(tmp_path)
    read = lake.read

    def changed(ref: str, key: str) -> bytes | None:
        return b"[]" if "/products/" in key else read(ref, key)

    monkeypatch.setattr(lake, "read", changed)
    with pytest.raises(PlatformFailed, match="is not what landed"):
        run_date(request_for(lake, settings(), execution_date))
