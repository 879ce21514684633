"""The flow as Prefect shows it: the outcome of each run, its steps and its messages."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import httpx
import pytest
from prefect.context import refresh_global_settings_context

from examples.events_api import accounting
from orchestration.context import code_version
from orchestration.flows.marts import marts
from orchestration.flows.report import eda_report
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.history import publications
from orchestration.lake.keys import LINK
from orchestration.lake.receipt import read_receipt
from orchestration.servers.background import LocalServer
from orchestration.settings import PROJECT_DIR
from orchestration.text import indented
from tests.helpers.elt_runs import CLOSED, Runs, Shown, prefect_environment, step_of
from tests.helpers.pipeline import require_whole
from tests.helpers.projects import keys_of
from tests.helpers.secret_search import files_below, forms, leaks, objects_and_commits

STEPS = ("extract", "land", "transform", "audit", "publish")


def steps_of(task_runs: dict[str, str]) -> dict[str, str]:
    """Returns the states of the steps."""
    return {step: state for name, state in task_runs.items() if (step := step_of(name))}


def nodes_of(task_runs: dict[str, str]) -> dict[str, str]:
    """Returns the states of dbt's nodes, whose task runs are named `model …` and `test …`."""
    return {name: state for name, state in task_runs.items() if not step_of(name)}


def test_a_daily_run_is_shown_step_by_step_and_node_by_node(runs: Runs, shown: Shown, lake: Lake) -> None:
    ended = runs["daily"]

    flow_run = shown.flow_runs(ended.name)[0]
    task_runs = shown.task_runs(flow_run, STEPS[-1])
    receipt = read_receipt(lake, MAIN, keys.date_receipt(ended.date))
    assert (ended.code, ended.report["outcome"]) == (0, "published")
    assert ended.report["rows"]["events"] == accounting(1_000).curated
    assert (flow_run["state"]["type"], flow_run["state"]["name"]) == ("COMPLETED", "Published")
    assert flow_run["state"]["message"].startswith(f"{ended.date} published: events ")
    assert steps_of(task_runs) == dict.fromkeys(STEPS, "COMPLETED Completed")
    assert receipt is not None
    models = {
        path.stem
        for part in ("staging", "intermediate", "curated")
        for path in (PROJECT_DIR / "models" / part).rglob("*.sql")
    }
    nodes = {f"model {name}" for name in models} | {f"test {name}" for name in receipt.content["tests"]}
    assert nodes_of(task_runs) == dict.fromkeys(nodes, "COMPLETED Completed")
    assert list(lake.branches(f"etl-{ended.date}-")) == []


def test_a_daily_run_lists_its_nodes_in_an_artifact_by_default(runs: Runs, shown: Shown, lake: Lake) -> None:
    ended = runs["by default"]

    (flow_run,) = shown.flow_runs(ended.name)
    task_runs = shown.task_runs(flow_run, STEPS[-1])
    receipt = read_receipt(lake, MAIN, keys.date_receipt(ended.date))
    listed = [
        json.loads(artifact["data"])
        for artifact in shown.all("artifacts", flow_runs={"id": {"any_": [flow_run["id"]]}})
        if artifact["type"] == "table"
    ]
    assert (ended.code, flow_run["state"]["name"]) == (0, "Published")
    assert steps_of(task_runs) == dict.fromkeys(STEPS, "COMPLETED Completed")
    assert nodes_of(task_runs) == {}
    assert receipt is not None
    assert {row["node"] for table in listed for row in table} >= set(receipt.content["tests"])


def test_a_run_with_task_runs_uses_the_saved_manifest(runs: Runs) -> None:
    """By default, prefect-dbt lets dbt parse the project again, which writes another file."""
    assert runs["daily"].code == 0

    written = {path.name for path in runs.folder.rglob("work/*/dbt/target/*")}

    assert "compiled" in written
    assert "partial_parse.msgpack" not in written


