"""lakeFS's S3 gateway: where DuckDB reads and writes the lake."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from urllib.parse import urlsplit

from orchestration.errors import UsageError
from orchestration.lake import Lake


@dataclass(frozen=True)
class Gateway:
    """The gateway and who we are there.

    Attributes:
        endpoint: `host:port`, without a scheme.
        use_ssl: Whether it speaks TLS.
        access_key: Ours there.
        secret_key: Ours there; in no representation, log or manifest.
        timeout: Whole seconds without a byte before DuckDB gives a request up; it tries three times more.
    """

    endpoint: str
    use_ssl: bool
    access_key: str
    secret_key: str = field(repr=False)
    timeout: int = 60

    def __post_init__(self) -> None:
        if not (self.access_key and self.secret_key):
            # An unsigned request is answered with lakeFS's page for people, 200.
            raise UsageError(
                "DuckDB has no keys for lakeFS's S3 gateway", remedy="set LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY"
            )


def gateway_of(lake: Lake) -> Gateway:
    """The gateway of a lake; lakeFS serves it at the address of its API."""
    access = lake.connection.access
    endpoint = urlsplit(access.endpoint)
    return Gateway(
        endpoint.netloc,
        endpoint.scheme == "https",
        access.access_key.get_secret_value(),
        access.secret_key.get_secret_value(),
        ceil(lake.connection.timeout),
    )
