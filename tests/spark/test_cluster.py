"""Days on a Spark cluster of two workers, compared with those of DuckDB; a worker that is killed; secrets."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from examples.events_api import Options, create_app, serving
from orchestration.errors import PlatformFailed
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.run import run_date
from tests.helpers.own_lake import repository_of, variables_of
from tests.helpers.pipeline import require_whole
from tests.helpers.projects import copy_project, needs_retail, request_for, settings_of, share_manifests
from tests.helpers.secret_search import files_below, forms, leaks
from tests.spark.cluster import Cluster, ended, publish, publishing, running_cluster

DAYS = ["2010-12-01", "2010-12-02", "2010-12-05"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start a master and two workers."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def environment_of(access: LakeAccess, project: Path, repository: str, url: str) -> dict[str, str]:
    """Return the variables of a user who runs a project on a repository."""
    share_manifests(project)
    return {
        "ELT_PROJECT_DIR": str(project),
        "INGEST_CLEAN_MACROS": "",
        "ELT_REPOSITORY": repository,
        **variables_of(access),
        "SHOP_API_URL": url,
        "ELT_RETRY_WAIT": "0.1",
    }


def on(cluster: Cluster) -> dict[str, str]:
    """Return the variables that select the cluster."""
    return {"ELT_ENGINE": "spark", "SPARK_MASTER_URL": cluster.url, "ELT_SPARK_MEMORY": "900m"}


def receipt_of(lake: Lake, name: str) -> Receipt:
    receipt = read_receipt(lake, MAIN, name)
    assert receipt is not None
    return receipt


def shared_content(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt without what an engine changes: its name, its versions and the code, also in other receipts."""
    content = {name: value for name, value in receipt.content.items() if name not in ("engine", "versions", "code")}
    if receipt.key == keys.MARTS_RECEIPT:
        del content["inputs"]
    for name in ("objects", "details"):
        content[name] = {key: value for key, value in content[name].items() if not key.startswith("marts/_receipts/")}
    return content


@needs_retail
def test_retail_days_and_marts_of_a_cluster_are_those_of_duckdb(
    access: LakeAccess, cluster: Cluster, tmp_path: Path, retail_api: Any
) -> None:
    project, url = copy_project(tmp_path), retail_api(0)
    with repository_of(access, "retail-duckdb") as alone, repository_of(access, "retail-spark") as lake:
        plain = environment_of(access, project, alone.repository, url)
        spark = environment_of(access, project, lake.repository, url) | on(cluster)
        # The marts twice: of all dates, and of one more date than before.
        order = [*DAYS[:-1], "marts", DAYS[-1], "marts"]

        assert [one["outcome"] for one in publish(order, plain)][-1] == "superseded"
        published = publish(order, spark)

        assert [one["outcome"] for one in published] == ["published"] * 4 + ["superseded"], published
        for name in (*map(keys.date_receipt, DAYS), keys.MARTS_RECEIPT):
            expected, found = receipt_of(alone, name), receipt_of(lake, name)
            # Checksums of all files are in it.
            assert shared_content(found) == shared_content(expected)
            assert (found.engine, expected.engine) == ("spark", "duckdb")
    assert len(cluster.status()["completedapps"]) >= len(order)


