from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any, get_args

import httpx
import pytest
import yaml
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from examples.events_api import FAULTS, Options, accounting, create_app, dirt, records, serving
from examples.events_api.options import Form, Paging
from orchestration.settings import PROJECT_DIR

DAY = date(2025, 5, 20)
FIELDS = [
    *("Event ID", "Event Type", "Timestamp", "Invoice No", "Stock Code", "Description", "Quantity", "Price"),
    *("Customer ID", "Country"),
]

FIRST = (
    '{"Event ID":"20250520000000-1","Event Type":"sale","Timestamp":"2025-05-20T16:05:08+01:00",'
    '"Invoice No":"20250520000000","Stock Code":"84082","Description":"IVORY WATERING CAN","Quantity":6,'
    '"Price":"531.82","Customer ID":"14598","Country":"United Kingdom"}'
)

Record = dict[str, Any]


# ── one server for all tests; every test mounts the apps it wants ─────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def site() -> Iterator[tuple[list[BaseRoute], httpx.Client]]:
    apps = Starlette()
    with serving(apps) as url, httpx.Client(base_url=url, timeout=10) as client:
        yield apps.routes, client


@pytest.fixture
def api(site: tuple[list[BaseRoute], httpx.Client]) -> Callable[..., Api]:
    apps, client = site

    def start(**options: Any) -> Api:
        prefix = f"/{len(apps)}"
        app = Starlette()
        app.mount(prefix, create_app(Options(**options)))
        apps.extend(app.routes)
        return Api(client, prefix)

    return start


