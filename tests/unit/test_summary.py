"""The summary of a run for an operator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from markdown_it import MarkdownIt

from orchestration.dbt_runner.results import Kind, NodeResult, TableAccounting
from orchestration.flows.artifacts import before_and_after, commit_url, dbt_table, summary
from orchestration.lake import keys
from orchestration.lake.receipt import Receipt
from tests.helpers.projects import built

PARTS = TableAccounting(
    raw=1_200,
    curated=1_185,
    identical=1,
    conflicting=12,
    accepted_keys=1_185,
    curated_keys=1_185,
    rejected={"price_not_numeric": 2},
    drift={"Sales|Channel": 3},
    missing={},
    conflicting_keys=(),
    rejects={},
)
CLEAN = replace(
    PARTS, raw=7, curated=7, identical=0, conflicting=0, accepted_keys=7, curated_keys=7, rejected={}, drift={}
)


def node(name: str, status: str, message: str = "", kind: Kind = "model", failures: int | None = None) -> NodeResult:
    return NodeResult(f"{kind}.ingest_clean.{name}", kind, status, failures, 0.25, message)


def receipt(key: str, **content: Any) -> Receipt:
    return Receipt(key, content)


def test_a_run_is_summarized_with_its_rows_rejects_fields_and_seconds() -> None:
    result = built(accounting={"events": PARTS, "products": CLEAN}, across_dates={"events": {"kept_rows": 2_000}})

    text = summary("2025-05-20 Published", "2025-05-20: published", result, {"land": 1.234, "publish": 0.3}, "http://c")

    assert text.splitlines() == [
        "## 2025-05-20 Published",
        "",
        "````",
        "2025-05-20: published",
        "````",
        "",
        "[The commit in lakeFS](http://c)",
        "",
        "| table | raw | curated | identical | conflicting | rejected |",
        "| --- | --- | --- | --- | --- | --- |",
        "| events | 1,200 | 1,185 | 1 | 12 | 2 |",
        "| products | 7 | 7 | 0 | 0 | 0 |",
        "",
        "| table | rejected for | rows |",
        "| --- | --- | --- |",
        "| events | price_not_numeric | 2 |",
        "",
        "| table | undeclared field | records |",
        "| --- | --- | --- |",
        "| events | `'Sales\\|Channel'` | 3 |",
        "",
        "| table of all dates |  | rows |",
        "| --- | --- | --- |",
        "| events | kept | 2,000 |",
        "",
        "| step | seconds |",
        "| --- | --- |",
        "| land | 1.23 |",
        "| publish | 0.30 |",
    ]


def test_rows_of_other_dates_have_a_table_where_there_are_any() -> None:
    kept = replace(CLEAN, raw=1_234, other_dates=1_227)

    text = summary("2025-05-20 Published", "", built(accounting={"issues": kept, "events": CLEAN}), {}, None)

    assert "| table | rows of other dates |\n| --- | --- |\n| issues | 1,227 |\n" in text
    assert "other dates" not in summary("2025-05-20 Published", "", built(accounting={"events": CLEAN}), {}, None)


def test_nothing_is_shown_of_what_a_run_did_not_reach() -> None:
    bare = ["## t", "", "````", "no lake", "````"]

    assert summary("t", "no lake", None, {}).splitlines() == bare
    assert summary("t", "no lake", built(node("events", "error")), {}).splitlines() == bare
    assert "rejected for" not in summary("t", "", built(accounting={"products": CLEAN}), {})
    assert "undeclared" not in summary("t", "", built(accounting={"products": CLEAN}), {})


def test_nodes_that_did_not_succeed_come_first_and_only_they_have_a_message() -> None:
    long = "Binder Error: " + "x" * 300
    result = built(
        node("prices", "success", "OK"),
        node("event_type_known", "warn", "Got 3 results", "test", 3),
        node("unique", "pass", "none", "test", 0),
        node("events", "error", long),
        node("accounting", "skipped"),
        node("has_rows", "fail", "Got 1 result", "test", 1),
    )

    rows = dbt_table(result)

    assert [(row["node"], row["status"]) for row in rows] == [
        ("events", "error"),
        ("accounting", "skipped"),
        ("has_rows", "fail"),
        ("event_type_known", "warn"),
        ("prices", "success"),
        ("unique", "pass"),
    ]
    assert [row["message"] for row in rows] == [f"{long[:200]}…", "", "Got 1 result", "Got 3 results", "", ""]
    assert rows[3] == {
        "node": "event_type_known",
        "kind": "test",
        "status": "warn",
        "failures": 3,
        "seconds": 0.25,
        "message": "Got 3 results",
    }
    assert rows[0]["failures"] == 0


def test_a_superseded_date_shows_each_table_before_and_after() -> None:
    former = receipt(keys.date_receipt("2025-05-20"), accounting={"events": {"curated": 10}, "dropped": {"curated": 4}})

    assert before_and_after(former, {"events": 12, "added": 3}) == [
        {"table": "added", "rows before": 0, "rows after": 3, "difference": "+3"},
        {"table": "dropped", "rows before": 4, "rows after": 0, "difference": "-4"},
        {"table": "events", "rows before": 10, "rows after": 12, "difference": "+2"},
    ]


def test_the_summary_of_a_superseded_date_shows_the_rows_before_and_after() -> None:
    rows = [{"table": "events", "rows before": 1_000, "rows after": 1_012, "difference": "+12"}]

    text = summary("2025-05-20 Superseded", "2025-05-20 superseded", None, {}, superseded=rows)

    assert text.splitlines()[-3:] == [
        "| table | rows before | rows after | difference |",
        "| --- | --- | --- | --- |",
        "| events | 1,000 | 1,012 | +12 |",
    ]


def test_superseded_marts_are_counted_by_their_own_receipt() -> None:
    key = "marts/sales.parquet"
    former = receipt(keys.MARTS_RECEIPT, details={key: {"rows": 5}}, accounting={"events": {"curated": 10}})

    assert before_and_after(former, {keys.table_of(key): 6}) == [
        {"table": keys.table_of(key), "rows before": 5, "rows after": 6, "difference": "+1"}
    ]


def test_the_page_of_a_commit_is_below_lakefs_root() -> None:
    page = "https://lake.example/repositories/project/commits/abc123"

    assert commit_url("https://lake.example", "project", "abc123") == page
    assert commit_url("https://lake.example/", "project", "abc123") == page


FOREIGN = (
    "![p](http://evil.example/p.png)",
    "`![p](http://evil.example/p.png)",
    "``` `` `![p](http://evil.example/p.png)",
    "| ![p](http://evil.example/p.png) |",
    "\\| ![p](http://evil.example/p.png)",
    "\\`\\| `![p](http://evil.example/p.png)",
    "<img src=http://evil.example/i.png> <a href='javascript:alert(1)'>x</a>",
    "\n\n# head\n[x](javascript:alert(1))\n````\n`````\n~~~~\n![p](http://evil.example/p.png)",
    "http://evil.example/ www.evil.example <http://evil.example>",
    "\x1b]0;x\x07\u202e\ufeff",
)


@pytest.mark.parametrize("foreign", FOREIGN)
def test_foreign_text_is_shown_and_is_no_markdown_or_html(foreign: str) -> None:
    parts = replace(CLEAN, raw=3, drift={foreign: 3, "Channel": 1})
    text = summary("t", f"failed: {foreign}", built(accounting={"events": parts}), {"transform": 1.0})

    page = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)

    assert not any(tag in page for tag in ("<img", "<a ", "<h1", 'evil.example/p.png"'))
    assert page.count("<pre>") == 1
    # One row for each field, in one table with the seconds after it.
    assert page.count("<tr>") == (1 + 1) + (1 + 2) + (1 + 1)
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_summary_is_short_whatever_the_run_met() -> None:
    drift = {f"{number:02}{'`' * 80}… (4000000 characters)": 3 for number in range(20)}
    parts = replace(CLEAN, raw=3, drift=drift, drift_fields=200_000)
    parts = replace(parts, rejected={f"column_{number:03}_not_integer": number for number in range(500)})
    text = summary("t", "x" * 15_000_000, built(accounting={"events": parts}), {})

    assert len(text) < 15_000
    assert "| events | column_499_not_integer | 499 |\n" in text
    assert "\n480 more reasons\n" in text
    assert "events: 199,980 more undeclared fields" in text