def test_the_merge_links_to_its_flow_run_and_code(runs: Runs, shown: Shown, lake: Lake) -> None:
    ended = runs["daily"]

    flow_run = shown.flow_runs(ended.name)[0]
    merge = lake.commit_of(ended.report["commit"])
    (publication,) = (entry for entry in runs.elt("log")["publications"] if entry["execution_date"] == ended.date)
    assert merge.metadata["flow_run_id"] == flow_run["id"]
    assert merge.metadata["code_version"].removesuffix("-dirty") == code_version(PROJECT_DIR).removesuffix("-dirty")
    assert merge.metadata[LINK].endswith(f"/runs/flow-run/{flow_run['id']}")
    assert httpx.get(merge.metadata[LINK], headers={"Accept": "text/html"}, trust_env=False).status_code == 200
    assert (publication["commit"], publication["link"]) == (merge.id, merge.metadata[LINK])
    assert publication["code_version"] == merge.metadata["code_version"]


def test_the_same_date_again_is_unchanged(runs: Runs, shown: Shown, lake: Lake) -> None:
    ended = runs["again"]

    flow_run = shown.flow_runs(ended.name)[1]
    assert (ended.code, ended.report["outcome"]) == (0, "unchanged")
    assert (flow_run["state"]["type"], flow_run["state"]["name"]) == ("COMPLETED", "Unchanged")
    assert steps_of(shown.task_runs(flow_run, "extract")) == {"extract": "COMPLETED Completed"}
    assert [entry.commit for entry in publications(lake) if entry.execution_date == ended.date] == [
        runs["daily"].report["commit"]
    ]


def test_a_backfill_shows_no_nodes(runs: Runs, shown: Shown) -> None:
    ended = runs["backfill"]

    (flow_run,) = shown.flow_runs(ended.name)
    task_runs = shown.task_runs(flow_run, STEPS[-1])
    assert (ended.code, flow_run["state"]["name"]) == (0, "Published")
    assert steps_of(task_runs) == dict.fromkeys(STEPS, "COMPLETED Completed")
    assert nodes_of(task_runs) == {}


def test_a_bad_day_is_data_failed_and_shows_the_failed_node(runs: Runs, shown: Shown, lake: Lake) -> None:
    ended = runs["bad day"]

    (flow_run,) = shown.flow_runs(ended.name)
    task_runs = shown.task_runs(flow_run, "transform")
    (kept,) = lake.branches(f"etl-{ended.date}-")
    message = flow_run["state"]["message"]
    assert (ended.code, ended.report["outcome"]) == (3, "DataFailed")
    assert (flow_run["state"]["type"], flow_run["state"]["name"]) == ("FAILED", "DataFailed")
    assert message.startswith(f"{ended.date} transform: events_reject_share_within_limit: ")
    assert message.endswith(f"main: untouched\nkept: branch {kept}\nnext: elt rejects {ended.date} --ref {kept}")
    assert message in ended.err
    assert ended.report == {
        "outcome": "DataFailed",
        "exit_code": 3,
        "subject": ended.date,
        "step": "transform",
        "cause": ended.report["cause"],
        "main": "untouched",
        "branch": kept,
        "remedy": None,
        "command": f"elt rejects {ended.date} --ref {kept}",
    }
    assert ended.report["cause"].startswith("events_reject_share_within_limit: ")
    assert indented(ended.report["cause"]) in message
    assert steps_of(task_runs)["transform"] == "FAILED DataFailed"
    failed = {name for name, state in nodes_of(task_runs).items() if state != "COMPLETED Completed"}
    assert failed == {"test events_reject_share_within_limit"}
    assert keys_of(lake, MAIN, ended.date) == {}


