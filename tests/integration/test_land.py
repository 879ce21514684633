"""From the API to raw on a branch: what is written, what is deleted, and what a failure leaves."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.events_api import Options, create_app, serving
from orchestration.errors import GateMissing, LakeError, LakeRefused, SourceFailed, UsageError
from orchestration.extract import extract
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.listed import LakeObject
from orchestration.lake.setup import ensure_repository
from orchestration.land import Landed, land, put_pages
from orchestration.log import SILENT
from orchestration.plan import make_plan
from orchestration.settings import Settings
from orchestration.source.config import read_tables
from orchestration.source.pages import Page
from orchestration.workdir import work_directory
from tests.helpers.projects import (
    RETAIL,
    copy_project,
    fetched_in_pages,
    keys_of,
    needs_retail,
    request_for,
    settings_of,
    write_sources,
)

LandFrom = Callable[..., Landed]
CLOSED = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, fetched in pages."""
    return fetched_in_pages(copy_project(tmp_path_factory.mktemp("project")))


@pytest.fixture
def land_from(lake: Lake, project: Path, monkeypatch: pytest.MonkeyPatch, execution_date: str) -> Iterator[LandFrom]:
    """Runs a date up to raw on its branch, with its own sample API."""
    with ExitStack() as stack:

        def run(options: Options, onto: Lake = lake) -> Landed:
            url = stack.enter_context(serving(create_app(options)))
            return land_date(onto, settings_of(monkeypatch, project, SHOP_API_URL=url), execution_date)

        yield run


def land_date(lake: Lake, settings: Settings, execution_date: str) -> Landed:
    run = request_for(lake, settings, execution_date)
    plan = make_plan(run, execution_date)
    with work_directory(settings.state_dir, execution_date) as folder:
        return land(run, plan, extract(run, plan, folder))


def paged(rows: int, **options: Any) -> Options:
    return Options(rows=rows, form="envelope", paging="page", page_size=100, **options)


def test_every_page_of_every_table_lands_byte_for_byte(
    lake: Lake, land_from: LandFrom, execution_date: str, project: Path
) -> None:
    with serving(create_app(paged(250))) as url:
        sent = {
            keys.raw_page("shop", table, execution_date, number): httpx.get(
                f"{url}/{table}", params={"date": execution_date, "page": number}
            ).content
            for table, pages in (("events", 3), ("products", 2))
            for number in range(1, pages + 1)
        }

    landed = land_from(paged(250))

    stored = {found.key: lake.read(landed.commit, found.key) for found in lake.objects(landed.commit, "raw/")}
    own = {key: body for key, body in stored.items() if f"date={execution_date}" in key}
    assert own == sent
    assert [page.key for page in landed.pages] == sorted(sent)
    assert landed.base == lake.head(MAIN)
    commit = lake.commit_of(landed.commit)
    assert commit.parents == (landed.base,)
    assert commit.metadata == {
        "execution_date": execution_date,
        "run_type": "daily",
        "base": landed.base,
        "landed": "{}",
    }
    assert lake.head(landed.branch) == landed.commit
    assert lake.uncommitted(landed.branch) == ()
    assert not list((project / ".elt" / "work").iterdir())


def test_two_runs_of_a_date_have_different_branches(land_from: LandFrom) -> None:
    first, second = land_from(paged(10)), land_from(paged(10))

    assert first.branch != second.branch


def test_keys_of_the_date_that_the_run_does_not_write_are_deleted(
    lake: Lake, land_from: LandFrom, execution_date: str
) -> None:
    publish(lake, land_from(paged(250)), execution_date)
    assert len(keys_of(lake, MAIN, execution_date)) == 6

    landed = land_from(paged(100))

    # The audit replaces the receipt.
    left = {keys.raw_page("shop", table, execution_date, 1) for table in ("events", "products")}
    assert keys_of(lake, landed.commit, execution_date).keys() == {*left, keys.date_receipt(execution_date)}


def test_the_same_raw_again_makes_no_commit(lake: Lake, execution_date: str, tmp_path: Path) -> None:
    body = tmp_path / "page"
    body.write_bytes(b"[]")
    page = page_of(body, execution_date)
    branch = f"etl-{execution_date}-11111111"
    lake.create_branch(branch, lake.head(MAIN))
    first = put_pages(lake, branch, lake.head(MAIN), [page], [], {})
    lake.create_branch(f"{branch}-again", first)

    assert put_pages(lake, f"{branch}-again", first, [page], [], {}) == first


