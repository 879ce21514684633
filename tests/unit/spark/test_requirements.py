"""What Spark needs: each requirement that is missing is one error, before anything is read. No Spark is needed here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestration.doctor.checks import carry_out
from orchestration.doctor.machine import machine_checks
from orchestration.errors import PlatformFailed, UsageError
from orchestration.log import SILENT
from orchestration.settings import EltSettings, EngineName, Settings, SparkSettings, read_settings
from orchestration.spark import jars as pinned
from orchestration.spark import options as checked
from orchestration.spark.jars import Jar, fetch_jars, jars_folder, pinned_jars, require_jars
from orchestration.spark.java import find_java
from orchestration.spark.options import require_master, spark_options
from tests.helpers.local_servers import listener, make_settings, script
from tests.unit.doctor.test_machine import TODAY

JAVA_17 = "echo 'openjdk version \"17.0.15\" 2025-04-15' >&2"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return settings under which everything is there: the packages, a Java that only names its version, the jars."""
    monkeypatch.setattr(checked, "_is_installed", lambda name: True)
    java = script(tmp_path / "java" / "bin" / "java", JAVA_17)
    monkeypatch.setenv("JAVA_HOME", str(java.parents[1]))
    monkeypatch.setattr(pinned, "_sha256", lambda path: "sum" if path.exists() else "")
    monkeypatch.setattr(pinned, "pinned_jars", lambda: (Jar("org", "one", "1.0", "sum"),))
    monkeypatch.setattr("orchestration.spark.jars.pinned_jars", pinned.pinned_jars)
    made = make_settings(tmp_path)
    folder = jars_folder(made.cache_dir)
    folder.mkdir(parents=True)
    (folder / "one-1.0.jar").touch()
    return made


def test_complete_requirements_give_options_for_this_machine(settings: Settings) -> None:
    options = spark_options(settings)

    assert (options.master, options.memory) == ("local[2]", "2g")
    assert options.is_local


def test_a_package_of_the_extra_that_is_missing_is_a_usage_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "_is_installed", lambda name: name != "pyspark")

    with pytest.raises(
        UsageError, match=r"^ELT_ENGINE=spark needs pyspark, which the extra `spark` installs$"
    ) as raised:
        spark_options(settings)

    assert "make setup-spark" in raised.value.remedy


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("echo 'java version \"1.8.0_402\"' >&2", "is Java 8"),
        ("echo 'openjdk version \"11.0.2\"' >&2", "is Java 11"),
        ("echo nothing >&2", "does not name its version"),
        ("exit 1", "does not name its version"),
    ],
)
def test_another_java_is_a_usage_error(settings: Settings, tmp_path: Path, answer: str, problem: str) -> None:
    java = script(tmp_path / "java" / "bin" / "java", answer)

    with pytest.raises(UsageError, match=f"^Spark needs Java 17 or 21: {java} {problem}$"):
        spark_options(settings)


def test_a_java_home_without_java_is_a_usage_error(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "none"))

    with pytest.raises(UsageError, match=rf"^Spark needs Java: JAVA_HOME={tmp_path}/none has no bin/java$"):
        spark_options(settings)


def test_without_java_on_path_it_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match=r"^Spark needs Java: there is no java on PATH$"):
        find_java()


@pytest.mark.parametrize("damage", ["missing", "other bytes"])
def test_jars_that_are_missing_or_damaged_are_a_usage_error(tmp_path: Path, damage: str) -> None:
    if damage == "other bytes":
        jars_folder(tmp_path).mkdir(parents=True)
        for jar in pinned_jars():
            (jars_folder(tmp_path) / jar.file).write_bytes(b"other")

    with pytest.raises(UsageError, match=r"missing or damaged: 34 of 34 in .*, such as hadoop-aws-3.4.2.jar$"):
        require_jars(tmp_path)


def test_jars_that_cannot_be_fetched_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinned, "_ivy", lambda: tmp_path / "ivy.jar")
    java = script(tmp_path / "bin" / "java", "echo 'UnknownHostException: Error' >&2; exit 1")

    with pytest.raises(PlatformFailed, match=r"could not fetch the jars from Maven Central: UnknownHost"):
        fetch_jars(tmp_path / "cache", java, SILENT)

    assert list((tmp_path / "cache" / "spark").iterdir()) == []


def test_fetched_jars_with_other_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinned, "_ivy", lambda: tmp_path / "ivy.jar")
    java = script(tmp_path / "bin" / "java", "mkdir jars; echo other > jars/annotations-2.29.52.jar")

    with pytest.raises(PlatformFailed, match=r"^hadoop-aws-3.4.2.jar from Maven Central does not have the SHA-256"):
        fetch_jars(tmp_path / "cache", java, SILENT)

    assert list((tmp_path / "cache" / "spark").iterdir()) == []


@pytest.mark.parametrize("memory", ["511m", "2", "2GB", "lots", "0g"])
def test_a_memory_that_spark_would_refuse_is_a_usage_error(settings: Settings, memory: str) -> None:
    little = settings.with_elt(spark_memory=memory)

    with pytest.raises(UsageError, match=rf"^ELT_SPARK_MEMORY={memory} is not a size from 512m on$"):
        spark_options(little)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ELT_ENGINE", "flink"),
        ("SPARK_MASTER_URL", "http://spark:7077"),
        ("SPARK_MASTER_URL", "spark://user:password@spark:7077"),
        ("SPARK_MASTER_URL", "local[0]"),
    ],
)
def test_a_wrong_setting_is_a_usage_error_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(UsageError, match=f"^{variable}"):
        read_settings()


def test_a_master_that_does_not_answer_is_a_platform_failure(settings: Settings) -> None:
    with listener() as port:
        pass
    options = spark_options(replace(settings, spark=SparkSettings(master_url=f"spark://127.0.0.1:{port}")))

    with pytest.raises(PlatformFailed, match=rf"^SPARK_MASTER_URL=spark://127.0.0.1:{port}: the master does not"):
        require_master(options)


def test_a_master_that_answers_is_accepted(settings: Settings) -> None:
    with listener() as port:
        require_master(spark_options(replace(settings, spark=SparkSettings(master_url=f"spark://127.0.0.1:{port}"))))


def test_doctor_checks_what_spark_needs_if_it_is_the_engine(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(engine: EngineName) -> dict[str, str]:
        asked = replace(settings, elt=EltSettings(engine=engine, state_dir=settings.state_dir))
        checks = [check for check in machine_checks(asked, TODAY) if check.name == "spark"]
        return {one.state: one.seen for one in carry_out(checks)}

    assert found("duckdb") == {}
    assert found("spark").keys() == {"ok"}
    monkeypatch.setenv("JAVA_HOME", "/none")
    assert found("spark") == {"failed": "Spark needs Java: JAVA_HOME=/none has no bin/java"}
