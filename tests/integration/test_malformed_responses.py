"""Responses of every kind, sent byte for byte through the run protocol: each has its documented outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from orchestration.errors import IngestCleanError, SourceFailed
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import read_receipt
from orchestration.log import SILENT
from orchestration.run import run_date
from orchestration.settings import Settings
from orchestration.source.config import read_tables
from orchestration.source.fetch import fetch_date
from tests.helpers.fetching import DATE
from tests.helpers.projects import copy_project, request_for, settings_of
from tests.malformed_responses import CASES
from tests.malformed_responses.case import SOURCES, Case, Counts, answer, array, counts_of, event, good, ndjson
from tests.malformed_responses.doc import FILE, text
from tests.malformed_responses.server import AnswerServer, answering
from tests.malformed_responses.unusual_pages import PAGES
from tests.malformed_responses.values import ROWS

ALL = [case for cases in CASES.values() for case in cases]
FAILING_IN_FETCH = [
    case
    for case in ALL
    if case.fails and issubclass(case.fails, SourceFailed) and not any("transform: " in part for part in case.says)
]
# A fetch that fails ends every run in the same way, so the first case of each error goes through the run protocol.
FIRST_BY_ERROR = {case.fails: case.name for case in reversed(FAILING_IN_FETCH)}
FAILING_IN_RUN = [
    case for case in ALL if case.fails and (case not in FAILING_IN_FETCH or case.name == FIRST_BY_ERROR[case.fails])
]
MakeSettings = Callable[[Case], Settings]


@pytest.fixture(scope="module")
def server() -> Iterator[AnswerServer]:
    with answering() as running:
        yield running


@pytest.fixture(scope="module")
def project_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Creates the dbt project with a declaration of `events`, once for each, so that dbt parses it once."""

    @cache
    def make(source: str) -> Path:
        project = copy_project(tmp_path_factory.mktemp(source))
        file = project / "models" / "staging" / "shop" / "_shop__sources.yml"
        described = yaml.safe_load(file.read_text())
        meta = described["sources"][0]["tables"][0]["config"]["meta"]
        changed = SOURCES[source]
        # All cases have events of the same day, but each run has its own date.
        meta |= {"other_dates_limit": 1, **changed, "fetch": meta["fetch"] | changed.get("fetch", {})}
        file.write_text(yaml.safe_dump(described, sort_keys=False))
        return project

    return make


@pytest.fixture
def settings(server: AnswerServer, project_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> MakeSettings:
    """Prepares the responses of a case, and returns the settings of its run."""

    def make(case: Case) -> Settings:
        project, url = project_of(case.source), server.play(case)
        tries = {"ELT_RETRIES": 1, "ELT_RETRY_WAIT": 0}
        return settings_of(monkeypatch, project, SHOP_API_URL=url, **tries, **case.environment)

    return make


def rows_of(lake: Lake, ref: str, key: str, folder: Path) -> list[dict[str, Any]]:
    """Returns the rows of a Parquet file on the lake, read without the project's own code."""
    body = lake.read(ref, key)
    assert body is not None
    file = folder / "data.parquet"
    file.write_bytes(body)
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.sql(f"from read_parquet('{file}', hive_partitioning = false)")
        return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def events_of(lake: Lake, ref: str, date: str, folder: Path) -> list[dict[str, Any]]:
    return rows_of(lake, ref, f"curated/events/date={date}/data.parquet", folder)


def rejects_of(lake: Lake, ref: str, date: str, folder: Path) -> list[dict[str, Any]]:
    return rows_of(lake, ref, keys.curated("events_rejected", date), folder)


def require_written(lake: Lake, ref: str, date: str, counts: Counts, folder: Path) -> None:
    """Compares the Parquet at a ref with the expected accounting."""
    assert counts.closes
    assert len(events_of(lake, ref, date, folder)) == counts.curated
    assert Counter(row["reason"] for row in rejects_of(lake, ref, date, folder)) == counts.rejected


def require_accounted(lake: Lake, date: str, counts: Counts) -> None:
    """Compares the accounting in the receipt on `main` with the expected one."""
    receipt = read_receipt(lake, MAIN, keys.date_receipt(date))
    assert receipt is not None
    assert receipt.content["accounting"]["events"] == {
        "raw": counts.raw,
        "curated": counts.curated,
        "identical": counts.identical,
        "conflicting": counts.conflicting,
        "accepted_keys": counts.curated,
        "curated_keys": counts.curated,
        "rejected": counts.rejected,
        "drift": counts.drift,
        "drift_fields": len(counts.drift),
    }


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in ALL if case.fails is None])
def test_a_usable_response_is_published_and_accounted_for(
    case: Case, lake: Lake, settings: MakeSettings, execution_date: str, tmp_path: Path
) -> None:
    assert case.counts is not None

    published = run_date(request_for(lake, settings(case), execution_date))

    assert published.outcome == "published"
    require_accounted(lake, execution_date, case.counts)
    require_written(lake, MAIN, execution_date, case.counts, tmp_path)


