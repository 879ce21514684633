"""What every contender does without further packages: fetch the day, and put what it made on the lake.

These scripts are what a user would write instead of the pipeline. They import nothing of it. They test, count and
record nothing, and `main` of their repository has no gate.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

FIELDS = (
    "Event ID",
    "Event Type",
    "Timestamp",
    "Invoice No",
    "Stock Code",
    "Description",
    "Quantity",
    "Price",
    "Customer ID",
    "Country",
)
"""The fields of an event, as the source names them."""


def column(field: str) -> str:
    """Return the published name of a field."""
    return field.lower().replace(" ", "_")


@dataclass(frozen=True)
class Job:
    """One date to publish, from the environment that the benchmark sets.

    Attributes:
        source: The address of the source.
        form: How the source sends records: `ndjson` or `array`.
        date: The date.
        repository: The lakeFS repository.
        lake: The address of lakeFS.
        access_key: The access key id.
        secret_key: The secret access key.
        memory: DuckDB's memory limit.
        httpfs: DuckDB's S3 extension, a file.
        folder: An empty folder of this run.
    """

    source: str
    form: str
    date: str
    repository: str
    lake: str
    access_key: str
    secret_key: str
    memory: str
    httpfs: str
    folder: Path

    @property
    def raw_key(self) -> str:
        """Return the key of what the source sent."""
        return f"raw/events/date={self.date}.json"

    @property
    def key(self) -> str:
        """Return the key of the published Parquet."""
        return f"curated/events/date={self.date}/data.parquet"

    @property
    def url(self) -> str:
        """Return the address of the day's events."""
        return f"{self.source}/events?date={self.date}"


def read_job() -> Job:
    """Return the job of this process."""
    values = {name: os.environ[f"BENCH_{name.upper()}"] for name in Job.__annotations__ if name != "folder"}
    return Job(**values, folder=Path(os.environ["BENCH_FOLDER"]))


def download(job: Job) -> Path:
    """Fetch the day's events into a file."""
    file = job.folder / "events.json"
    with httpx.stream("GET", job.url, timeout=60) as response, file.open("wb") as target:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            target.write(chunk)
    return file


class Branch:
    """A branch on which a date is written before it is merged."""

    def __init__(self, api: httpx.Client, name: str) -> None:
        self.api = api
        self.name = name

    def upload(self, key: str, file: Path) -> None:
        """Put a file on the branch."""
        with file.open("rb") as body:
            self.api.post(f"/branches/{self.name}/objects", params={"path": key}, content=body).raise_for_status()


@contextmanager
def branch_of(job: Job) -> Iterator[Branch]:
    """Create a branch of `main`; commit and merge it after the block."""
    api = httpx.Client(
        base_url=f"{job.lake}/api/v1/repositories/{job.repository}",
        auth=(job.access_key, job.secret_key),
        timeout=60,
    )
    with api:
        branch = Branch(api, f"day-{job.date}")
        api.post("/branches", json={"name": branch.name, "source": "main"}).raise_for_status()
        yield branch
        api.post(f"/branches/{branch.name}/commits", json={"message": job.date}).raise_for_status()
        api.post(f"/refs/{branch.name}/merge/main", json={}).raise_for_status()
        api.delete(f"/branches/{branch.name}").raise_for_status()
