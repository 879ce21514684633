"""What one date costs, in counts that do not depend on the machine: requests to lakeFS, scans, manifests, imports.

They guard the figures of docs/performance.md without measuring time. A lower count is an improvement: change it here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchestration.dbt_runner import session
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import Lake
from orchestration.run import run_date
from orchestration.settings import Settings
from tests.helpers.projects import request_for
from tests.helpers.proxy import Proxy, normalize_request, run_proxy

MakeSettings = Callable[..., Settings]
Count = Callable[..., Counter[str]]

PAGES, PARQUET = 3, 4
"""Of 1,000 events in two pages, and the products; the two tables and their rejected rows."""


@pytest.fixture
def proxy(access: LakeAccess) -> Iterator[Proxy]:
    with run_proxy(access.endpoint) as started:
        yield started


@pytest.fixture
def requests_of(
    lake: Lake, proxy: Proxy, open_repository: Callable[..., Lake], settings: MakeSettings, execution_date: str
) -> Count:
    """A function that publishes a date, and returns how many requests of each kind it made."""

    def count(outcome: str, **options: bool) -> Counter[str]:
        proxy.reset()
        through_proxy = open_repository(lake.repository, proxy.url)
        assert run_date(request_for(through_proxy, settings(), execution_date, **options)).outcome == outcome
        return Counter(map(normalize_request, proxy.requests))

    return count


def of_api(requests: Counter[str]) -> int:
    return sum(number for request, number in requests.items() if " api" in request)


def test_a_date_makes_a_fixed_number_of_requests(requests_of: Count) -> None:
    first = requests_of("published")
    again = requests_of("unchanged")

    assert of_api(first) == 29
    assert first["PUT s3/<branch>/curated/<table>/date=<date>/data.parquet"] == PARQUET
    # DuckDB asks for a file's size each time that it opens it: each page in three statements.
    assert first["HEAD s3/<commit>/raw/shop/<table>/date=<date>/page-<n>.json"] <= 3 * PAGES
    assert first["HEAD s3/<branch>/curated/<table>/date=<date>/data.parquet"] <= 8 * PARQUET
    assert of_api(again) == 7
    assert [request for request in again if " s3/" in request] == []


def test_each_raw_page_is_downloaded_once(requests_of: Count) -> None:
    """Its models, tests and accounting read it in one build, whose engine keeps it in memory."""
    assert requests_of("published")["GET s3/<commit>/raw/shop/<table>/date=<date>/page-<n>.json"] == PAGES


def test_dbt_is_invoked_once_and_parses_nothing(requests_of: Count, monkeypatch: pytest.MonkeyPatch) -> None:
    requests_of("published")
    invoked: list[str] = []

    def counted(project: session.Project, arguments: list[str], **options: Any) -> Any:
        invoked.append(arguments[0])
        return session.invoke(project, arguments, **options)

    for module in ("build", "manifest"):
        monkeypatch.setattr(f"orchestration.dbt_runner.{module}.invoke", counted)

    requests_of("unchanged")
    assert invoked == []
    requests_of("unchanged", force=True)
    assert invoked == ["build"]


@pytest.mark.usefixtures("own_state")
def test_a_plan_imports_no_dbt(settings: MakeSettings) -> None:
    """A saved project is enough for it, so that dbt is imported beside the fetch."""
    state_dir = settings().state_dir
    code = f"""
import sys
from pathlib import Path
from orchestration.dbt_runner.build import Engine, environment
from orchestration.dbt_runner.parsed import parsed_project
from orchestration.dbt_runner.session import Project
from orchestration.settings import PROJECT_DIR

state = Path({str(state_dir)!r})
project = Project(PROJECT_DIR, "run", state / "parse")
parsed_project(project, state_dir=state, environment=environment(Engine(state / "duckdb")))
print("dbt.cli.main" in sys.modules)
"""
    imported = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert imported == [["True"], ["False"]]


@pytest.mark.parametrize(
    ("module", "heavy"),
    [("orchestration.cli.app", set()), ("orchestration.flows.ingest", {"httpx", "prefect"})],
)
def test_heavy_packages_are_imported_where_they_are_used(module: str, heavy: set[str]) -> None:
    code = f"import json, sys, {module}; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    imported = json.loads(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    )

    watched = {"dbt", "duckdb", "httpx", "lakefs_sdk", "matplotlib", "numpy", "pandas", "prefect", "sqlalchemy"}
    assert watched & set(imported) == heavy