def test_an_incomplete_upload_is_an_error(
    lake: Lake, execution_date: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = tmp_path / "page"
    body.write_bytes(b"[]")
    branch = f"etl-{execution_date}-22222222"
    lake.create_branch(branch, lake.head(MAIN))

    def put_less(self: Lake, branch: str, key: str, body: Path, content_type: str) -> LakeObject:
        return lake.connection.retry(lambda: lake._upload(branch, key, body.read_bytes()[:1], content_type))

    monkeypatch.setattr(Lake, "put", put_less)
    with pytest.raises(LakeError, match="arrived as 1 bytes"):
        put_pages(lake, branch, lake.head(MAIN), [page_of(body, execution_date)], [], {})


@pytest.mark.parametrize("fault", ["500", "429", "truncated", "wrong-content-type", "not-json", "html"])
def test_a_source_that_fails_leaves_no_branch(
    lake: Lake, land_from: LandFrom, execution_date: str, fault: str, project: Path
) -> None:
    before = lake.head(MAIN)

    with pytest.raises(SourceFailed) as error:
        land_from(paged(250, fault=fault, fault_path="/products", fault_page=2, retry_after=0))

    assert list(lake.branches(f"etl-{execution_date}")) == []
    assert lake.head(MAIN) == before
    assert not list((project / ".elt" / "work").iterdir())
    lines = error.value.describe().splitlines()
    assert lines[0].startswith(f"{execution_date} extract: GET ")
    assert lines[1] == "main: untouched"
    assert lines[2].startswith("next: ")


def test_a_wrong_source_description_is_found_before_anything_is_fetched(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, execution_date: str
) -> None:
    wrong = copy_project(tmp_path)
    file = write_sources(wrong, {"events": {"key": ["Event ID"], "fetch": {"path": "/events"}}})

    with pytest.raises(UsageError, match="missing required field `form`") as error:
        land_date(lake, settings_of(monkeypatch, wrong, SHOP_API_URL=CLOSED), execution_date)

    assert str(file) in error.value.cause


def test_two_fields_of_one_name_are_found_before_anything_is_fetched(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, execution_date: str
) -> None:
    wrong = copy_project(tmp_path)
    file = wrong / "models" / "staging" / "shop" / "_shop__sources.yml"
    file.write_text(
        file.read_text().replace("- name: Event Type\n", "- name: event-id\n          - name: Event Type\n")
    )

    with pytest.raises(UsageError, match="both become the column name event_id") as error:
        land_date(lake, settings_of(monkeypatch, wrong, SHOP_API_URL=CLOSED), execution_date)

    assert str(file) in error.value.cause
    assert error.value.step == "plan"


def test_a_lake_without_its_gate_is_refused_before_the_fetch(
    open_repository: Callable[..., Lake], land_from: LandFrom, execution_date: str
) -> None:
    bare = open_repository("no-gate")
    ensure_repository(bare, "lakefs", SILENT)

    with pytest.raises(GateMissing) as error:
        land_from(paged(1, fault="500"), bare)

    assert error.value.describe().splitlines()[1:] == [
        "main: untouched",
        f"next: elt init, then elt run {execution_date}",
    ]
    assert error.value.step == "extract"


def test_a_lake_that_refuses_a_page_keeps_the_branch_and_names_it(
    lake: Lake, land_from: LandFrom, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise LakeRefused("put: lakeFS answered 403")

    monkeypatch.setattr(Lake, "put", refuse)
    with pytest.raises(LakeRefused) as error:
        land_from(paged(10))

    (kept,) = lake.branches(f"etl-{execution_date}")
    assert f"kept: branch {kept}" in error.value.describe()
    assert error.value.describe().endswith(f"next: elt run {execution_date}")


@needs_retail
@pytest.mark.parametrize("page_size", [0, 1_000])
def test_the_december_days_of_the_retail_shop_land_byte_for_byte(
    lake: Lake,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    page_size: int,
    retail_api: Callable[[int], str],
) -> None:
    url = retail_api(page_size)
    if not page_size:
        project = copy_project(tmp_path)
    settings = settings_of(monkeypatch, project, SHOP_API_URL=url)
    days = sorted(file.stem for file in (RETAIL / "by-day").glob("*.csv"))
    assert len(days) == 20
    # A few of the days are enough to test pages.
    days = days[:3] if page_size else days
    tables = {table.name: table for table in read_tables(project)}

    for day in days:
        landed = land_date(lake, settings, day)
        found = [entry for name in tables for entry in lake.objects(landed.commit, f"raw/shop/{name}/date={day}/")]
        assert len(found) == len(landed.pages)
        for entry in found:
            _, _, table, _, page = entry.key.split("/")
            params = {"date": day} | ({"page": str(int(page[5:10]))} if page_size else {})
            sent = httpx.get(f"{url}/{table}", params=params).content
            body = lake.read(landed.commit, entry.key)
            assert body is not None
            assert hashlib.sha256(body).hexdigest() == hashlib.sha256(sent).hexdigest()
        lake.delete_branch(landed.branch)


def page_of(body: Path, execution_date: str) -> Page:
    content = body.read_bytes()
    return Page(
        "shop.events",
        keys.raw_page("shop", "events", execution_date, 1),
        body,
        len(content),
        hashlib.sha256(content).hexdigest(),
        hashlib.md5(content).hexdigest(),
    )


def publish(lake: Lake, landed: Landed, execution_date: str) -> None:
    """Writes a receipt for what landed, and merges it."""
    body = json.dumps({"status": "pass", "objects": keys_of(lake, landed.commit, execution_date)}).encode()
    lake.put(landed.branch, keys.date_receipt(execution_date), body, keys.JSON_CONTENT_TYPE)
    lake.merge(lake.commit(landed.branch, "curated", {}), "publish", {})
