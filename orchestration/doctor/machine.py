"""Checks of this machine: Python, packages, DuckDB's extension, disk, ports, and who can read `.env`."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING

from orchestration.doctor.checks import Check, Result, failed, ok, warning
from orchestration.doctor.support import supported
from orchestration.errors import IngestCleanError
from orchestration.settings import origins_of, readable_secrets

if TYPE_CHECKING:
    from orchestration.servers.model import ServerSpec
    from orchestration.settings import Settings

FreeBytes = Callable[[Path], int]
"""Returns the free bytes of the file system of a folder."""

_PROJECT = "ingest-clean"
_SETUP = "make setup installs the locked packages"
_FEW_BYTES, _LITTLE_BYTES = 1_000_000_000, 5_000_000_000


def free_bytes(folder: Path) -> int:
    """Return the free bytes for this user where a folder is, or will be."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def machine_checks(settings: Settings, today: date, free: FreeBytes = free_bytes) -> Iterator[Check]:
    """Return the checks that ask no server."""
    from orchestration.servers import lakefs, prefect

    yield Check("python", partial(_python, today))
    yield Check("packages", _packages)
    yield Check("dbt", partial(_dbt, today))
    yield Check("duckdb", _duckdb)
    yield Check("duckdb httpfs", _httpfs)
    if settings.elt.engine == "spark":
        yield Check("spark", partial(_spark, settings))
    compose = settings.project_dir / "docker-compose.yml"
    # The image of the stack has no such file.
    if compose.exists() and origins_of("STACK_POSTGRES_PASSWORD", settings.project_dir):
        yield Check("postgresql", partial(_postgresql, compose, today))
    yield Check("disk of the state folder", partial(_disk, settings.state_dir, free, "ELT_STATE_DIR"))
    yield Check("disk of the temporary folder", partial(_disk, Path(tempfile.gettempdir()), free, "TMPDIR"))
    for spec in (lakefs.SPEC, prefect.SPEC):
        yield Check(f"port of the local {spec.title}", partial(_port, settings, spec))
    yield Check(".env", partial(_env_file, settings.project_dir / ".env"))


def _python(today: date) -> Result:
    return supported("Python", python_version(), today, "install a later Python that the project supports")


def _packages() -> Result:
    """Compare the installed packages with the ranges that the project declares."""
    from importlib.metadata import PackageNotFoundError, requires, version

    from packaging.requirements import Requirement

    problems, count = [], 0
    for text in requires(_PROJECT) or ():
        wanted = Requirement(text)
        if wanted.marker and not wanted.marker.evaluate():
            continue
        count += 1
        try:
            found = version(wanted.name)
        except PackageNotFoundError:
            problems.append(f"{wanted.name} is not installed")
            continue
        if found not in wanted.specifier:
            problems.append(f"{wanted.name} {found} is installed, and {wanted.specifier} is required")
    if problems:
        return failed("; ".join(problems), _SETUP)
    return ok(f"{count} packages are of the required versions")


def _dbt(today: date) -> Result:
    from importlib.metadata import version

    return supported("dbt-core", version("dbt-core"), today, "upgrade this project")


def _duckdb() -> Result:
    """Report the engine. Its maker ends a line with the next release, and the project pins it for the extension."""
    from importlib.metadata import version

    return ok(f"{version('duckdb')}, the last version with its S3 extension as a package; its maker has a later line")


def _httpfs() -> Result:
    import duckdb

    from orchestration.lake.s3 import httpfs_extension
    from orchestration.sql import literal

    path = httpfs_extension()
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"load {literal(str(path))}")
    except duckdb.Error as error:
        return failed(f"DuckDB cannot load its S3 extension {path}: {error}", _SETUP)
    return ok("DuckDB loads its S3 extension without network")


def _spark(settings: Settings) -> Result:
    from orchestration.spark.options import require_master, spark_options

    try:
        options = spark_options(settings)
        require_master(options)
    except IngestCleanError as error:
        return failed(error.cause, error.remedy)
    return ok(f"{options.java} and the jars in {options.jars}; the master is {options.master}")


def _postgresql(compose: Path, today: date) -> Result:
    found = re.search(r"image:\s*postgres:([\d.]+)", compose.read_text(encoding="utf-8"))
    if not found:
        return Result("not checked", f"{compose.name} names no image of PostgreSQL", "ask the server: select version()")
    remedy = "move to a later major version with a dump and a restore (docs/operations.md#backup-and-restore)"
    return supported("PostgreSQL", found[1], today, remedy)


def _disk(folder: Path, free: FreeBytes, variable: str) -> Result:
    left = free(folder)
    seen = f"{left / 1e9:,.1f} GB are free for {folder}"
    remedy = f"free some space there, or set {variable} to a folder elsewhere"
    if left < _FEW_BYTES:
        return failed(seen, remedy)
    return warning(seen, remedy) if left < _LITTLE_BYTES else ok(seen)


def _port(settings: Settings, spec: ServerSpec) -> Result:
    from orchestration.servers import ports, prefect, process
    from orchestration.servers.background import LocalServer

    server = LocalServer(spec, settings)
    named = settings.lake.endpoint if spec.name == "lakefs" else getattr(prefect.configured(settings), "url", None)
    if named and named.rstrip("/") != server.last_url:
        return ok(f"not used: {named} is configured")
    if running := process.running(server.pid_file):
        if process.listens(running):
            return ok(f"{running.port}, where process {running.pid} listens")
        return failed(
            f"process {running.pid} does not listen at its port {running.port}",
            f"see {server.log}; elt down, then elt up",
        )
    last = process.read(server.pid_file)
    port = last.port if last else spec.port
    if ports.is_free(port):
        return ok(f"{port}, which is free")
    return warning(
        f"another program listens at {port}, and the local server is stopped",
        "elt up takes another port; stop the other program if addresses must stay the same",
    )


def _env_file(path: Path) -> Result:
    if not path.exists():
        return ok("no such file")
    if secrets := readable_secrets(path):
        return failed(f"other users can read {', '.join(secrets)} in it", f"chmod 600 {path}")
    return ok("only its owner can read its secrets")
