"""The Spark session of one build: started, checked and stopped."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.errors import PlatformFailed
from orchestration.lake.s3 import Gateway
from orchestration.spark.cursor import message_of
from orchestration.spark.options import SparkOptions, require_master
from orchestration.workdir import translate_disk_errors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCHEMA = "ingest_clean"
"""The schema of all relations of a build. They are temporary views, and end with the session."""

_END_TIMEOUT = 10.0
_EXECUTOR_TIMEOUT = 60.0
_LAST_SECOND = 1.0
"""How long Java may live after its connections broke, in seconds."""

_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")
_PARTITIONS = "spark.sql.shuffle.partitions"
_UTC = "-Duser.timezone=UTC"


@contextmanager
def spark_session(options: SparkOptions, gateway: Gateway, folder: Path) -> Iterator[SparkSession]:
    """Start a session that reads `s3a://` through the gateway, in a Java of its own, and end both.

    The keys are set when the session exists: settings of its start would be in the process list.

    Args:
        options: What Spark runs on.
        gateway: lakeFS's S3 gateway.
        folder: Takes the driver's temporary files.

    Raises:
        PlatformFailed: The master does not answer, no worker has the memory for an executor, or Spark does not start.
    """
    require_master(options)
    try:
        with _own_interrupts():
            session = _start(options, folder)
        _require_executor(session, options)
        _set_partitions(session)
        _open_gateway(session, gateway)
        yield session
    finally:
        _end()


@contextmanager
def _own_interrupts() -> Iterator[None]:
    """Keep this process's handler of Ctrl-C, which pyspark replaces. dbt cancels what runs: see `own_cursor`."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def _start(options: SparkOptions, folder: Path) -> SparkSession:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    # pyspark would print each failed statement a second time, with Java's stack.
    logging.getLogger("SQLQueryContextLogger").disabled = True
    with translate_disk_errors(options.log_dir):
        options.log_dir.mkdir(parents=True, exist_ok=True)
    builder = SparkSession.builder.master(options.master).appName("ingest-clean")
    for name, value in _settings(options, folder).items():
        builder = builder.config(name, value)
    try:
        with _environment(_variables(options)):
            return builder.getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        cause = message_of(error).strip().splitlines()
        raise PlatformFailed(
            f"Spark does not start on {options.master} with {options.memory}: {cause[-1] if cause else error}",
            remedy=f"see {options.log_path}",
        ) from error


def _variables(options: SparkOptions) -> Mapping[str, str]:
    """Return the variables that Java is started with.

    Without them, it would be that of another Spark on this machine, and its tasks would take the `python3` of the PATH.
    """
    import pyspark

    return {
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "JAVA_HOME": str(options.java.resolve().parents[1]),
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYSPARK_PYTHON": os.environ.get("PYSPARK_PYTHON", sys.executable),
    }


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables during the block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _settings(options: SparkOptions, folder: Path) -> Mapping[str, str]:
    """Return the settings of a session. Others, such as those of a cluster, belong in `spark-defaults.conf`."""
    # In quotes, because a path may have spaces.
    java_options = f'{_UTC} "-Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}" "-Delt.log.dir={options.log_dir}"'
    # A cluster has an address of the driver that its workers reach, and its own rules for the UI.
    local = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
    }
    return {
        **(local if options.is_local else {}),
        "spark.driver.extraClassPath": f"{options.jars}/*",
        "spark.executor.extraClassPath": f"{options.jars}/*",
        "spark.driver.extraJavaOptions": java_options,
        "spark.executor.extraJavaOptions": _UTC,
        "spark.python.daemon.module": "orchestration.spark.daemon",
        "spark.driver.memory": options.memory,
        "spark.executor.memory": options.memory,
        "spark.local.dir": str(folder),
        "spark.ui.showConsoleProgress": "false",
        # No Hive, and no database of its own beside the temporary views.
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.globalTempDatabase": SCHEMA,
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        # SQL as in DuckDB: "name" is a column, and what exceeds its type fails.
        "spark.sql.ansi.enabled": "true",
        "spark.sql.ansi.doubleQuotedIdentifiers": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
        "spark.sql.files.ignoreCorruptFiles": "false",
        "spark.sql.files.ignoreMissingFiles": "false",
        # For the sum of what a file has: see `Writer`.
        "spark.sql.legacy.allowHashOnMapType": "true",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
    }