class Api:
    def __init__(self, client: httpx.Client, prefix: str) -> None:
        self.client = client
        self.prefix = prefix

    def get(self, path: str = "/events", *, day: str = "2025-05-20", token: str = "", **params: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.client.get(f"{self.prefix}{path}", params={"date": day, **params}, headers=headers)

    def pages(self, paging: Paging, form: Form, path: str = "/events", limit: int = 100) -> list[list[Record]]:
        """The records of every page, as a client that follows the paging reads them."""
        found = []
        answer = self.get(path)
        for number in range(2, limit + 2):
            found.append(parsed(answer.content, form))
            if paging == "none":
                break
            told: Any
            if paging == "page":
                told = answer.json()["next_page"] if form == "envelope" else number if found[-1] else None
            elif paging == "next_link":
                told = answer.json()["next"] if form == "envelope" else answer.links.get("next", {}).get("url")
            else:
                told = answer.json()["next_cursor"] if form == "envelope" else answer.headers.get("X-Next-Cursor")
            if told is None:
                break
            answer = self.client.get(told) if paging == "next_link" else self.get(path, **{str(paging): told})
            assert answer.status_code == 200
        return found


def parsed(body: bytes, form: Form) -> list[Record]:
    if form == "ndjson":
        return [json.loads(line) for line in body.splitlines()]
    found: list[Record] = json.loads(body)["data"] if form == "envelope" else json.loads(body)
    return found


def made(rows: int, start: int = 0, *, day: date = DAY, bad_prices: bool = False) -> list[Record]:
    return [json.loads(text) for text in records.events(day, start, rows, bad_prices=bad_prices)]


# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_row_depends_on_its_date_and_number_only() -> None:
    whole = list(records.events(DAY, 0, 3_000))
    assert whole == list(records.events(DAY, 0, 3_000))
    assert whole[1_234:1_777] == list(records.events(DAY, 1_234, 1_777))
    assert [next(records.events(DAY, row, row + 1)) for row in range(90, 160)] == whole[90:160]
    assert not set(whole) & set(records.events(DAY + timedelta(days=1), 0, 3_000))


def test_records_stay_what_they_are() -> None:
    """Other tests and the demo state what is in a day; a change here is a change there."""
    assert next(records.events(DAY, 0, 1)) == FIRST


def test_events_have_the_declared_fields_and_the_variety_of_real_ones() -> None:
    events = made(5_000)
    assert all(list(event) == FIELDS for event in events)
    assert {event["Event Type"] for event in events} == {"sale", "return"}
    assert all((event["Quantity"] < 0) == (event["Event Type"] == "return") for event in events)
    assert any("," in event["Price"] for event in events)
    assert any(event["Customer ID"] is None for event in events)
    assert any(event["Description"] is None for event in events)
    shapes = {re.sub(r"\d", "9", str(event["Timestamp"])) for event in events} - {"yesterday"}
    clock = "9999-99-99T99:99:99"
    assert shapes == {clock, f"{clock}Z", f"{clock}+99:99", f"{clock}-99:99", "9" * 10, "9" * 13}


@pytest.mark.parametrize("day", [DAY, date(2024, 2, 29), date(2025, 12, 31)])
def test_all_usable_timestamps_fall_on_the_date(day: date) -> None:
    for event in made(5_000, day=day):
        at = cleaned(event)[0].get("Timestamp")
        assert at is None or at.date() == day
        assert not isinstance(event["Timestamp"], str) or at is None or event["Timestamp"].startswith(day.isoformat())


def test_products_are_those_of_the_events() -> None:
    for rows in (0, 1, 101, 160, 1_000):
        products = [json.loads(text) for text in records.products(DAY, rows)]
        sold = {event["Stock Code"]: event["Description"] for event in made(rows)}
        assert products == [{"Stock Code": code, "Description": sold[code]} for code in sorted(sold)]


def test_a_day_of_any_size_has_its_products_at_once() -> None:
    assert records.products(DAY, 10**12) == records.products(DAY, 100_000)


# ── what a day holds ──────────────────────────────────────────────────────────────────────────────────────────────────


def cleaned(event: Record) -> tuple[Record, str | None]:
    """An event after a clean-up written apart from the one under test, with why it is rejected, if it is."""
    clean = dict(event)
    if not (event["Event ID"] or "").strip():
        return clean | {"Timestamp": None}, "event_id_missing"
    try:
        clean["Price"] = float(event["Price"].replace(",", ""))
    except ValueError:
        return clean | {"Timestamp": None}, "price_not_numeric"
    at = event["Timestamp"]
    try:
        if isinstance(at, int):
            clean["Timestamp"] = datetime.fromtimestamp(at / 1_000 if at >= 10**11 else at, UTC)
        else:
            moment = datetime.fromisoformat(at)
            clean["Timestamp"] = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        return clean | {"Timestamp": None}, "timestamp_unparseable"
    return clean, None


@pytest.mark.parametrize("bad_prices", [False, True])
@pytest.mark.parametrize("rows", [0, 1, 100, 101, 126, 151, 999, 1_000, 2_626, 7_777])
def test_the_accounting_is_what_a_count_of_the_records_gives(rows: int, bad_prices: bool) -> None:
    versions: dict[str, Counter[str]] = {}
    reasons: Counter[str] = Counter()
    for event in made(rows, bad_prices=bad_prices):
        clean, reason = cleaned(event)
        if reason:
            reasons[reason] += 1
        else:
            versions.setdefault(event["Event ID"], Counter())[json.dumps(clean, default=str)] += 1

    stated = accounting(rows, bad_prices=bad_prices)
    assert stated.raw == rows
    assert stated.curated == len(versions)
    assert stated.identical == sum(seen.total() - len(seen) for seen in versions.values())
    assert stated.conflicting == sum(len(seen) - 1 for seen in versions.values())
    assert stated.reasons == reasons
    assert stated.rejected == reasons.total()


def test_a_usual_thousand_passes_a_limit_of_one_percent_and_a_bad_one_does_not() -> None:
    usual = accounting(1_000)
    assert usual.reasons == {"event_id_missing": 2, "price_not_numeric": 1, "timestamp_unparseable": 2}
    assert (usual.curated, usual.identical, usual.conflicting) == (981, 9, 5)
    for rows in (10, 100, 1_000, 100_000):
        assert accounting(rows, bad_prices=True).rejected > 0.01 * rows
    assert accounting(1_000_000).rejected == 2_000


def test_dirt_keeps_apart() -> None:
    """The rule that makes the counts exact: on first lines only, and no row twice."""
    kinds = [dirt.IDENTICAL, dirt.CONFLICTING, *(flaw.rows for flaw in dirt.flaws(bad_prices=True))]
    assert all(kind.start % dirt.INVOICE_LINES == kind.step % dirt.INVOICE_LINES == 0 for kind in kinds)
    dirty = Counter(row for kind in kinds for row in islice(kind, 10_000) if row < 10_000)
    assert set(dirty.values()) == {1}


# ── forms and paging ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("paging", get_args(Paging))
@pytest.mark.parametrize(("rows", "size"), [(120, 50), (100, 50), (0, 50), (3, 50)])
def test_every_form_and_paging_sends_the_same_records_and_ends(
    api: Callable[..., Api], form: Form, paging: Paging, rows: int, size: int
) -> None:
    served = api(rows=rows, form=form, paging=paging, page_size=size)
    for path, expected in (
        ("/events", made(rows)),
        ("/products", [json.loads(text) for text in records.products(DAY, rows)]),
    ):
        pages = served.pages(paging, form, path)
        assert [record for page in pages for record in page] == expected
        assert paging == "none" or all(len(page) <= size for page in pages)


def test_a_page_after_the_last_is_empty(api: Callable[..., Api]) -> None:
    assert api(rows=10, paging="page").get(page=7).content == b"[]"
    after = api(rows=10, paging="page", form="envelope").get(page=7)
    assert after.json() == {"data": [], "next_page": None}


@pytest.mark.parametrize("form", get_args(Form))
def test_a_large_answer_is_streamed_and_a_small_one_states_its_length(
    api: Callable[..., Api], form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = api(rows=4_001, form=form)
    small = served.get()
    assert int(small.headers["Content-Length"]) == len(small.content)
    monkeypatch.setattr("examples.events_api.app._HELD_ROWS", 4_000)
    large = served.get()
    assert "Content-Length" not in large.headers
    assert large.content == small.content
    assert len(parsed(large.content, form)) == 4_001


@pytest.mark.parametrize(
    ("form", "media_type"),
    [("array", "application/json"), ("ndjson", "application/x-ndjson"), ("envelope", "application/json")],
)
def test_the_media_type_is_that_of_the_form(api: Callable[..., Api], form: Form, media_type: str) -> None:
    assert api(form=form).get().headers["Content-Type"] == media_type


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_only_requests_with_the_token_are_answered(api: Callable[..., Api]) -> None:
    served = api(token="open-sesame")
    for refused in (served.get(), served.get(token="wrong"), served.get("/products")):
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert refused.json() == {"error": "a bearer token is required"}
    assert served.get(token="open-sesame").status_code == 200


@pytest.mark.parametrize("day", ["", "today", "20250520", "2025-W21-2", "2025-02-30", "2025-05-20T00:00"])
def test_a_date_is_required(api: Callable[..., Api], day: str) -> None:
    refused = api().get(day=day)
    assert refused.status_code == 400
    assert "date=YYYY-MM-DD" in refused.json()["error"]


@pytest.mark.parametrize(
    ("paging", "parameters"),
    [("page", {"page": "0"}), ("page", {"page": ""}), ("next_link", {"page": "two"}), ("cursor", {"cursor": "5"})],
)
def test_an_unknown_page_is_refused(api: Callable[..., Api], paging: Paging, parameters: dict[str, str]) -> None:
    refused = api(paging=paging).get(**parameters)
    assert refused.status_code == 400
    assert " is not a " in refused.json()["error"]


def test_unknown_paths_and_methods_are_refused_in_json(api: Callable[..., Api]) -> None:
    served = api()
    assert served.get("/orders").status_code == 404
    assert "error" in served.get("/orders").json()
    posted = served.client.post(f"{served.prefix}/events")
    assert posted.status_code == 405
    assert "error" in posted.json()


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="no such fault: flood"):
        create_app(Options(fault="flood"))
    with pytest.raises(ValueError, match="rows=-1"):
        Options(rows=-1)
    with pytest.raises(ValueError, match="page_size=0"):
        Options(page_size=0)


# ── faults ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_429_asks_to_wait_and_then_answers(api: Callable[..., Api]) -> None:
    served = api(fault="429", fault_times=2, retry_after=7)
    for _ in range(2):
        busy = served.get()
        assert busy.status_code == 429
        assert busy.headers["Retry-After"] == "7"
    assert served.get().json() == made(1_000)


def test_500_for_a_time_or_always(api: Callable[..., Api]) -> None:
    passing = api(fault="500", fault_times=1)
    assert [passing.get().status_code for _ in range(3)] == [500, 200, 200]
    lasting = api(fault="500")
    assert {lasting.get().status_code for _ in range(3)} == {500}


def test_slow_pauses_before_and_between_chunks(api: Callable[..., Api]) -> None:
    served = api(fault="slow", delay=0.1)
    answer = served.get()
    assert answer.json() == made(1_000)
    assert answer.elapsed > timedelta(seconds=0.19)
    with pytest.raises(httpx.ReadTimeout):
        served.client.get(f"{served.prefix}/events", params={"date": "2025-05-20"}, timeout=0.03)


@pytest.mark.parametrize("form", get_args(Form))
def test_truncated_sends_less_than_it_says(api: Callable[..., Api], form: Form) -> None:
    served = api(fault="truncated", form=form)
    received: list[bytes] = []
    with served.client.stream("GET", f"{served.prefix}/events", params={"date": "2025-05-20"}) as answer:
        length = int(answer.headers["Content-Length"])
        with pytest.raises(httpx.RemoteProtocolError, match="peer closed connection"):
            received.extend(answer.iter_raw())
    assert 10_000 < len(b"".join(received)) < length


def test_wrong_content_type_has_the_right_body(api: Callable[..., Api]) -> None:
    answer = api(fault="wrong-content-type").get()
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.json() == made(1_000)


def test_not_json(api: Callable[..., Api]) -> None:
    answer = api(fault="not-json").get()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.content == b"nonsense"


def test_html(api: Callable[..., Api]) -> None:
    answer = api(fault="html").get()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!doctype html>")


def test_empty_day(api: Callable[..., Api]) -> None:
    served = api(fault="empty-day", fault_date=DAY)
    assert served.get().content == served.get("/products").content == b"[]"
    assert len(served.get(day="2025-05-21").json()) == 1_000


def test_renamed_field(api: Callable[..., Api]) -> None:
    renamed = [{"Unit Price" if name == "Price" else name: value for name, value in row.items()} for row in made(1_000)]
    assert api(fault="renamed-field").get().json() == renamed


def test_new_field(api: Callable[..., Api]) -> None:
    served = api(fault="new-field")
    assert served.get().json() == [row | {"Channel": "web"} for row in made(1_000)]
    assert "Channel" not in served.get("/products").text


@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize("paging", ["page", "next_link", "cursor"])
def test_loop_is_page_one_for_ever(api: Callable[..., Api], form: Form, paging: Paging) -> None:
    served = api(fault="loop", rows=30, form=form, paging=paging, page_size=10)
    assert served.pages(paging, form, limit=6) == [made(10)] * 6


def test_loop_holds_where_one_page_is_all(api: Callable[..., Api]) -> None:
    served = api(fault="loop", rows=3, form="envelope", paging="next_link")
    assert served.pages("next_link", "envelope", limit=4) == [made(3)] * 4


def test_bad_day_on_one_date(api: Callable[..., Api]) -> None:
    served = api(fault="bad-day", fault_date=date(2025, 5, 21))
    assert served.get().json() == made(1_000)
    bad = served.get(day="2025-05-21").json()
    assert bad == made(1_000, day=date(2025, 5, 21), bad_prices=True)
    assert sum(row["Price"] == "n/a" for row in bad) == accounting(1_000, bad_prices=True).reasons["price_not_numeric"]


def test_a_fault_keeps_to_its_path_and_page_and_counts_only_there(api: Callable[..., Api]) -> None:
    served = api(fault="500", fault_path="/events", fault_page=2, fault_times=1, paging="page")
    assert served.get("/products", page=2).status_code == 200
    assert [served.get(page=page).status_code for page in (1, 2, 2, 3)] == [200, 500, 200, 200]


def test_refused_requests_do_not_use_up_a_fault(api: Callable[..., Api]) -> None:
    served = api(fault="500", fault_times=1, token="t")
    assert [served.get(token=token).status_code for token in ("", "t", "t")] == [401, 500, 200]


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────


def command(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "examples.events_api", *arguments],
        cwd=PROJECT_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_prints_its_url_serves_and_stops_with_an_answer_unfinished() -> None:
    with command(
        "--port", "0", "--rows", "3000", "--fault", "slow", "--delay", "30", "--fault-date", "2025-05-21"
    ) as it:
        assert it.stdout is not None
        assert it.stderr is not None
        url = httpx.URL(it.stdout.readline().strip())
        assert (url.host, url.path, url.params["date"]) == ("127.0.0.1", "/events", "2025-05-21")
        assert len(httpx.get(url.copy_set_param("date", "2025-05-20")).json()) == 3_000
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(url, timeout=0.1)
        it.send_signal(signal.SIGTERM)
        it.wait(timeout=5)
        assert it.stderr.read() == ""


def test_help_describes_every_fault() -> None:
    with command("--help") as it:
        text, _ = it.communicate(timeout=10)
    for name, fault in FAULTS.items():
        assert re.search(rf"^  {name} +{re.escape(fault.description)}$", text, re.MULTILINE)


def test_the_fields_are_those_the_source_declares() -> None:
    text = (PROJECT_DIR / "models/staging/shop/_shop__sources.yml").read_text(encoding="utf-8")
    tables = {table["name"]: table for table in yaml.safe_load(text)["sources"][0]["tables"]}
    declared = {name: [column["name"] for column in table["columns"]] for name, table in tables.items()}
    assert declared["events"] == FIELDS
    assert declared["products"] == ["Stock Code", "Description"]
