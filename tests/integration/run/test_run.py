"""The run protocol on the real lakeFS, without Prefect: what is published, and what a failure leaves."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from examples.events_api import accounting
from orchestration.analyst.query import query, rejects
from orchestration.context import DateRun
from orchestration.errors import DataFailed, SourceBodyInvalid
from orchestration.extract import extract
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.history import publications
from orchestration.lake.receipt import read_receipt
from orchestration.log import log_to
from orchestration.plan import Plan
from orchestration.run import DateSteps, run_date
from orchestration.settings import Settings
from tests.helpers.projects import copy_project, fetched_in_pages, keys_of, request_for

MakeSettings = Callable[..., Settings]


def test_a_date_is_published_whole_with_its_receipt(lake: Lake, settings: MakeSettings, execution_date: str) -> None:
    before = lake.head(MAIN)

    published = run_date(request_for(lake, settings(), execution_date, origin={"code_version": "abc"}))

    expected = accounting(1_000)
    receipt = read_receipt(lake, MAIN, keys.date_receipt(execution_date))
    assert receipt is not None
    assert (published.outcome, published.replaced) == ("published", False)
    assert published.rows["events"] == expected.curated
    assert receipt.content["accounting"]["events"] == {
        "raw": expected.raw,
        "curated": expected.curated,
        "identical": expected.identical,
        "conflicting": expected.conflicting,
        "accepted_keys": expected.curated,
        "curated_keys": expected.curated,
        "rejected": expected.reasons,
        "drift": {},
        "drift_fields": 0,
    }
    assert receipt.objects == {
        key: checksum for key, checksum in keys_of(lake, MAIN, execution_date).items() if key != receipt.key
    }
    assert {key.split("/")[1] for key in receipt.objects if key.startswith("curated/")} == {
        "events",
        "events_rejected",
        "products",
        "products_rejected",
    }
    assert all(test["status"] == "pass" for test in receipt.content["tests"].values())
    merge, former = lake.log(MAIN), before
    newest = next(merge)
    assert (newest.id, newest.parents[0]) == (published.commit, former)
    assert newest.metadata["execution_date"] == execution_date
    assert list(lake.branches(f"etl-{execution_date}")) == []


def test_the_receipt_contains_no_time_and_no_run(lake: Lake, settings: MakeSettings, execution_date: str) -> None:
    published = run_date(request_for(lake, settings(), execution_date, origin={"flow_run_id": "run-4711"}))

    body = lake.read(MAIN, keys.date_receipt(execution_date))

    assert body is not None
    assert b"run-4711" not in body
    assert published.commit.encode() not in body
    assert re.search(rb"20[0-9]{2}-[0-9]{2}-[0-9]{2}T", body) is None
    assert body == json.dumps(json.loads(body), indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def test_running_again_is_unchanged_and_force_writes_the_same_bytes(
    lake: Lake, settings: MakeSettings, execution_date: str
) -> None:
    same = settings()
    first = run_date(request_for(lake, same, execution_date))
    head, tree = lake.head(MAIN), keys_of(lake, MAIN, execution_date)

    again = run_date(request_for(lake, same, execution_date))
    forced = run_date(request_for(lake, same, execution_date, force=True))

    assert (again.outcome, forced.outcome) == ("unchanged", "unchanged")
    assert again.rows == forced.rows == first.rows
    assert lake.head(MAIN) == head
    assert keys_of(lake, MAIN, execution_date) == tree
    assert list(lake.branches(f"etl-{execution_date}")) == []


def test_fewer_pages_supersede_the_date_in_one_commit(lake: Lake, settings: MakeSettings, execution_date: str) -> None:
    run_date(request_for(lake, settings(1_100), execution_date))
    before = lake.head(MAIN)

    published = run_date(request_for(lake, settings(600), execution_date))

    assert published.outcome == "superseded"
    assert lake.commit_of(MAIN).parents[0] == before
    pages = [key for key in keys_of(lake, MAIN, execution_date) if key.startswith("raw/shop/events/")]
    assert pages == [keys.raw_page("shop", "events", execution_date, number) for number in (1, 2)]
    listed = [entry for entry in publications(lake) if entry.execution_date == execution_date]
    assert [(entry.outcome, entry.rows["events"]) for entry in listed] == [
        ("superseded", accounting(600).curated),
        ("published", accounting(1_100).curated),
    ]


def test_a_date_that_would_lose_more_than_half_its_rows_fails_unless_forced(
    lake: Lake, settings: MakeSettings, execution_date: str
) -> None:
    run_date(request_for(lake, settings(1_000), execution_date))
    head = lake.head(MAIN)
    before, after = accounting(1_000).curated, accounting(400).curated

    with pytest.raises(DataFailed) as failed:
        run_date(request_for(lake, settings(400), execution_date))

    assert f"events would lose {before - after:,} of {before:,} published rows" in str(failed.value)
    assert "loss_limit of shop.events is 50%" in str(failed.value)
    assert failed.value.command == f"elt run {execution_date} --force"
    assert lake.head(MAIN) == head
    assert list(lake.branches(f"etl-{execution_date}-")) == [failed.value.branch]
    forced = run_date(request_for(lake, settings(400), execution_date, force=True))
    assert (forced.outcome, forced.rows["events"]) == ("superseded", after)


def test_a_table_may_allow_lost_rows_but_becomes_empty_only_with_force(
    lake: Lake, settings: MakeSettings, execution_date: str, tmp_path: Path
) -> None:
    own = fetched_in_pages(copy_project(tmp_path))
    sources = own / "models" / "staging" / "shop" / "_shop__sources.yml"
    declared = yaml.safe_load(sources.read_text())
    for table in declared["sources"][0]["tables"]:
        table["config"]["meta"] |= {"loss_limit": 1, "may_be_empty": True}
    sources.write_text(yaml.safe_dump(declared, sort_keys=False))
    run_date(request_for(lake, settings(1_000, own), execution_date))

    shorter = run_date(request_for(lake, settings(100, own), execution_date))
    with pytest.raises(DataFailed, match=r"events would lose .*; products would lose .*may not become empty"):
        run_date(request_for(lake, settings(100, own, fault="empty-day"), execution_date))
    emptied = run_date(request_for(lake, settings(100, own, fault="empty-day"), execution_date, force=True))

    assert (shorter.outcome, emptied.outcome) == ("superseded", "superseded")
    assert emptied.rows == {"events": 0, "products": 0}


def test_changed_code_builds_again_from_the_same_raw(
    lake: Lake, settings: MakeSettings, execution_date: str, tmp_path: Path
) -> None:
    own = fetched_in_pages(copy_project(tmp_path))
    first = run_date(request_for(lake, settings(100, own), execution_date))
    model = own / "models" / "curated" / "events.sql"
    model.write_text(model.read_text().replace("order by ", "-- as before\norder by "))

    again = run_date(request_for(lake, settings(100, own), execution_date))

    assert (first.outcome, again.outcome) == ("published", "superseded")
    assert again.rows == first.rows


def test_a_bad_day_fails_with_its_reasons_and_leaves_main_untouched(
    lake: Lake, settings: MakeSettings, execution_date: str
) -> None:
    before = lake.head(MAIN)
    bad = settings(fault="bad-day")

    with pytest.raises(DataFailed) as error:
        run_date(request_for(lake, bad, execution_date))

    (kept,) = lake.branches(f"etl-{execution_date}")
    message = error.value.describe()
    assert error.value.exit_code == 3
    assert "events_reject_share_within_limit" in message
    unusable = accounting(1_000, bad_prices=True).reasons["price_not_numeric"]
    assert f"events rejected for price_not_numeric: {unusable} of 1000 rows" in message
    assert message.count(f"raw/shop/events/date={execution_date}/page-0000") >= 5
    assert message.endswith(f"main: untouched\nkept: branch {kept}\nnext: elt rejects {execution_date} --ref {kept}")
    assert lake.head(MAIN) == before
    found = {(entry.table, entry.reason): entry.count for entry in rejects(lake, bad, execution_date, kept, 5)}
    assert found["events", "price_not_numeric"] == unusable


@pytest.mark.parametrize(
    ("fault", "failing"), [("renamed-field", "events_declared_fields_present"), ("empty-day", "events_has_rows")]
)
def test_a_missing_field_and_an_empty_day_are_data_failed(
    lake: Lake, settings: MakeSettings, execution_date: str, fault: str, failing: str
) -> None:
    with pytest.raises(DataFailed, match=failing):
        run_date(request_for(lake, settings(100, fault=fault), execution_date))

    assert keys_of(lake, MAIN, execution_date) == {}


def test_a_new_field_is_logged_and_published(lake: Lake, settings: MakeSettings, execution_date: str) -> None:
    lines: list[str] = []
    run_date(request_for(lake, settings(100, fault="new-field"), execution_date, log=log_to(lines.append)))

    assert "warning: events: undeclared field 'Channel' in 100 of 100 records" in lines
    receipt = read_receipt(lake, MAIN, keys.date_receipt(execution_date))
    assert receipt is not None
    assert receipt.content["accounting"]["events"]["drift"] == {"Channel": 100}


def test_a_json_error_that_only_the_full_parse_detects_is_source_failed(
    lake: Lake, settings: MakeSettings, execution_date: str
) -> None:
    def break_json(run: DateRun, plan: Plan, folder: Path) -> Any:
        extracted = extract(run, plan, folder)
        page = extracted.pages[0]
        body = page.path.read_bytes()
        broken = body.replace(b'"Event Type":', b'"Event Type" ', 1)
        page.path.write_bytes(broken)
        faulty = replace(page, bytes=len(broken), md5=hashlib.md5(broken).hexdigest())
        return replace(extracted, pages=(faulty, *extracted.pages[1:]))

    with pytest.raises(SourceBodyInvalid) as error:
        run_date(request_for(lake, settings(100), execution_date), DateSteps(extract=break_json))

    assert error.value.exit_code == 4
    assert keys.raw_page("shop", "events", execution_date, 1) in error.value.cause
    assert error.value.branch in list(lake.branches())
    assert keys_of(lake, MAIN, execution_date) == {}


def test_published_tables_can_be_queried_at_one_commit(lake: Lake, settings: MakeSettings, execution_date: str) -> None:
    published = run_date(request_for(lake, settings(100), execution_date))

    answer = query(lake, f"select count(*), min(price) >= 0 from events where _execution_date = '{execution_date}'")

    assert answer.commit == lake.head(MAIN)
    assert answer.rows == ((published.rows["events"], True),)