def test_a_date_whose_worker_is_killed_is_published_whole_or_not_at_all(access: LakeAccess, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    logs = tmp_path / "cluster"
    logs.mkdir()
    with (
        repository_of(access, "killed-worker") as lake,
        serving(create_app(Options(rows=20_000))) as url,
        running_cluster(logs) as cluster,
    ):
        environment = environment_of(access, project, lake.repository, url) | on(cluster)
        with publishing(["2025-05-20"], environment) as running:
            killed = _kill_a_worker_with_rows(cluster, running.pid)
            (first,) = ended(running)

        whole = require_whole(lake, "2025-05-20")
        assert killed
        assert whole == (first["outcome"] == "published"), first
        # One worker is left, which has to do.
        (again,) = publish(["2025-05-20"], environment)
        assert again["outcome"] in ("published", "unchanged"), again
        assert require_whole(lake, "2025-05-20")


def _kill_a_worker_with_rows(cluster: Cluster, driver: int) -> bool:
    """Kill the first worker when its executor has begun to clean rows, in a process of Python."""
    end = time.monotonic() + 120
    while time.monotonic() < end and psutil.pid_exists(driver):
        for worker in cluster.workers:
            if any(
                "orchestration.spark.daemon" in " ".join(_command(child)) for child in worker.children(recursive=True)
            ):
                cluster.kill(worker)
                return True
        time.sleep(0.05)
    return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_cluster_without_the_memory_for_an_executor_ends_the_date_in_one_line(
    access: LakeAccess, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copy_project(tmp_path)
    monkeypatch.setattr("orchestration.spark.session._EXECUTOR_TIMEOUT", 5.0)
    for name in ("SPARK_LOCAL_IP", "SPARK_LOCAL_HOSTNAME"):
        monkeypatch.setenv(name, "127.0.0.1")
    with repository_of(access, "no-memory") as lake, serving(create_app(Options(rows=100))) as url:
        settings = settings_of(monkeypatch, project, SHOP_API_URL=url, **on(cluster) | {"ELT_SPARK_MEMORY": "8g"})
        with pytest.raises(PlatformFailed, match=rf"^{cluster.url} gave no executor with 8g within 5 s$") as failed:
            run_date(request_for(lake, settings, "2025-05-20"))

        assert failed.value.exit_code == 5
        assert failed.value.remedy.startswith("start workers with that much free memory")
        assert not require_whole(lake, "2025-05-20")


def test_no_log_page_event_or_command_line_of_spark_has_a_key(
    access: LakeAccess, cluster: Cluster, tmp_path: Path
) -> None:
    project = copy_project(tmp_path / "project")
    events, settings = tmp_path / "events", tmp_path / "conf"
    events.mkdir()
    settings.mkdir()
    port = 14_040
    (settings / "spark-defaults.conf").write_text(
        f"spark.eventLog.enabled true\nspark.eventLog.dir {events.as_uri()}\nspark.eventLog.compress false\n"
        f"spark.ui.enabled true\nspark.ui.port {port}\n"
    )
    secrets = forms(access.secret_key.get_secret_value()) | forms(access.access_key.get_secret_value())
    with repository_of(access, "secrets") as lake, serving(create_app(Options(rows=2_000))) as url:
        environment = environment_of(access, project, lake.repository, url)
        state = {"ELT_STATE_DIR": str(tmp_path / "state"), "SPARK_CONF_DIR": str(settings)}
        with publishing(["2025-05-20"], environment | on(cluster) | state) as running:
            seen = _watch(cluster, running.pid, port)
            (published,) = ended(running)

    assert published["outcome"] == "published", published
    places = files_below(events, cluster.folder, tmp_path / "state" / "logs")
    assert any("events" in place for place in places)
    assert any("/environment/" in place for place in seen), list(seen)
    assert any("CoarseGrainedExecutorBackend" in place for place in seen)
    # Files were written too.
    assert any(b"AppendData" in body for place, body in places.items() if "events" in place)
    readable = {place: body for place, body in (places | seen).items() if not place.endswith((".jar", ".parquet"))}
    assert leaks(readable, secrets, tmp_path) == []


def _watch(cluster: Cluster, driver: int, port: int) -> dict[str, bytes]:
    """Return the pages of the driver's UI and of the master, and all command lines, until an application ends.

    The pages grow with the queries: the last ones have them all.
    """
    seen: dict[str, bytes] = {}
    end, own = time.monotonic() + 300, psutil.Process(driver)
    while time.monotonic() < end and _command(own):
        for process in [own, *(child for parent in (own, *cluster.workers) for child in _children(parent))]:
            command = " ".join(_command(process))
            seen[f"command line: {command}"] = command.encode()
        for page in ("environment/", "SQL/", "jobs/", "executors/", "api/v1/applications"):
            _read(f"http://127.0.0.1:{port}/{page}", seen)
        _read(cluster.pages, seen)
        time.sleep(0.3)
    return seen


def _read(url: str, seen: dict[str, bytes]) -> None:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            seen[url] = response.read()
    except OSError:
        return