def _require_executor(session: SparkSession, options: SparkOptions) -> None:
    """Wait for the first executor of a cluster: without one, Spark would wait for ever."""
    if options.is_local:
        return
    context = session.sparkContext._jsc.sc()
    end = time.monotonic() + _EXECUTOR_TIMEOUT
    # The driver is in the list too.
    while context.getExecutorMemoryStatus().size() < 2:
        if time.monotonic() > end:
            raise PlatformFailed(
                f"{options.master} gave no executor with {options.memory} within {_EXECUTOR_TIMEOUT:.0f} s",
                remedy="start workers with that much free memory and a free core, or lower ELT_SPARK_MEMORY; without "
                "spark.cores.max, an application takes all cores",
            )
        time.sleep(0.2)


def _set_partitions(session: SparkSession) -> None:
    """Set the parts of a shuffle to twice the cores. Spark's 200 cost seconds for each small statement."""
    if not session.sparkContext.getConf().contains(_PARTITIONS):
        session.conf.set(_PARTITIONS, str(2 * session.sparkContext.defaultParallelism))


def _open_gateway(session: SparkSession, gateway: Gateway) -> None:
    scheme = "https" if gateway.use_ssl else "http"
    settings = session.sparkContext._jsc.hadoopConfiguration()
    for name, value in {
        "access.key": gateway.access_key,
        "secret.key": gateway.secret_key,
        "endpoint": f"{scheme}://{gateway.endpoint}",
        "connection.ssl.enabled": str(gateway.use_ssl).lower(),
        "connection.timeout": f"{gateway.timeout}s",
        "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
    }.items():
        settings.set(f"fs.s3a.{name}", value)


def early_end(options: SparkOptions) -> PlatformFailed | None:
    """Return the error of a build whose Java or Spark has ended; None if both run.

    Without its context, Spark reads SQL by other rules: a quoted name is a text then.
    """
    from pyspark import SparkContext

    gateway: Any = SparkContext._gateway
    if gateway is None:
        return None
    stopped = _is_stopped()
    try:
        code = gateway.proc.wait(_LAST_SECOND if stopped else 0)
    except subprocess.TimeoutExpired:
        if not stopped:
            return None
        return PlatformFailed(
            "Spark stopped during the build", remedy=f"see {options.log_path}, and on a cluster the logs of its workers"
        )
    return PlatformFailed(
        f"Java, in which Spark runs, ended with code {code}",
        remedy=f"see {options.log_path}; code -9 means most often that the machine has too little memory",
    )


def _is_stopped() -> bool:
    from py4j.protocol import Py4JError
    from pyspark import SparkContext

    context: Any = SparkContext._active_spark_context
    try:
        return context is not None and bool(context._jsc.sc().isStopped())
    except (Py4JError, OSError):
        # Java is about to end.
        return True


def _end() -> None:
    """Stop the session and end its Java, which would keep connections with keys, and the folders of this session."""
    from py4j.protocol import Py4JError
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    session, gateway = SparkSession._instantiatedSession, SparkContext._gateway

    def stop() -> None:
        # Java may have ended already.
        with suppress(Py4JError, OSError):
            if session is not None:
                session.stop()
        with suppress(Py4JError, OSError):
            if gateway is not None:
                gateway.shutdown()

    # On a connection of its own: after Ctrl-C, that of this thread may wait for an answer.
    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(_END_TIMEOUT)
    SparkContext._active_spark_context = SparkContext._gateway = SparkContext._jvm = None
    SparkSession._instantiatedSession = SparkSession._activeSession = None
    if gateway is not None:
        _end_process(gateway.proc)


def _end_process(java: subprocess.Popen[bytes]) -> None:
    """End Java by the end of its input, or kill it."""
    with suppress(OSError):
        if java.stdin:
            java.stdin.close()
    try:
        java.wait(_END_TIMEOUT)
    except subprocess.TimeoutExpired:
        java.kill()
        java.wait()
