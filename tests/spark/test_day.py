"""Days on Spark, on this machine: numbered files and their readers, Ctrl-C, and edited models."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Timer

import duckdb
import pytest
import yaml

from examples.events_api import Options, create_app, serving
from orchestration.analyst.export import export_rejects
from orchestration.analyst.query import query, rejects
from orchestration.analyst.sandbox import create, differences, variables
from orchestration.context import MartsRun
from orchestration.errors import Cancelled, UsageError
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import read_receipt
from orchestration.lake.s3 import gateway_of, open_gateway
from orchestration.log import SILENT
from orchestration.marts import run_marts
from orchestration.models.generate import write_models
from orchestration.operations.audit import audit_main
from orchestration.run import run_date
from tests.helpers.dbt_runs import dbt
from tests.helpers.own_lake import repository_of, variables_of
from tests.helpers.pipeline import require_whole
from tests.helpers.projects import copy_project, request_for, settings_of
from tests.helpers.spark import require_same_rows, rows_of

DAY = "2025-05-20"
COUNTED = "select sum(sales + returns + other_events)"
FOLDER = f"curated/events/date={DAY}"


@pytest.fixture(name="own_lake")
def _own_lake(access: LakeAccess, request: pytest.FixtureRequest) -> Iterator[Lake]:
    with repository_of(access, f"spark-{abs(hash(request.node.name)) % 10**8}") as own:
        yield own


def test_a_large_table_has_numbered_files_which_every_reader_takes_as_one_table(
    own_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copy_project(tmp_path)
    described = yaml.safe_load((project / "dbt_project.yml").read_text())
    for folder, limit in {"curated": 300, "marts": 1}.items():
        described["models"]["ingest_clean"][folder]["+meta"]["rows_per_file"] = limit
    (project / "dbt_project.yml").write_text(yaml.safe_dump(described))
    file = project / "models" / "staging" / "shop" / "_shop__sources.yml"
    declared = yaml.safe_load(file.read_text())
    declared["sources"][0]["tables"][0]["config"]["meta"]["reject_limit"] = 0.2
    file.write_text(yaml.safe_dump(declared, sort_keys=False))
    write_models(project)
    with serving(create_app(Options(rows=1_000, fault="bad-day", fault_path="/events"))) as url:
        plain = settings_of(monkeypatch, project, SHOP_API_URL=url)
        run_date(request_for(own_lake, plain, DAY))
        alone = own_lake.head(MAIN)
        run_date(request_for(own_lake, plain.with_elt(engine="spark"), DAY, force=True))

        receipt = read_receipt(own_lake, MAIN, keys.date_receipt(DAY))
        assert receipt is not None
        files = [key for key in receipt.objects if key.startswith(FOLDER)]
        rows = [receipt.content["details"][key]["rows"] for key in files]
        assert files == [f"{FOLDER}/data-{number:05d}.parquet" for number in range(1, len(files) + 1)]
        assert rows[:-1] == [300] * (len(files) - 1)
        assert sum(rows) == receipt.rows["events"] > 900
        assert require_whole(own_lake, DAY)
        with duckdb.connect() as connection:
            open_gateway(connection, gateway_of(own_lake))
            connection.execute("set timezone = 'UTC'")
            parts = [rows_of(connection, f"s3://{own_lake.repository}/{MAIN}/{key}") for key in files]
            expected = rows_of(connection, f"s3://{own_lake.repository}/{alone}/{FOLDER}/data.parquet")
            require_same_rows((parts[0][0], [row for part in parts for row in part[1]]), expected, FOLDER)
        assert query(own_lake, "select count(*) from events").rows == ((sum(rows),),)
        rejected = receipt.content["accounting"]["events"]["rejected"]
        assert {
            one.reason: one.count for one in rejects(own_lake, plain, DAY, MAIN, 3) if one.table == "events"
        } == rejected
        exported = export_rejects(own_lake, plain, DAY, MAIN, tmp_path / "rejects.csv", overwrite=False)
        assert exported.rows == sum(rejected.values())
        assert audit_main(own_lake, deep=True).findings == ()
        # A mart has one file, however many rows.
        run_marts(MartsRun(lake=own_lake, settings=plain.with_elt(engine="spark"), log=SILENT))
        assert query(own_lake, f"{COUNTED} from daily_sales").rows == ((sum(rows),),)
        marts = [stored.key for stored in own_lake.objects(MAIN, "marts/product_sales/")]
        assert marts == ["marts/product_sales/data.parquet"]
        assert query(own_lake, "select count(*) > 1 from product_sales").rows == ((True,),)

        # In a sandbox, dbt writes the date's rows to its files again, and what reads the date reads them.
        sandbox = {**variables_of(own_lake.connection.access), **variables(create(own_lake, plain.state_dir, "mine"))}
        model = project / "models" / "curated" / "events.sql"
        original = model.read_text()
        model.write_text(original.replace("_reject_reason is null", "_reject_reason is null and quantity > 1"))
        built = dbt(project, "run", "--target", "sandbox", environment=sandbox)
        assert built.code == 0, built.out
        found = {one.key: one for one in differences(own_lake, "mine")}
        left = [found[key].rows_after for key in files]
        assert left[1:] == [0] * (len(files) - 1)
        assert 0 < (left[0] or 0) < sum(rows)
        with duckdb.connect() as connection:
            open_gateway(connection, gateway_of(own_lake))
            mart = f"s3://{own_lake.repository}/sandbox-mine/marts/daily_sales/{DAY}.parquet"
            assert connection.execute(f"{COUNTED} from '{mart}'").fetchall() == [(left[0],)]

        model.write_text(original)

        # Back to one file: no numbered one is left.
        run_date(request_for(own_lake, plain, DAY, force=True))
        assert [stored.key for stored in own_lake.objects(MAIN, FOLDER)] == [f"{FOLDER}/data.parquet"]
        assert require_whole(own_lake, DAY)


class Interrupts(logging.Handler):
    """Sends Ctrl-C when a test of dbt runs, and ends Java if the run does not end then."""

    def __init__(self, test: str) -> None:
        super().__init__()
        self._test = test
        self._timers: list[Timer] = []

    def emit(self, record: logging.LogRecord) -> None:
        from pyspark import SparkContext

        if f"START test {self._test}" in record.getMessage():
            kill = SparkContext._gateway.proc.kill
            self._timers = [Timer(2, os.kill, (os.getpid(), signal.SIGINT)), Timer(120, kill)]
            for timer in self._timers:
                timer.start()

    def close(self) -> None:
        for timer in self._timers:
            timer.cancel()
        super().close()


def test_ctrl_c_cancels_a_long_statement(own_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = copy_project(tmp_path)
    endless = project / "tests" / "data" / "endless.sql"
    endless.write_text(
        "with events as (select count(*) as events from {{ ref('events') }})\n"
        "select count(*) from events cross join range(1000000000000000) having count(*) = 1"
    )
    log = logging.Logger("interrupted", logging.INFO)
    log.addHandler(interrupts := Interrupts("endless"))
    # A shell ignores Ctrl-C for what runs in the background, as this suite may.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with serving(create_app(Options(rows=100))) as url, closing(interrupts), ExitStack() as restored:
        restored.callback(signal.signal, signal.SIGINT, before)
        settings = settings_of(monkeypatch, project, SHOP_API_URL=url).with_elt(engine="spark")

        with pytest.raises(Cancelled):
            run_date(request_for(own_lake, settings, DAY, log=log))


def test_an_edited_model_of_cleaning_is_refused_before_the_source_is_asked(
    own_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copy_project(tmp_path)
    model = project / "models" / "intermediate" / "events_checked.sql"
    model.write_text(model.read_text().replace("select * from checked", "select distinct * from checked"))
    settings = settings_of(monkeypatch, project, SHOP_API_URL="http://127.0.0.1:9").with_elt(engine="spark")

    with pytest.raises(UsageError, match=r"^models/intermediate/events_checked.sql is not as `elt models` writes it"):
        run_date(request_for(own_lake, settings, DAY))
