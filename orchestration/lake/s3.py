"""DuckDB's access to the lake through lakeFS's S3 gateway."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.resources import files
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestration.errors import UsageError
from orchestration.lake.client import Lake
from orchestration.sql import literal, literals

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Gateway:
    """lakeFS's S3 gateway and the keys to it.

    Attributes:
        endpoint: `host:port`, without a scheme.
        use_ssl: Whether it uses TLS.
        access_key: The access key id.
        secret_key: The secret access key. Excluded from repr, logs and the dbt manifest.
        timeout: Whole seconds without a byte before DuckDB gives up a request. DuckDB retries it three times.
    """

    endpoint: str
    use_ssl: bool
    access_key: str
    secret_key: str = field(repr=False)
    timeout: int = 60

    def __post_init__(self) -> None:
        if not (self.access_key and self.secret_key):
            # lakeFS answers an unsigned request with status 200 and an HTML page.
            raise UsageError(
                "DuckDB has no keys for lakeFS's S3 gateway", remedy="set LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY"
            )


def gateway_of(lake: Lake) -> Gateway:
    """Return the gateway of a lake. lakeFS serves it at the address of its API."""
    access = lake.connection.access
    endpoint = urlsplit(access.endpoint)
    return Gateway(
        endpoint.netloc,
        endpoint.scheme == "https",
        access.access_key.get_secret_value(),
        access.secret_key.get_secret_value(),
        ceil(lake.connection.timeout),
    )


def httpfs_extension() -> Path:
    """Return the path of DuckDB's S3 extension for the installed version, from its wheel. No network is needed."""
    package = Path(str(files("duckdb_extension_httpfs")))
    return package / "extensions" / f"v{version('duckdb')}" / "httpfs.duckdb_extension"


def open_gateway(connection: duckdb.DuckDBPyConnection, gateway: Gateway) -> None:
    """Configure a DuckDB connection to read and write `s3://` through the gateway. The keys stay in memory."""
    connection.execute(f"load {literal(str(httpfs_extension()))}")
    connection.execute(f"set http_timeout = {gateway.timeout}")
    # A secret cannot be a parameter of the statement, so quotes are escaped instead.
    connection.execute(
        f"create or replace secret lake (type s3, key_id {literal(gateway.access_key)}, "
        f"secret {literal(gateway.secret_key)}, endpoint {literal(gateway.endpoint)}, "
        f"use_ssl {str(gateway.use_ssl).lower()}, url_style 'path', region 'us-east-1')"
    )


@contextmanager
def open_duckdb(lake: Lake, *refs: str, **options: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB, in UTC, that can read these refs of the lake and nothing else.

    The connection is locked: no other file, address or extension can be used, and no option changed. DuckDB spills to a
    private folder, which is deleted at the end.

    Args:
        lake: The repository.
        refs: Branches or commits.
        options: Further options of DuckDB.
    """
    import duckdb

    with TemporaryDirectory(prefix="elt-duckdb-") as spilled, duckdb.connect(":memory:") as connection:
        open_gateway(connection, gateway_of(lake))
        for name, value in {"timezone": "UTC", **options, "temp_directory": spilled}.items():
            connection.execute(f"set {name} = {literal(value)}")
        connection.execute(f"set allowed_directories = {literals([f's3://{lake.repository}/{ref}/' for ref in refs])}")
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        yield connection
