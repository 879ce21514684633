"""`elt clean` on a real lakeFS and a real Prefect: what is dead goes, what may be live stays. Ages are passed in."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import lakefs_sdk
import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.context import refresh_global_settings_context
from prefect.states import Completed, Running

from examples.events_api import Options, create_app, serving
from orchestration.analyst.sandbox import create, differences, drop, list_sandboxes
from orchestration.eda.store import BRANCH as REPORTS
from orchestration.eda.store import KEY, store_report
from orchestration.errors import UsageError
from orchestration.housekeeping.clean import Cleaned, Cleaning, clean
from orchestration.housekeeping.flow_runs import FlowRuns, read_flow_runs
from orchestration.housekeeping.storage import Stored
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.operations.rollback import plan_rollback_of_date, roll_back
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR, EltSettings, Settings, read_settings
from orchestration.workdir import WORK_FOLDER, work_directory
from tests.helpers.elt_runs import CLOSED
from tests.helpers.projects import NAME, copy_project, request_for, settings_of, write_sources

FIRST, SECOND = "2025-05-20", "2025-05-21"
NOW = datetime.now(UTC)
ENDED = FlowRuns()


@dataclass(frozen=True)
class Shop:
    """A lake with two dates, of which the first was published twice and then rolled back.

    Attributes:
        lake: The lake.
        early: A commit of main that is not its head.
    """

    lake: Lake
    early: str

    def merged(self) -> str:
        """Creates the branch that the run of the early commit would have left, and returns its name."""
        name = f"etl-{FIRST}-0000000b"
        self.lake.create_branch(name, self.lake.commit_of(self.early).parents[1])
        return name


@pytest.fixture(scope="module")
def shop(open_repository: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory) -> Shop:
    lake = open_repository("housekeeping")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    project = copy_project(tmp_path_factory.mktemp("project"))
    early = ""
    for execution_date, rows in ((FIRST, 200), (FIRST, 300), (SECOND, 200)):
        with serving(create_app(Options(rows=rows))) as url, pytest.MonkeyPatch.context() as monkeypatch:
            settings = settings_of(monkeypatch, project, SHOP_API_URL=url)
            run_date(request_for(lake, settings, execution_date))
            early = early or lake.head(MAIN)
    roll_back(lake, plan_rollback_of_date(lake, FIRST), settings, "prices were in cents")
    return Shop(lake, early)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(read_settings(), elt=EltSettings(state_dir=tmp_path / "state"), project_dir=PROJECT_DIR)


@pytest.fixture
def cleaned(shop: Shop, settings: Settings) -> Callable[..., Cleaned]:
    """Cleans as if so many days had passed."""

    def after(days: float, *, flow_runs: FlowRuns = ENDED, dry_run: bool = False, **further: int) -> Cleaned:
        now = NOW + timedelta(days=days)
        return clean(Cleaning(shop.lake, settings, now, SILENT, lambda ids: flow_runs, dry_run=dry_run, **further))

    return after


def actions(cleaned: Cleaned) -> dict[str, str]:
    return {decision.branch: decision.action for decision in cleaned.branches}


def branch_with(lake: Lake, name: str, *, commit: bool = True, base: str = MAIN, **metadata: str) -> str:
    """Creates the branch of a run that wrote an object, committed or not."""
    lake.create_branch(name, lake.head(base))
    lake.put(name, keys.raw_page("shop", "events", SECOND, 9), name.encode(), keys.RAW_CONTENT_TYPE)
    if commit:
        lake.commit(name, "raw", metadata)
    return name


# What is stored.


def test_storage_is_what_the_trees_of_all_commits_hold(shop: Shop, cleaned: Callable[..., Cleaned]) -> None:
    """Compared with the physical addresses of every commit, which housekeeping does not list."""
    lake = shop.lake
    objects = lakefs_sdk.ObjectsApi(lake.connection.sdk)
    trees = [
        {one.physical_address: one.size_bytes for one in objects.list_objects(lake.repository, at.id).results}
        for at in lake.log(MAIN)
    ]
    old = {address: size for tree in trees for address, size in tree.items() if address not in trees[0]}

    storage = cleaned(0, dry_run=True).storage

    assert storage.total == Stored(MAIN, len(trees[0]), sum(trees[0].values()), len(old), sum(old.values()))
    assert len(old) > 5, "the two earlier versions of the first date"
    for parts in (storage.tables, (*storage.dates, *(one for one in storage.tables if one.name == "_lakefs_actions"))):
        assert sum(one.bytes + one.old_bytes for one in parts) == storage.total.bytes + storage.total.old_bytes
    by_name = {one.name: one for one in (*storage.tables, *storage.dates)}
    assert by_name["curated/events"].objects == 2
    assert by_name["curated/events"].old_objects == 2
    assert (by_name[SECOND].old_bytes, by_name[FIRST].old_bytes) == (0, storage.total.old_bytes)


def test_storage_of_a_branch_is_what_it_has_alone(shop: Shop, cleaned: Callable[..., Cleaned]) -> None:
    lake, merged = shop.lake, shop.merged()
    name = branch_with(lake, f"etl-{SECOND}-0000000a")
    lake.put(name, keys.raw_page("shop", "events", SECOND, 9), b"shorter", keys.RAW_CONTENT_TYPE)
    lake.put(name, keys.raw_page("shop", "events", SECOND, 1), b"also", keys.RAW_CONTENT_TYPE)

    found = {one.name: one for one in cleaned(0, dry_run=True).storage.branches}

    assert found[name] == Stored(name, 2, len(b"shorter") + len(b"also"), 1, len(name))
    assert found[merged] == Stored(merged, 0, 0, 0, 0)
    for branch in (name, merged):
        lake.delete_branch(branch)


# Branches of runs.


def test_dead_branches_go_and_nothing_else(shop: Shop, cleaned: Callable[..., Cleaned]) -> None:
    lake, before, merged = shop.lake, shop.lake.head(MAIN), shop.merged()
    dead = [
        branch_with(lake, f"etl-{FIRST}-00000001"),
        branch_with(lake, "etl-marts-00000002"),
        branch_with(lake, "rollback-00000003", commit=False),
        branch_with(lake, f"verify-{FIRST}-00000004"),
    ]
    of_people = [branch_with(lake, name) for name in ("etl-mine", "prices", f"etl-{FIRST}", "verify-00000005")]
    everything = {*lake.branches()}

    assert set(actions(cleaned(0)).values()) == {"keep"}
    assert actions(cleaned(5)) == {merged: "remove", **dict.fromkeys(dead, "keep")}, "kept for inspection"
    assert {*lake.branches()} == everything - {merged}
    shown = actions(cleaned(8, dry_run=True))
    assert shown == dict.fromkeys(dead, "remove")
    assert {*lake.branches()} == everything - {merged}, "a dry run removes nothing"
    cleaned(8)

    assert {*lake.branches()} == {MAIN, *of_people}
    assert cleaned(8).branches == (), "a second time finds nothing"
    assert lake.head(MAIN) == before
    for name in of_people:
        lake.delete_branch(name)


def test_a_branch_is_removed_at_the_age_that_is_given(shop: Shop, cleaned: Callable[..., Cleaned]) -> None:
    name = branch_with(shop.lake, f"etl-{FIRST}-00000001")

    assert actions(cleaned(0.9, older_than=1)) == {name: "keep"}, "within 24 hours it may be in use"
    assert actions(cleaned(29, older_than=30)) == {name: "keep"}
    assert actions(cleaned(1.1, older_than=1)) == {name: "remove"}


def test_a_late_upload_keeps_a_branch(shop: Shop, cleaned: Callable[..., Cleaned]) -> None:
    """Its last commit is older than the lease, as lakeFS dates it."""
    lake, name = shop.lake, f"etl-{FIRST}-00000001"
    lake.create_branch(name, lake.head(MAIN))
    lake.put(name, "raw/shop/events/date=2025-05-20/page-1.json", b"1", keys.RAW_CONTENT_TYPE)
    old = lakefs_sdk.CommitCreation(message="raw", var_date=int((NOW - timedelta(days=20)).timestamp()))
    lakefs_sdk.CommitsApi(lake.connection.sdk).commit(lake.repository, name, old)
    assert actions(cleaned(0, dry_run=True)) == {name: "remove"}

    lake.put(name, "raw/shop/events/date=2025-05-20/page-2.json", b"2", keys.RAW_CONTENT_TYPE)

    assert actions(cleaned(0.9)) == {name: "keep"}
    lake.delete_branch(name)


def test_a_branch_without_a_write_is_kept_until_it_must_be_old(shop: Shop, cleaned: Callable[..., Cleaned]) -> None:
    """A run that has just created its branch looks the same, and lakeFS does not say when a branch was created."""
    lake = shop.lake
    new, old, verified = f"etl-{FIRST}-00000001", f"etl-{FIRST}-00000002", "verify-marts-00000003"
    for name, base in ((new, lake.head(MAIN)), (old, shop.early), (verified, shop.early)):
        lake.create_branch(name, base)

    assert actions(cleaned(1.9, dry_run=True)) == {new: "keep", old: "keep", verified: "keep"}
    assert actions(cleaned(300)) == {new: "keep", old: "remove", verified: "remove"}
    lake.delete_branch(new)


def test_no_lease_is_shorter_than_the_longest_run(shop: Shop, settings: Settings) -> None:
    name = branch_with(shop.lake, f"etl-{FIRST}-00000001")
    slow = replace(settings, elt=EltSettings(state_dir=settings.elt.state_dir, run_timeout=9 * 86_400))

    def after(days: float) -> Cleaned:
        return clean(Cleaning(shop.lake, slow, NOW + timedelta(days=days), SILENT, lambda ids: ENDED, dry_run=False))

    assert actions(after(8)) == {name: "keep"}
    assert actions(after(10)) == {name: "remove"}


def test_the_branch_of_a_running_flow_run_is_kept_at_any_age(
    shop: Shop, settings: Settings, prefect_client: SyncPrefectClient
) -> None:
    run = prefect_client.create_flow_run(flow(name="test-housekeeping")(lambda: None))
    prefect_client.set_flow_run_state(run.id, Running())
    live = branch_with(shop.lake, f"etl-{FIRST}-00000001", flow_run_id=str(run.id))
    unknown = branch_with(shop.lake, f"etl-{FIRST}-00000002", commit=False)
    foreign = branch_with(shop.lake, f"etl-{FIRST}-00000003", flow_run_id="no id")
    asked = partial(read_flow_runs, project=NAME)

    def after(days: float) -> Cleaned:
        return clean(Cleaning(shop.lake, settings, NOW + timedelta(days=days), SILENT, asked, dry_run=False))

    assert actions(after(300)) == {live: "keep", unknown: "keep", foreign: "remove"}
    prefect_client.set_flow_run_state(run.id, Completed())
    assert asked([str(run.id)]) == ENDED

    assert actions(after(300)) == {live: "remove", unknown: "remove"}


def test_without_prefect_only_merged_branches_go(
    shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, merged = shop.lake, shop.merged()
    monkeypatch.setenv("PREFECT_API_URL", f"{CLOSED}/api")
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
    refresh_global_settings_context()
    name = branch_with(lake, f"etl-{FIRST}-00000001", flow_run_id="no id")

    found = clean(
        Cleaning(
            lake, settings, NOW + timedelta(days=300), SILENT, partial(read_flow_runs, project=NAME), dry_run=False
        )
    )
    monkeypatch.undo()
    refresh_global_settings_context()

    assert actions(found) == {merged: "remove", name: "keep"}
    assert found.flow_runs_unknown
    assert "Prefect does not say" in next(one.reason for one in found.branches if one.branch == name)
    lake.delete_branch(name)


def test_raw_that_cannot_be_fetched_again_is_kept(
    shop: Shop, settings: Settings, cleaned: Callable[..., Cleaned], tmp_path: Path
) -> None:
    lake, missing = shop.lake, "2025-05-22"
    only = branch_with(lake, f"etl-{missing}-00000001", landed="{}", execution_date=missing)
    on_main = branch_with(lake, f"etl-{FIRST}-00000002", landed="{}", execution_date=FIRST)
    project = copy_project(tmp_path / "project")
    write_sources(project, {"events": {"key": ["Event ID"], "fetch": {"path": "/events", "form": "array"}}})
    of_snapshot = replace(settings, project_dir=project)

    found = clean(Cleaning(lake, of_snapshot, NOW + timedelta(days=8), SILENT, lambda ids: ENDED, dry_run=False))

    assert actions(found) == {only: "keep", on_main: "remove"}
    assert found.branches[-1].reason.endswith(f"elt backfill {missing} {missing} --from-raw")
    assert actions(cleaned(8)) == {only: "remove"}, "an API that takes a date can be asked again"


# Sandboxes.


def test_a_sandbox_goes_only_a_week_after_a_warning(
    shop: Shop, settings: Settings, cleaned: Callable[..., Cleaned]
) -> None:
    lake, state = shop.lake, settings.state_dir
    folder, branch = create(lake, state, "mine"), "sandbox-mine"
    lake.put(branch, "marts/mine/data.parquet", b"1", keys.RAW_CONTENT_TYPE)

    def removed_after() -> datetime | None:
        return next(list_sandboxes(lake, state)).removed_after

    assert actions(cleaned(29)) == {branch: "keep"}
    assert actions(cleaned(31, dry_run=True)) == {branch: "warn"}
    assert removed_after() is None, "a dry run does not warn"
    assert actions(cleaned(31)) == {branch: "warn"}
    assert removed_after() == NOW + timedelta(days=38)
    assert [one.key for one in differences(lake, "mine")] == ["_housekeeping/removal.json", "marts/mine/data.parquet"]
    assert actions(cleaned(37)) == {branch: "keep"}
    assert folder.exists()
    assert actions(cleaned(38.1, dry_run=True)) == {branch: "remove"}
    assert {*lake.branches()} == {MAIN, branch}

    assert actions(cleaned(38.1)) == {branch: "remove"}

    assert {*lake.branches()} == {MAIN}
    assert not folder.exists()
    create(lake, state, "mine")
    assert removed_after() is None
    assert actions(cleaned(60, dry_run=True)) == {branch: "warn"}, "a new sandbox of the same name was never warned of"
    drop(lake, state, "mine")


def test_a_use_ends_the_warning(shop: Shop, settings: Settings, cleaned: Callable[..., Cleaned]) -> None:
    lake, state = shop.lake, settings.state_dir
    folder, branch = create(lake, state, "mine"), "sandbox-mine"
    cleaned(31)
    used = (NOW + timedelta(days=33)).timestamp()
    (folder / "sandbox.duckdb").touch()
    os.utime(folder / "sandbox.duckdb", (used, used))

    assert actions(cleaned(40)) == {branch: "keep"}
    assert next(list_sandboxes(lake, state)).removed_after is None
    assert actions(cleaned(64)) == {branch: "warn"}
    drop(lake, state, "mine")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"warned_at": "yesterday"}', b'{"warned_at": "2000-01-01"}'])
def test_a_warning_that_cannot_be_read_does_not_count(
    shop: Shop, settings: Settings, cleaned: Callable[..., Cleaned], content: bytes
) -> None:
    create(shop.lake, settings.state_dir, "mine")
    shop.lake.put("sandbox-mine", "_housekeeping/removal.json", content, keys.JSON_CONTENT_TYPE)

    assert actions(cleaned(300, dry_run=True)) == {"sandbox-mine": "warn"}
    drop(shop.lake, settings.state_dir, "mine")


# Reports and local files.


def test_old_reports_go_and_the_latest_stays(shop: Shop, cleaned: Callable[..., Cleaned]) -> None:
    lake = shop.lake
    lake.create_branch(REPORTS, lake.head(MAIN))
    for days in (120, 100, 50, 2):
        lake.put(REPORTS, KEY, f"<html>{days}".encode(), "text/html")
        made = lakefs_sdk.CommitCreation(
            message=f"report of {days}",
            metadata={"profiled_commit": str(days)},
            var_date=int((NOW - timedelta(days=days)).timestamp()),
        )
        lakefs_sdk.CommitsApi(lake.connection.sdk).commit(lake.repository, REPORTS, made)
    before = lake.head(REPORTS)

    assert cleaned(0, dry_run=True).old_reports == 2
    assert lake.head(REPORTS) == before
    assert cleaned(0).old_reports == 2

    assert [commit.message for commit in lake.log(REPORTS)][:3] == [
        "report of 2",
        "report of 50",
        lake.commit_of(MAIN).message,
    ]
    assert lake.read(REPORTS, KEY) == b"<html>2"
    assert lake.commit_of(REPORTS).metadata == {"profiled_commit": "2"}
    assert {*lake.branches()} == {MAIN, REPORTS}
    assert cleaned(0).old_reports == 0
    assert cleaned(300).old_reports == 1
    assert lake.read(REPORTS, KEY) == b"<html>2"
    store_report(lake, "<html>new", lake.head(MAIN), {})
    assert cleaned(0).old_reports == 0, "a report may be in progress"
    lake.delete_branch(REPORTS)


def test_local_files_of_dead_runs_go(settings: Settings, cleaned: Callable[..., Cleaned]) -> None:
    state = settings.state_dir
    left = state / WORK_FOLDER / "1-2025-05-20-x"
    left.mkdir(parents=True)
    (left / "page.json").write_bytes(b"12345")
    (state / "dbt").mkdir()
    old, of_old, latest, of_latest, of_sandbox, unfinished = (
        state / "dbt" / f"manifest-{name}"
        for name in ("run-1.msgpack", "run-1.json", "run-2.msgpack", "run-2.json", "sandbox-1.msgpack", "run-3.1")
    )
    attempt = state / "worker" / "tmp" / "prefect-workspace-attempt-1"
    attempt.mkdir(parents=True)
    journal = state / "backfill" / "0123.txt"
    journal.parent.mkdir()
    files = {
        **{old: 40, of_old: 40, latest: 30, of_latest: 30, of_sandbox: 30, unfinished: 30},
        **{journal: 8, attempt / "flow.py": 8, attempt: 8},
    }
    for path, days in files.items():
        if path != attempt:
            path.write_bytes(b"1")
        at = (NOW - timedelta(days=days)).timestamp()
        os.utime(path, (at, at))
    (state / "worker" / "tmp" / "new").touch()
    (state / "logs").mkdir()

    with work_directory(state, "2025-05-21") as used:
        left.mkdir(exist_ok=True)
        (left / "page.json").write_bytes(b"12345")
        shown = {found.path: found.bytes for found in cleaned(0, dry_run=True).files}
        assert shown == {left: 5, old: 1, of_old: 1, unfinished: 1, attempt: 1, journal: 1}
        assert left.exists()
        cleaned(0)
        assert used.exists()

    assert not any(path.exists() for path in shown)
    assert all(
        path.exists() for path in (latest, of_latest, of_sandbox, state / "worker" / "tmp" / "new", state / "logs")
    )
    assert cleaned(0).files == ()


@pytest.mark.parametrize(("name", "days"), [("older_than", 0), ("older_than", 10**9), ("unused", -1)])
def test_an_impossible_age_is_refused(shop: Shop, settings: Settings, name: str, days: int) -> None:
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} {days} is not a number of days"):
        Cleaning(shop.lake, settings, NOW, SILENT, lambda ids: ENDED, **{name: days})  # type: ignore[arg-type]
