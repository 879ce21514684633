"""Small days on Spark, on this machine. `make test-spark` has the other tests of Spark."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from examples.events_api import Options, create_app, serving
from orchestration.errors import PlatformFailed
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import Receipt, read_receipt
from orchestration.log import SILENT
from orchestration.operations.audit import audit_main
from orchestration.operations.verify import verify_dates
from orchestration.run import run_date
from tests.helpers.own_lake import repository_of
from tests.helpers.pipeline import require_whole
from tests.helpers.projects import copy_project, request_for, settings_of
from tests.helpers.spark import needs_spark

DAY = "2025-05-20"
ENDED = r"^Java, in which Spark runs, ended with code -9$"


def receipt_of(lake: Lake, ref: str) -> Receipt:
    receipt = read_receipt(lake, ref, keys.date_receipt(DAY))
    assert receipt is not None
    return receipt


def kill_java() -> None:
    from pyspark import SparkContext

    if SparkContext._gateway is not None:
        SparkContext._gateway.proc.kill()


def stop_spark() -> None:
    from pyspark import SparkContext

    SparkContext._active_spark_context._jsc.sc().stop()


def at_the_first_test(end: Callable[[], None]) -> logging.Logger:
    """Returns a logger that calls a function at the first line of a dbt test."""

    class AtATest(logging.Handler):
        called = False

        def emit(self, record: logging.LogRecord) -> None:
            if "START test" in record.getMessage() and not self.called:
                self.called = True
                end()

    log = logging.Logger("ending", logging.INFO)
    log.addHandler(AtATest())
    return log


@needs_spark
def test_after_java_was_killed_or_spark_stopped_the_next_date_starts_another_with_the_python_of_this_process(
    access: LakeAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, interrupts = copy_project(tmp_path), signal.getsignal(signal.SIGINT)
    other_python = tmp_path / "bin" / "python3"
    other_python.parent.mkdir()
    other_python.write_text("#!/bin/sh\necho this Python has no packages >&2\nexit 1\n")
    other_python.chmod(0o755)
    with repository_of(access, "spark-java") as lake, serving(create_app(Options(rows=100))) as url:
        settings = settings_of(monkeypatch, project, SHOP_API_URL=url).with_elt(engine="spark")

        with pytest.raises(PlatformFailed, match=ENDED) as error:
            run_date(request_for(lake, settings, DAY, log=at_the_first_test(kill_java)))
        with pytest.raises(PlatformFailed, match=r"^Spark stopped during the build$"):
            run_date(request_for(lake, settings, DAY, log=at_the_first_test(stop_spark)))
        with monkeypatch.context() as before_dbt:
            before_dbt.setattr("orchestration.spark.build.create_published", lambda *given: kill_java())
            with pytest.raises(PlatformFailed, match=ENDED):
                run_date(request_for(lake, settings, DAY))

        assert error.value.remedy.startswith(f"see {settings.state_dir}/logs/spark.log; ")
        monkeypatch.setenv("PATH", f"{other_python.parent}:{os.environ['PATH']}")
        assert run_date(request_for(lake, settings, DAY)).outcome == "published"
        assert require_whole(lake, DAY)
        # pyspark has a handler of its own, after which a run would not end as `Cancelled`.
        assert signal.getsignal(signal.SIGINT) is interrupts
        # Java would keep the keys to lakeFS, and folders that other runs delete.
        assert [child for child in psutil.Process().children() if child.name() == "java"] == []


@needs_spark
def test_a_day_has_the_rows_of_duckdb_and_another_engine_is_no_reason_to_build_it_again(
    access: LakeAccess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = copy_project(tmp_path)
    with repository_of(access, "spark-day") as lake, serving(create_app(Options(rows=500))) as url:
        plain = settings_of(monkeypatch, project, SHOP_API_URL=url)
        spark = plain.with_elt(engine="spark")

        run_date(request_for(lake, plain, DAY))
        of_duckdb = receipt_of(lake, MAIN)
        assert run_date(request_for(lake, spark, DAY)).outcome == "unchanged"
        assert run_date(request_for(lake, spark, DAY, force=True)).outcome == "superseded"
        of_spark = receipt_of(lake, MAIN)

        assert (of_duckdb.engine, of_spark.engine) == ("duckdb", "spark")
        assert "engine" not in of_duckdb.content
        assert of_spark.content["versions"].keys() == {"dbt-core", "dbt-spark", "duckdb", "pyspark"}
        assert of_spark.code != of_duckdb.code
        for name in ("accounting", "tests", "inputs"):
            assert of_spark.content[name] == of_duckdb.content[name]
        assert require_whole(lake, DAY)
        # Raw and Parquet, to the last byte.
        assert of_spark.objects == of_duckdb.objects
        assert audit_main(lake, deep=True).findings == ()
        assert run_date(request_for(lake, plain, DAY)).outcome == "unchanged"
        (verified,) = verify_dates(lake, plain, [DAY], SILENT)
        assert verified.outcome == "identical", verified
