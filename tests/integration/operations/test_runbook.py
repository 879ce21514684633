"""Each entry of docs/runbook.md: it is provoked with real parts, seen as it says, and its commands make all well."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import lakefs_sdk
import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import State
from prefect.events.actions import ChangeFlowRunState
from prefect.states import Scheduled
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from examples.events_api import Options, accounting, create_app, serving
from orchestration.audit import Candidate, audit
from orchestration.context import DateRun
from orchestration.dbt_runner.results import BuildResult
from orchestration.errors import IngestCleanError, LakeRefused
from orchestration.extract import Extracted
from orchestration.flows.crashed import automation_name, ensure_automation
from orchestration.flows.own import INGEST
from orchestration.flows.secrets import source_block
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.connection import LakeConnection
from orchestration.lake.gate import gate_file
from orchestration.lake.setup import init_lake, set_protection_rules
from orchestration.land import Landed
from orchestration.log import SILENT
from orchestration.models.generate import write_models
from orchestration.operations.audit import audit_main
from orchestration.plan import Plan
from orchestration.project import own_name, tag_of
from orchestration.publish import RunResult, publish
from orchestration.run import ATTEMPTS, DateSteps, run_date
from orchestration.settings import PROJECT_DIR, read_settings
from tests.helpers.disks import has_disks, on_a_disk
from tests.helpers.elt_runs import CLOSED, LIMIT, endless, eventually
from tests.helpers.gate_branches import merge
from tests.helpers.gate_versions import version_with_gate
from tests.helpers.nightly import ByDate
from tests.helpers.own_lake import elt, repository_of, variables_of
from tests.helpers.pipeline import KILLED, Pipeline, require_whole
from tests.helpers.projects import MACROS, NAME, copy_project, request_for, settings_of
from tests.helpers.runbook import Operator, entries, entry, message_of, run_without_prefect
from tests.helpers.tables import SOURCES, edit_yaml

ROWS = 100
TOKEN = "expires-tonight"
_dates = (str(date(2024, 1, 1) + timedelta(days=10 * number)) for number in count())


@dataclass(frozen=True)
class Night:
    """What the entries share: a lake, a project, and an API that behaves otherwise on some dates."""

    lake: Lake
    project: Path
    shop: ByDate
    url: str

    @property
    def environment(self) -> dict[str, str]:
        access = self.lake.connection.access
        return {
            "ELT_REPOSITORY": self.lake.repository,
            "ELT_RETRIES": "0",
            **variables_of(access),
            "SHOP_API_URL": self.url,
        }

    def publish(self, execution_date: str, steps: DateSteps | None = None, **options: Any) -> None:
        """Runs a date without Prefect, with an API of its own where options are given."""
        with self.other_api(execution_date, **options):
            run_date(request_for(self.lake, read_settings(), execution_date), steps or DateSteps())

    def sends(self, execution_date: str, app: ASGIApp | None = None, **options: Any) -> None:
        """Lets the API behave otherwise on a date."""
        self.shop.dates[execution_date] = app or create_app(Options(**{"rows": ROWS, **options}))

    def recovers(self, execution_date: str) -> None:
        """Lets the API behave as usual on a date."""
        self.shop.dates.pop(execution_date, None)

    @contextmanager
    def other_api(self, execution_date: str, **options: Any) -> Iterator[None]:
        """Lets the API behave otherwise on a date, for a while."""
        if options:
            self.sends(execution_date, **options)
        yield
        if options:
            self.recovers(execution_date)

    def fails(self, execution_date: str, steps: DateSteps) -> str:
        """Runs a date with other steps, and returns the message of its failure."""
        with pytest.raises(IngestCleanError) as error:
            self.publish(execution_date, steps)
        return message_of(error.value)

    def is_well(self, *dates: str) -> bool:
        """Returns whether the dates are on `main`, and nothing is wrong with all of it."""
        assert audit_main(self.lake).findings == ()
        return all(require_whole(self.lake, execution_date) for execution_date in dates)


@pytest.fixture(scope="module")
def night(open_repository: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    lake = open_repository("runbook")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    project = copy_project(tmp_path_factory.mktemp("project"))
    shutil.copy(PROJECT_DIR / "prefect.yaml", project)
    shop = ByDate({}, create_app(Options(rows=ROWS)))
    with serving(shop) as url:
        yield Night(lake, project, shop, url)


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with another rule for prices."""
    project = copy_project(tmp_path_factory.mktemp("changed"))
    rule = project / MACROS / "rows/to_double.sql"
    rule.write_text(rule.read_text().replace("as double)", "as double) * 100", 1))
    return project