@pytest.mark.parametrize(
    ("name", "code", "outcome", "begins", "says"),
    [
        ("malformed", 4, "SourceFailed", "transform: raw/shop/events/date=2015-03-05/page-00001.json: ", "at byte"),
        ("stray object", 5, "GateRefused", "publish: ", "curated/events/date=2015-03-06/stray.parquet"),
        ("wrong key in DuckDB", 5, "PlatformFailed", "transform: ", "SignatureDoesNotMatch"),
    ],
)
def test_a_failure_after_landing_names_its_step_and_keeps_its_branch(
    runs: Runs, shown: Shown, lake: Lake, name: str, code: int, outcome: str, begins: str, says: str
) -> None:
    ended = runs[name]

    (flow_run,) = shown.flow_runs(ended.name)
    (kept,) = lake.branches(f"etl-{ended.date}-")
    message = flow_run["state"]["message"]
    assert (ended.code, ended.report["outcome"]) == (code, outcome)
    assert (flow_run["state"]["type"], flow_run["state"]["name"]) == ("FAILED", outcome)
    assert message.startswith(f"{ended.date} {begins}")
    assert says in message
    assert "\nmain: untouched" in message
    assert f"\nkept: branch {kept}\nnext: " in message
    assert message.endswith(f"elt run {ended.date}")
    assert message in ended.err
    assert nodes_of(shown.task_runs(flow_run, begins.partition(":")[0])) == {}
    assert keys_of(lake, MAIN, ended.date) == {}


@pytest.mark.parametrize(
    ("name", "code", "outcome", "begins", "says"),
    [
        ("shop down", 4, "SourceFailed", "extract: ", f"GET {CLOSED}/events?date=2015-03-09: "),
        ("lake down", 5, "PlatformFailed", "extract: ", f"no answer from {CLOSED}: "),
        ("other bucket", 5, "PlatformFailed", "extract: ", "is in local://lakefs/project, not in the bucket other"),
        ("wrong key", 5, "PlatformFailed", "extract: ", "check LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY"),
    ],
)
def test_a_failure_before_landing_names_its_step_and_leaves_nothing(
    runs: Runs, shown: Shown, lake: Lake, name: str, code: int, outcome: str, begins: str, says: str
) -> None:
    ended = runs[name]

    (flow_run,) = shown.flow_runs(ended.name)
    message = flow_run["state"]["message"]
    assert (ended.code, ended.report["outcome"]) == (code, outcome)
    assert (flow_run["state"]["type"], flow_run["state"]["name"]) == ("FAILED", outcome)
    assert steps_of(shown.task_runs(flow_run, "extract")) == {"extract": f"FAILED {outcome}"}
    assert message.startswith(f"{ended.date} {begins}")
    assert says in message
    assert "\nmain: untouched\nnext: " in message
    assert message.endswith(f"elt run {ended.date}")
    assert message in ended.err
    assert keys_of(lake, MAIN, ended.date) == {}
    assert list(lake.branches(f"etl-{ended.date}-")) == []


def test_an_invalid_date_fails_in_the_flow_too_and_writes_nothing(runs: Runs, shown: Shown, lake: Lake) -> None:
    ended = runs["no date"]

    (flow_run,) = shown.flow_runs(ended.name)
    assert ended.code == 2
    assert (flow_run["state"]["type"], flow_run["state"]["name"]) == ("FAILED", "UsageError")
    assert flow_run["state"]["message"].startswith("'2015-13-01' is not a date: ")
    assert shown.task_runs(flow_run, None) == {}
    assert list(lake.branches("etl-2015-13-01")) == []


def test_an_error_of_dbt_itself_is_platform_failed(runs: Runs, shown: Shown, lake: Lake) -> None:
    ended = runs["dbt refuses"]

    (flow_run,) = shown.flow_runs(ended.name)
    assert (ended.code, ended.report["outcome"]) == (5, "PlatformFailed")
    assert (flow_run["state"]["type"], flow_run["state"]["name"]) == ("FAILED", "PlatformFailed")
    assert flow_run["state"]["message"].startswith(ended.date)
    assert "Memory must have a number" in flow_run["state"]["message"]
    assert keys_of(lake, MAIN, ended.date) == {}


def test_a_run_over_its_time_limit_is_timed_out_and_leaves_nothing(runs: Runs, shown: Shown, lake: Lake) -> None:
    run = runs["endless"]

    assert run.code == 7
    assert run.report["outcome"] == "TimedOut"
    assert "TimedOut: 2015-03-14 extract: the run did not end within 20 s" in run.err
    assert "ELT_RUN_TIMEOUT" in run.err
    (flow_run,) = shown.flow_runs(run.name)
    assert (flow_run["state_type"], flow_run["state_name"]) == ("FAILED", "TimedOut")
    assert not require_whole(lake, run.date)
    assert list(lake.branches(f"etl-{run.date}")) == []
    assert not list((runs.folder / "state" / "work").glob(f"*-{run.date}-*"))


