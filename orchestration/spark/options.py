"""What a Spark build runs on, checked before anything is read or written."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestration.errors import PlatformFailed, UsageError
from orchestration.spark.jars import require_jars
from orchestration.spark.java import find_java

if TYPE_CHECKING:
    from orchestration.settings import Settings

_PACKAGES = ("pyspark", "pyarrow", "dbt.adapters.spark")
_ANSWER_TIMEOUT = 10.0
_LEAST_MEGABYTES = 512
"""Spark's driver refuses to start below 450 MiB."""
_MEGABYTES_OF = {"m": 1, "g": 1024}


@dataclass(frozen=True)
class SparkOptions:
    """What a Spark build runs on.

    Attributes:
        master: The URL of the master: `spark://HOST:PORT` of a cluster, or `local[N]` for N threads in this process.
        memory: The memory of the driver and of each executor, such as `2g`.
        jars: The folder of the jars for S3, on this machine and on each worker.
        java: The `java` of the driver.
        log_dir: The folder of the driver's log.
    """

    master: str
    memory: str
    jars: Path
    java: Path
    log_dir: Path

    @property
    def is_local(self) -> bool:
        """Return whether Spark runs in this process alone."""
        return self.master.startswith("local")

    @property
    def log_path(self) -> Path:
        """Return the driver's log."""
        return self.log_dir / "spark.log"


def spark_options(settings: Settings) -> SparkOptions:
    """Return what Spark runs on, from the settings.

    Raises:
        UsageError: The extra `spark`, Java or a jar is missing, or a setting is not one of Spark's.
    """
    if missing := [name for name in _PACKAGES if not _is_installed(name)]:
        raise UsageError(
            f"ELT_ENGINE=spark needs {', '.join(missing)}, which the extra `spark` installs",
            remedy="pip install 'ingest-clean[spark]', in a checkout make setup-spark",
        )
    java = find_java()
    jars = require_jars(settings.cache_dir)
    _require_memory(settings.elt.spark_memory)
    master = settings.spark.master_url or f"local[{settings.elt.duckdb_threads}]"
    return SparkOptions(master, settings.elt.spark_memory, jars, java, settings.state_dir / "logs")


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _require_memory(memory: str) -> None:
    size = re.fullmatch(r"([0-9]+)([mg])", memory)
    if size is None or int(size[1]) * _MEGABYTES_OF[size[2]] < _LEAST_MEGABYTES:
        raise UsageError(
            f"ELT_SPARK_MEMORY={memory} is not a size from {_LEAST_MEGABYTES}m on", remedy="set it to a size such as 2g"
        )


def require_master(options: SparkOptions) -> None:
    """Require that the master takes connections: Spark itself tries for a minute, and reports the cause in its log.

    Raises:
        PlatformFailed: It does not.
    """
    if options.is_local:
        return
    address = urlsplit(options.master)
    try:
        socket.create_connection((str(address.hostname), address.port or 7077), _ANSWER_TIMEOUT).close()
    except OSError as error:
        raise PlatformFailed(
            f"SPARK_MASTER_URL={options.master}: the master does not answer: {error}",
            remedy="start it, or unset SPARK_MASTER_URL to run Spark on this machine",
        ) from error