@pytest.fixture(autouse=True)
def _setting(request: pytest.FixtureRequest, night: Night, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of the operator. Prefect is down, unless the test uses it."""
    opened: list[LakeConnection] = []
    open_connection = LakeConnection.__init__

    def remember(connection: LakeConnection, *arguments: Any, **named: Any) -> None:
        opened.append(connection)
        open_connection(connection, *arguments, **named)

    # A command leaves its connections to the end of its process.
    monkeypatch.setattr(LakeConnection, "__init__", remember)
    monkeypatch.chdir(night.project)
    if "prefect_client" not in request.fixturenames:
        monkeypatch.setenv("PREFECT_API_URL", f"{CLOSED}/api")
        monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
        run_without_prefect(monkeypatch)
    settings_of(monkeypatch, night.project, **night.environment)
    yield
    for connection in opened:
        connection.close()


@pytest.fixture
def operator(request: pytest.FixtureRequest, night: Night) -> Operator:
    return Operator(entries()[request.function.entry], night.project)


@pytest.fixture
def execution_date() -> str:
    """A date that no other test of the module uses, nor the days after it."""
    return next(_dates)


@pytest.fixture
def deployment(prefect_client: SyncPrefectClient) -> Iterator[UUID]:
    """The nightly deployment without a schedule, in a pool that no worker serves."""
    pool = prefect_client.create_work_pool(WorkPoolCreate(name=f"unserved-{uuid4().hex[:8]}", type="process"))
    flow = prefect_client.create_flow_from_name("ingest-clean")
    yield prefect_client.create_deployment(
        flow, "daily-ingest", work_pool_name=pool.name, entrypoint=INGEST, tags=[tag_of(NAME)]
    )
    for found in prefect_client.read_deployments():
        prefect_client.delete_deployment(found.id)
    prefect_client.delete_work_pool(pool.name)


@pytest.fixture
def token_block(prefect_client: SyncPrefectClient) -> Iterator[str]:
    """The Secret block of the shop's token, which the test writes."""
    name = own_name(NAME, source_block("shop", "token"))
    yield name
    prefect_client.delete_block_document(prefect_client.read_block_document_by_name(name, "secret").id)


@pytest.fixture
def env_file(night: Night) -> Iterator[Path]:
    """The `.env` of the project, which the test writes."""
    file = night.project / ".env"
    yield file
    file.unlink()


def days_after(execution_date: str, *ages: int) -> list[str]:
    return [str(date.fromisoformat(execution_date) + timedelta(days=age)) for age in ages]


def kept_branch(shown: str) -> str:
    return shown.split("kept: branch ")[1].split()[0]


# A date failed.


@entry("DataFailed: a test failed")
def test_a_failed_test(night: Night, operator: Operator, execution_date: str) -> None:
    night.sends(execution_date, fault="bad-day", rows=200)
    shown = operator.types(f"elt run {execution_date}", code=3)
    branch = kept_branch(shown)
    operator.sees(shown, DATE=execution_date, BRANCH=branch)

    done = operator.does({"elt run": lambda: night.recovers(execution_date)}, DATE=execution_date, BRANCH=branch)

    assert "price_not_numeric" in done[0]
    assert night.is_well(execution_date)


@entry("DataFailed: the list is empty or cut")
def test_a_list_that_is_empty_or_cut(night: Night, operator: Operator, execution_date: str) -> None:
    night.publish(execution_date)
    night.sends(execution_date, rows=20)
    shown = operator.types(f"elt run {execution_date}", code=3)
    night.sends(execution_date, fault="empty-day")
    operator.sees(shown + operator.types(f"elt run {execution_date}", code=3))
    assert night.is_well(execution_date)

    *_, whole, forced = operator.does(
        {
            "elt source check": lambda: night.sends(execution_date, rows=20),
            "elt run": lambda: night.recovers(execution_date),
            "elt run DATE --force": lambda: night.sends(execution_date, rows=20),
        },
        DATE=execution_date,
    )

    assert ("unchanged" in whole, "superseded" in forced) == (True, True)
    assert night.is_well(execution_date)


@entry("SourceFailed: the API does not answer")
def test_an_api_that_does_not_answer(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_API_URL", CLOSED)
    operator.sees(operator.types(f"elt run {execution_date}", code=4))

    operator.does(
        {"elt run": lambda: monkeypatch.setenv("SHOP_API_URL", night.url)},
        codes={"elt source check": (4,)},
        DATE=execution_date,
    )

    assert night.is_well(execution_date)


@entry("SourceFailed: the API refuses the token")
@pytest.mark.usefixtures("token_block")
def test_a_token_that_is_refused(night: Night, operator: Operator, execution_date: str) -> None:
    night.sends(execution_date, token=TOKEN)
    operator.sees(operator.types(f"elt run {execution_date}", code=4))

    operator.does(typed={"elt secrets set": TOKEN}, DATE=execution_date)

    assert night.is_well(execution_date)


@entry("PlatformFailed: lakeFS does not answer")
def test_a_lakefs_that_does_not_answer(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEFS_ENDPOINT", CLOSED)
    operator.sees(operator.types(f"elt run {execution_date}", code=5))

    operator.does(
        {"docker compose up": lambda: monkeypatch.setenv("LAKEFS_ENDPOINT", night.lake.connection.access.endpoint)},
        codes={"elt check": (5,)},
        DATE=execution_date,
    )

    assert night.is_well(execution_date)


@entry("PlatformFailed: the disk is full")
@pytest.mark.skipif(not has_disks(), reason="this kernel allows no mounts")
@pytest.mark.usefixtures("prefect_client")
def test_a_full_disk(night: Night, operator: Operator, execution_date: str, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    night.sends(execution_date, rows=2_000)
    command = ("run", execution_date)
    environment = {**os.environ, "ELT_STATE_DIR": str(disk)}
    with elt(*command, folder=night.project, environment=environment, within=on_a_disk(disk, "256k")) as running:
        _, shown = running.communicate(timeout=LIMIT)
    assert running.returncode == 5, shown
    operator.sees(shown)

    operator.does(DATE=execution_date)

    assert night.is_well(execution_date)


@entry("PlatformFailed: the gate or the protection is missing")
def test_a_missing_gate_or_protection(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with version_with_gate(gate_file() + b"# of another version\n"):
        shown = operator.types(f"elt run {execution_date}", code=5)
    set_protection_rules(night.lake, [])
    operator.sees(shown + operator.types(f"elt run {execution_date}", code=5))

    operator.does(DATE=execution_date)

    assert night.is_well(execution_date)


@entry("PlatformFailed: uncommitted writes on main")
def test_uncommitted_writes_on_main(night: Night, operator: Operator, execution_date: str) -> None:
    set_protection_rules(night.lake, [])
    assert eventually(lambda: is_written(night.lake))
    set_protection_rules(night.lake, [MAIN])
    operator.sees(operator.types(f"elt run {execution_date}", code=5))

    operator.does(DATE=execution_date)

    assert night.is_well(execution_date)


def is_written(lake: Lake) -> bool:
    """Returns whether `main` takes a write; lakeFS applies a changed protection after some seconds."""
    try:
        lake.put(MAIN, "stray.txt", b"x", keys.RAW_CONTENT_TYPE)
    except LakeRefused:
        return False
    return True


@entry("GateRefused")
def test_a_refusal_of_the_gate(night: Night, operator: Operator, execution_date: str) -> None:
    def add(run: DateRun, plan: Plan, extracted: Extracted, landed: Landed, built: BuildResult) -> Candidate:
        key = f"curated/events/date={execution_date}/stray.parquet"
        night.lake.put(landed.branch, key, b"stray", keys.RAW_CONTENT_TYPE)
        return audit(run, plan, extracted, landed, built)

    operator.sees(night.fails(execution_date, DateSteps(audit=add)), DATE=execution_date)

    operator.does(DATE=execution_date)

    assert night.is_well(execution_date)


@entry("Conflict")
def test_a_conflict(night: Night, operator: Operator, execution_date: str) -> None:
    rows = count(ROWS + 1)

    def lose(run: DateRun, candidate: Candidate) -> RunResult:
        night.publish(execution_date, rows=next(rows))
        return publish(run, candidate)

    operator.sees(night.fails(execution_date, DateSteps(publish=lose)))
    assert next(rows) == ROWS + 1 + ATTEMPTS

    versions, done = operator.does(DATE=execution_date)

    assert versions.count("superseded") == ATTEMPTS - 1
    assert "superseded" in done
    assert night.is_well(execution_date)


@entry("TimedOut")
def test_a_run_that_timed_out(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.sends(execution_date, endless)
    monkeypatch.setenv("ELT_RUN_TIMEOUT", "2")
    operator.sees(operator.types(f"elt run {execution_date}", code=7))
    monkeypatch.delenv("ELT_RUN_TIMEOUT")

    operator.does({"elt source check": lambda: night.recovers(execution_date)}, DATE=execution_date)

    assert night.is_well(execution_date)


@entry("Crashed: the process was killed")
def test_a_killed_process(
    night: Night, operator: Operator, execution_date: str, prefect_client: SyncPrefectClient
) -> None:
    ended = Pipeline(os.environ).run(execution_date, DateSteps(publish=die))
    assert ended.outcome == KILLED
    # test_crashed_runs waits until the server carries it out.
    ensure_automation(prefect_client, "runbook", {"ingest-clean"})
    (automation,) = prefect_client.read_automations_by_name(automation_name("runbook"))
    prefect_client.delete_automation(automation.id)
    (action,) = automation.actions
    assert isinstance(action, ChangeFlowRunState)
    operator.sees(f"{action.state.value.capitalize()}: {action.message}")

    operator.does(codes={"elt check": (5,)}, DATE=execution_date)

    assert list(night.lake.branches(f"etl-{execution_date}-")) != []
    assert night.is_well(execution_date)


def die(run: DateRun, candidate: Candidate) -> RunResult:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError(run, candidate)


# Nothing arrived.


def published_in_the_end(operator: Operator, execution_date: str, **further: Any) -> None:
    """Does what an entry says that begins and ends with `elt check`."""
    done = operator.does(codes={"elt check": (5, 0)}, DATE=execution_date, **further)
    assert "Published" in done[-1]


@entry("No worker runs")
def test_no_worker(
    night: Night, operator: Operator, execution_date: str, prefect_client: SyncPrefectClient, deployment: UUID
) -> None:
    night_start = datetime.fromisoformat(execution_date).replace(tzinfo=UTC) + timedelta(days=1, hours=3)
    waiting: State[Any] = Scheduled(scheduled_time=night_start)
    prefect_client.create_flow_run_from_deployment(deployment, state=waiting)
    operator.sees(operator.types(f"elt check {execution_date}", code=5))

    published_in_the_end(operator, execution_date)

    assert night.is_well(execution_date)


@entry("The schedule is paused")
def test_a_paused_schedule(
    night: Night, operator: Operator, execution_date: str, prefect_client: SyncPrefectClient, deployment: UUID
) -> None:
    operator.sees(operator.types(f"elt check {execution_date}", code=5))

    published_in_the_end(operator, execution_date)

    assert [schedule.active for schedule in prefect_client.read_deployment(deployment).schedules] == [True]
    assert night.is_well(execution_date)


@entry("Prefect is down")
def test_a_prefect_that_is_down(
    night: Night,
    operator: Operator,
    execution_date: str,
    prefect_client: SyncPrefectClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = str(prefect_client.api_url)
    monkeypatch.setenv("PREFECT_API_URL", f"{CLOSED}/api")
    monkeypatch.setenv("PREFECT_CLIENT_MAX_RETRIES", "0")
    operator.sees(operator.types(f"elt check {execution_date}", code=5), DATE=execution_date)

    published_in_the_end(
        operator, execution_date, before={"docker compose up": lambda: monkeypatch.setenv("PREFECT_API_URL", url)}
    )

    assert night.is_well(execution_date)


@entry("Several nights are missing")
def test_several_missing_nights(night: Night, operator: Operator, execution_date: str) -> None:
    first, last, tonight = days_after(execution_date, 1, 2, 3)
    for published in (execution_date, tonight):
        night.publish(published)
    operator.sees(operator.types(f"elt check {tonight}"))

    planned, _ = operator.does(FROM=first, TO=last)

    assert "2 dates" in planned
    assert night.is_well(first, last)
    assert first not in operator.types(f"elt check {tonight}")


# The data is wrong.


@entry("Wrong data was published")
def test_wrong_data(night: Night, operator: Operator, execution_date: str) -> None:
    night.publish(execution_date)
    night.publish(execution_date, rows=120)
    operator.sees(operator.types(f"elt show {execution_date}"), DATE=execution_date)

    done = operator.does({"elt run": lambda: night.sends(execution_date, rows=130)}, DATE=execution_date)

    versions = json.loads(operator.types(f"elt show {execution_date} --json").partition("\n")[2])["versions"]
    assert [one["outcome"] for one in versions] == ["superseded", "rolled back", "superseded", "published"]
    assert versions[0]["rows"]["events"] == accounting(130).curated
    assert versions[1]["reason"] == "wrong prices"
    assert "nothing is changed" in done[1]
    assert "stale" not in operator.types("elt status")
    assert night.is_well(execution_date)


@entry("The models were wrong")
def test_wrong_models(
    night: Night, operator: Operator, execution_date: str, changed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = days_after(execution_date, 0, 1)
    for published in (first, last):
        night.publish(published)
    settings_of(monkeypatch, changed, SHOP_API_URL=CLOSED)
    planned = operator.types(f"elt backfill {first} {last} --from-raw --plan")
    operator.sees(planned, FROM=first, TO=last)

    *_, verified = operator.does(FROM=first, TO=last)

    assert "1 identical" in verified
    assert night.is_well(first, last)


@entry("Good rows were rejected")
def test_good_rows_that_were_rejected(
    night: Night,
    operator: Operator,
    execution_date: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    night.sends(execution_date, with_half_a_unit(create_app(Options(rows=400))))
    night.publish(execution_date)
    operator.sees(operator.types(f"elt rejects {execution_date}"), DATE=execution_date)
    loosened = copy_project(tmp_path_factory.mktemp("loosened"))
    edit_yaml(loosened / SOURCES, _accept_halves)
    write_models(loosened)

    _, exported, rebuilt, left = operator.does(
        {"elt backfill": lambda: settings_of(monkeypatch, loosened, SHOP_API_URL=CLOSED)}, DATE=execution_date
    )

    assert "3 rejected rows" in exported
    assert "1 rows came back" in rebuilt
    assert ("quantity_not_integer" in left, "event_id_missing" in left) == (False, True)
    assert night.is_well(execution_date)


def with_half_a_unit(app: ASGIApp) -> ASGIApp:
    """Returns an API whose first event has half a unit."""

    async def altered(scope: Scope, receive: Receive, send: Send) -> None:
        async def alter(message: Message) -> None:
            if "headers" in message:
                headers = [(name, value) for name, value in message["headers"] if name != b"content-length"]
                message = {**message, "headers": headers}
            if "body" in message:
                message = {**message, "body": re.sub(first, rb"\g<1>0.5", message["body"])}
            await send(message)

        # The first event of the response is at its beginning.
        first = rb'(?s)(\A\[?\s*\{[^}]*?"Quantity": ?)-?\d+'
        await app(scope, receive, alter)

    return altered


def _accept_halves(content: dict[str, Any]) -> None:
    for column in content["sources"][0]["tables"][0]["columns"]:
        if column["name"] == "Quantity":
            column["data_type"] = "double"


@entry("The marts are stale")
def test_stale_marts(night: Night, operator: Operator, execution_date: str) -> None:
    night.publish(execution_date)
    operator.types("elt marts")
    night.publish(execution_date, rows=110)
    operator.sees(operator.types("elt status"))

    _, status = operator.does()

    assert "stale" not in status
    assert night.is_well(execution_date)


@entry("The audit finds something")
def test_a_finding_of_the_audit(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with repository_of(night.lake.connection.access, "runbook-audit") as lake:
        monkeypatch.setenv("ELT_REPOSITORY", lake.repository)
        operator.types(f"elt run {execution_date}")
        # lakeFS runs no hook for a branch without the gate.
        merge(
            lake,
            {
                keys.GATE: None,
                keys.raw_page("shop", "events", execution_date, 1): b"[]",
                keys.curated("events", execution_date): None,
                f"raw/shop/events/date={execution_date}/extra.json": b"[]",
            },
        )
        operator.sees(operator.types("elt audit", code=5))

        *_, audited = operator.does(codes={"elt audit": (5,)}, DATE=execution_date)

        assert "was merged into main without a completed run of the gate" in audited
        assert audited.rstrip().endswith(": 1 findings")
        assert require_whole(lake, execution_date)


@entry("A date is not built identically")
def test_a_date_that_is_built_otherwise(
    night: Night, operator: Operator, execution_date: str, changed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.publish(execution_date)
    settings_of(monkeypatch, changed)
    operator.sees(operator.types(f"elt verify {execution_date}", code=3), DATE=execution_date)

    *_, verified = operator.does(codes={"elt verify": (3, 0)}, DATE=execution_date)

    assert "1 identical" in verified
    assert night.is_well(execution_date)


# Operations.


@entry("A backfill stopped, or some of its dates failed")
def test_a_backfill_that_failed(night: Night, operator: Operator, execution_date: str) -> None:
    first, bad = days_after(execution_date, 0, 1)
    night.sends(bad, fault="empty-day")
    operator.sees(operator.types(f"elt backfill {first} {bad} --yes", code=3), DATE=bad)

    planned, _ = operator.does({"elt backfill": lambda: night.recovers(bad)}, FROM=first, TO=bad)

    assert "1 date" in planned
    assert night.is_well(first, bad)


@entry("The object store fills up")
@pytest.mark.usefixtures("prefect_client")
def test_a_store_that_fills_up(night: Night, operator: Operator, execution_date: str) -> None:
    night.publish(execution_date)
    night.publish(execution_date, rows=150)
    long_ago = int((datetime.now(UTC) - timedelta(days=60)).timestamp())
    dead = f"etl-{execution_date}-00000001"
    night.lake.create_branch(dead, night.lake.head(MAIN))
    night.lake.put(dead, "marts/mine/data.parquet", b"x", keys.RAW_CONTENT_TYPE)
    old = lakefs_sdk.CommitCreation(message="raw", var_date=long_ago, metadata={"flow_run_id": str(uuid4())})
    lakefs_sdk.CommitsApi(night.lake.connection.sdk).commit(night.lake.repository, dead, old)
    operator.sees(operator.types("elt clean"))

    planned, _ = operator.does()

    assert dead in planned
    assert dead not in night.lake.branches()
    assert night.is_well(execution_date)


@entry("A secret is wrong, or others can read .env")
def test_wrong_and_readable_secrets(
    night: Night, operator: Operator, env_file: Path, token_block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("LAKEFS_SECRET_KEY=one-that-everybody-has\n")
    env_file.chmod(0o644)
    monkeypatch.delenv("LAKEFS_SECRET_KEY")
    operator.sees(operator.types("elt doctor", code=5))

    def correct() -> None:
        env_file.write_text(f"LAKEFS_SECRET_KEY={night.environment['LAKEFS_SECRET_KEY']}\n")

    # Nothing is deployed here, and no worker runs.
    before, *_, after = operator.does({"chmod": correct}, codes={"elt doctor": (5,)}, typed={"elt secrets set": TOKEN})

    assert "chmod 600" in before
    assert "chmod 600" not in after
    assert f"from the Secret block {token_block}" in after


@entry("lakeFS was restored from a backup")
@pytest.mark.usefixtures("deployment")
def test_a_restored_lakefs(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = days_after(execution_date, 0, 1)
    # tests/stack/test_backup.py restores a real backup. What the operator finds is the same.
    with repository_of(night.lake.connection.access, "runbook-restored") as lake:
        monkeypatch.setenv("ELT_REPOSITORY", lake.repository)
        operator.types(f"elt run {first}")
        backup = lake.head(MAIN)
        operator.types(f"elt run {last}")
        set_protection_rules(lake, [])
        assert eventually(lambda: reset(lake, backup))
        set_protection_rules(lake, [MAIN])
        operator.sees(operator.types(f"elt check {last}", code=5), DATE=last)

        init, audited, log, *_ = operator.does(FROM=last, TO=last, DATE=last)

        assert "gate unchanged" in init
        assert "nothing is wrong" in audited
        assert (first in log, last in log) == (True, False)


def reset(lake: Lake, commit: str) -> bool:
    """Puts `main` back to a commit without a trace; returns whether lakeFS has noticed that it is not protected."""
    api = lakefs_sdk.ExperimentalApi(lake.connection.sdk)
    try:
        lake.connection.call("reset", api.hard_reset_branch, lake.repository, MAIN, commit)
    except LakeRefused:
        return False
    return True