@pytest.mark.parametrize("flow", [marts, eda_report], ids=lambda flow: flow.name)
def test_marts_and_report_have_the_same_time_limit(flow: Any, prefect_server: LocalServer) -> None:
    # A lakeFS that accepts connections and never responds.
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.MonkeyPatch.context() as monkeypatch:
        environment = {
            **prefect_environment(prefect_server),
            "LAKEFS_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "LAKEFS_ACCESS_KEY": "key",
            "LAKEFS_SECRET_KEY": "secret",
            "ELT_RUN_TIMEOUT": "1",
            # Logs are sent after the test, when the server may have stopped.
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        refresh_global_settings_context()
        state = flow(return_state=True)
    refresh_global_settings_context()
    assert (state.type.value, state.name) == ("FAILED", "TimedOut")
    assert state.message.startswith(f"{flow.name}")


def test_an_unreachable_prefect_is_platform_failed(runs: Runs, lake: Lake) -> None:
    ended = runs["Prefect down"]

    assert (ended.code, ended.report["outcome"]) == (5, "PlatformFailed")
    assert f"Prefect at {CLOSED}/api: " in ended.err
    assert list(lake.branches(f"etl-{ended.date}-")) == []


def test_marts_and_report_have_their_own_flow_runs(runs: Runs, shown: Shown, lake: Lake) -> None:
    runs.all()

    made = runs.elt("marts")
    reported = runs.elt("report", made["commit"])

    # Other tests publish dates of this lake too.
    assert made["outcome"] in ("published", "superseded", "unchanged")
    by_date = {"daily_invoices", "daily_products", "daily_sales", "event_dates"}
    assert by_date | {"customer_features", "product_sales"} == made["rows"].keys()
    assert shown.flow_runs("marts")[-1]["state"]["name"] == made["outcome"].capitalize()
    assert (reported["key"], reported["branch"]) == ("reports/eda.html", "reports")
    page = lake.read(reported["commit"], reported["key"])
    assert page is not None
    assert made["commit"][:12].encode() in page
    assert shown.flow_runs("eda-report")[-1]["state"]["name"] == "Reported"


def test_no_secret_is_left_anywhere(
    runs: Runs,
    shown: Shown,
    lake: Lake,
    access: LakeAccess,
    prefect_server: LocalServer,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    ended = runs.all()
    secret, token = access.secret_key.get_secret_value(), runs.environment["SHOP_API_TOKEN"]
    sought = forms(secret, access.access_key.get_secret_value()) | forms(token)

    on_disk = files_below(runs.folder, prefect_server.data, prefect_server.log.parent)
    on_disk |= {str(log): log.read_bytes() for log in tmp_path_factory.getbasetemp().glob("elt*/logs/lakefs.log")}
    on_lake = objects_and_commits(lake, {run.date for run in ended.values()})
    printed = {
        f"{name} {stream}": getattr(run, stream).encode() for name, run in ended.items() for stream in ("out", "err")
    }
    kinds = ("flows", "flow_runs", "task_runs", "logs", "artifacts", "variables", "block_documents")
    shows = {kind: json.dumps(shown.all(kind)).encode() for kind in kinds}
    shows["events"] = json.dumps(shown.events()).encode()

    # Check that the search covered the places where a secret could be.
    assert ended["undecodable"].code != 0
    names = {Path(path).name for path in on_disk}
    assert {
        "run.json",
        "profiles.yml",
        "dbt.log",
        "prefect.db",
        "prefect.log",
        "lakefs.log",
    } <= names
    assert any(name.startswith("manifest-run-") for name in names)
    assert {Path(place).suffix for place in on_lake} >= {"", ".json", ".parquet"}
    assert all(len(body) > 2 for kind, body in shows.items() if kind in ("flow_runs", "task_runs", "logs", "events"))
    assert leaks({**on_disk, **on_lake, **printed, **shows}, sought, tmp_path) == []