@pytest.mark.parametrize("case", FAILING_IN_FETCH, ids=lambda case: case.name)
def test_a_response_that_the_fetch_refuses_fails_it_with_the_reason(
    case: Case, settings: MakeSettings, tmp_path: Path
) -> None:
    made = settings(case)

    with pytest.raises(IngestCleanError) as error:
        fetch_date(read_tables(made.project_dir), made, DATE, tmp_path / "work", SILENT)

    message = error.value.describe()
    assert type(error.value) is case.fails, message
    assert [part for part in case.says if part not in message] == [], message
    assert ("(tries: 2)" in message) == case.retried, message


@pytest.mark.parametrize("case", FAILING_IN_RUN, ids=lambda case: case.name)
def test_an_unusable_response_leaves_main_untouched_and_the_error_names_the_reason(
    case: Case, lake: Lake, settings: MakeSettings, execution_date: str, tmp_path: Path
) -> None:
    before = lake.head(MAIN)

    with pytest.raises(IngestCleanError) as error:
        run_date(request_for(lake, settings(case), execution_date))

    message = error.value.describe()
    assert type(error.value) is case.fails, message
    assert [part for part in case.says if part not in message] == [], message
    assert message.startswith(f"{execution_date} {error.value.step}: ")
    assert "\nmain: untouched\n" in message
    look = f"elt rejects {execution_date} --ref {error.value.branch}"
    assert message.endswith(look if " rejected for " in message else f"elt run {execution_date}")
    assert ("(tries: 2)" in message) == case.retried, message
    assert lake.head(MAIN) == before
    kept = list(lake.branches(f"etl-{execution_date}"))
    assert kept == ([error.value.branch] if error.value.step == "transform" else [])
    if case.counts:
        require_written(lake, kept[0], execution_date, case.counts, tmp_path)


def test_each_unusual_page_gives_its_record(
    lake: Lake, settings: MakeSettings, execution_date: str, tmp_path: Path
) -> None:
    sent = [partial(page.around, event(page.name)) for page in PAGES]
    counts = Counts(raw=len(PAGES), curated=len(PAGES))

    run_date(
        request_for(lake, settings(Case("unusual pages", (*sent, answer(array())), source="paged")), execution_date)
    )

    require_accounted(lake, execution_date, counts)
    require_written(lake, MAIN, execution_date, counts, tmp_path)
    found = {row["event_id"] for row in events_of(lake, MAIN, execution_date, tmp_path)}
    assert found == {page.name for page in PAGES}


@pytest.mark.parametrize(("source", "framed"), [("array", array), ("ndjson", ndjson)])
def test_each_unusual_record_among_valid_ones_has_its_own_outcome(
    source: str,
    framed: Callable[..., bytes],
    lake: Lake,
    settings: MakeSettings,
    execution_date: str,
    tmp_path: Path,
) -> None:
    fine = good(100 * sum(bool(row.rejected) for row in ROWS))
    odd = [record for row in ROWS for record in (row.record, *row.beside)]
    body = answer(framed(*fine[:1], *odd, *fine[1:]))
    counts = counts_of(ROWS, len(fine))

    run_date(request_for(lake, settings(Case("all unusual records", (body,), source=source)), execution_date))

    require_accounted(lake, execution_date, counts)
    require_written(lake, MAIN, execution_date, counts, tmp_path)
    curated = {row["event_id"]: row for row in events_of(lake, MAIN, execution_date, tmp_path)}
    expected = {row.name: row.becomes for row in ROWS if not row.rejected}
    found = {
        name: {column: curated.get(becomes["event_id"], {}).get(column, "no row") for column in becomes}
        for name, becomes in expected.items()
    }
    assert found == expected
    rejected = rejects_of(lake, MAIN, execution_date, tmp_path)
    assert {row["record"]: row["reason"] for row in rejected} == {
        row.record: row.rejected for row in ROWS if row.rejected
    }
    assert {row["page"] for row in rejected} == {keys.raw_page("shop", "events", execution_date, 1)}


def test_each_kind_has_a_unique_name() -> None:
    names = Counter([*(case.name for case in ALL), *(page.name for page in PAGES), *(row.name for row in ROWS)])
    assert [name for name, times in names.items() if times > 1] == []


def test_the_documented_outcomes_match_the_cases() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run python -m tests.malformed_responses"
