"""A lakeFS and a source of the benchmark's own, and the environment of a project for both."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.day import fetched_as, serving, write_day
from examples.events_api.forms import MEDIA_TYPES
from orchestration.endpoints import open_lake
from orchestration.lake.client import Lake
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.settings import PROJECT_DIR, read_settings
from tests.helpers.own_lake import OwnLake, own_lake
from tests.helpers.projects import copy_project


@dataclass(frozen=True)
class FreshLake:
    """A set-up repository without dates.

    Attributes:
        server: Its lakeFS, which may be crashed.
        lake: The repository.
        project: The project's folder, which may be edited.
    """

    server: OwnLake
    lake: Lake
    project: Path


@contextmanager
def fresh_lake(rows: int) -> Iterator[FreshLake]:
    """Start both servers, of which the source gives so many events for any date, and set this process's environment."""
    with tempfile.TemporaryDirectory() as folder, own_lake(Path(folder) / "state") as server:
        project = fetched_as("ndjson", copy_project(Path(folder)))
        write_day(rows, "ndjson", project)
        access = server.access
        with serving(project, MEDIA_TYPES["ndjson"]) as url:
            os.environ |= {
                "ELT_PROJECT_DIR": str(project),
                "ELT_REPOSITORY": "benchmark",
                "LAKEFS_ENDPOINT": access.endpoint,
                "LAKEFS_ACCESS_KEY": access.access_key.get_secret_value(),
                "LAKEFS_SECRET_KEY": access.secret_key.get_secret_value(),
                "SHOP_API_URL": url,
            }
            lake = open_lake(read_settings())
            init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
            yield FreshLake(server, lake, project)
