"""A day of each API in examples/apis, from the fetch to rows on `main`: its declaration, and no Python of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr

from examples.apis.imitation import DAY, EMPTY_DAY
from examples.events_api import serving
from orchestration.context import DateRun
from orchestration.errors import SourceRefused
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import read_receipt
from orchestration.log import log_to
from orchestration.models.generate import write_models
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR, Settings, SourceSettings
from orchestration.source.config import read_tables
from tests.helpers.own_lake import repository_of
from tests.helpers.projects import copy_project, settings_of

APIS = PROJECT_DIR / "examples" / "apis"
NAMES = sorted(folder.name for folder in APIS.iterdir() if (folder / "api.py").exists())
TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", datetime: "TIMESTAMP WITH TIME ZONE"}
REFUSED = ("wikimedia",)
"""APIs whose imitation refuses the empty day once, as one that is not loaded yet."""


@dataclass(frozen=True)
class Published:
    """Both days on `main`.

    Attributes:
        lake: Their repository.
        tables: The table of each API.
        refused: What the first run of the empty day raised.
        untouched: Whether `main` was the same after it.
        logged: Everything that the runs logged.
    """

    lake: Lake
    tables: Mapping[str, str]
    refused: SourceRefused
    untouched: bool
    logged: tuple[str, ...]

    def rows(self, name: str, date: str, folder: Path) -> tuple[dict[str, str], list[dict[str, Any]]]:
        """Return the types of a table's columns and its rows, read without the project's own code."""
        body = self.lake.read(MAIN, f"curated/{self.tables[name]}/date={date}/data.parquet")
        assert body is not None
        file = folder / "data.parquet"
        file.write_bytes(body)
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            found = connection.sql(f"from read_parquet('{file}', hive_partitioning = false)")
            types = dict(zip(found.columns, map(str, found.types), strict=True))
            return types, [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

    def accounting(self, name: str, date: str) -> dict[str, Any]:
        receipt = read_receipt(self.lake, MAIN, keys.date_receipt(date))
        assert receipt is not None
        return dict(receipt.content["accounting"][self.tables[name]])


def api(name: str) -> Any:
    return import_module(f"examples.apis.{name}.api")


def project_of_all(folder: Path) -> Path:
    """Return a dbt project with the sources of all APIs, and no other."""
    project = copy_project(folder)
    for part in ("staging", "intermediate", "curated", "marts"):
        shutil.rmtree(project / "models" / part)
    (project / "models" / "exposures.yml").unlink()
    for name in NAMES:
        target = project / "models" / "staging" / name / f"_{name}__sources.yml"
        target.parent.mkdir(parents=True)
        shutil.copy(APIS / name / "sources.yml", target)
    write_models(project)
    return project


@pytest.fixture(scope="module")
def published(access: LakeAccess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    """Run both days of all APIs at once: dbt's start takes longer than the build of thirteen small tables."""
    project = project_of_all(tmp_path_factory.mktemp("apis"))
    tables = {table.source: table.name for table in read_tables(project)}
    logged: list[str] = []
    with ExitStack() as stack:
        lake = stack.enter_context(repository_of(access, "apis"))
        monkeypatch = stack.enter_context(pytest.MonkeyPatch.context())
        sources = {}
        for name in NAMES:
            url = stack.enter_context(serving(api(name).app()))
            secrets: dict[str, Any] = {field: SecretStr(text) for field, text in api(name).SECRETS.items()}
            sources[name] = SourceSettings(url=url).model_copy(update=secrets)
        # An imitation that asks to wait asks for less than a second.
        settings: Settings = replace(settings_of(monkeypatch, project, ELT_RETRY_WAIT=0.5), sources=sources)

        def run(date: str) -> None:
            run_date(DateRun(execution_date=date, lake=lake, settings=settings, log=log_to(logged.append)))

        run(DAY)
        before = lake.head(MAIN)
        with pytest.raises(SourceRefused) as refused:
            run(EMPTY_DAY)
        untouched = lake.head(MAIN) == before
        run(EMPTY_DAY)
        yield Published(lake, tables, refused.value, untouched, tuple(logged))


@pytest.mark.parametrize("name", NAMES)
def test_a_day_of_each_api_is_published_exactly(name: str, published: Published, tmp_path: Path) -> None:
    records, wanted = api(name).RECORDS, api(name).PUBLISHED
    counts = {"identical": 0, "conflicting": 0, **getattr(api(name), "COUNTS", {})}

    types, rows = published.rows(name, DAY, tmp_path)

    assert rows == wanted
    assert [{column: type(value) for column, value in row.items()} for row in rows] == [
        {column: type(value) for column, value in row.items()} for row in wanted
    ]
    assert types == {
        column: TYPES[next(type(row[column]) for row in wanted if row[column] is not None)] for column in wanted[0]
    }
    accounting = published.accounting(name, DAY)
    assert {part: accounting.get(part) for part in ("raw", "curated", "curated_keys", "rejected", *counts)} == {
        "raw": len(records),
        "curated": len(wanted),
        "curated_keys": len(wanted),
        "rejected": {},
        **counts,
    }
    assert len(records) == len(wanted) + sum(counts.values())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSED])
def test_an_empty_day_of_each_api_is_published_without_a_row(name: str, published: Published, tmp_path: Path) -> None:
    types, rows = published.rows(name, EMPTY_DAY, tmp_path)

    assert (list(types), rows) == (list(api(name).PUBLISHED[0]), [])
    assert published.accounting(name, EMPTY_DAY)["raw"] == 0


def test_a_day_that_is_not_loaded_yet_fails_and_is_published_when_it_is(published: Published, tmp_path: Path) -> None:
    assert api("wikimedia").NO_DATA in published.refused.describe()
    assert published.untouched
    assert published.rows("wikimedia", EMPTY_DAY, tmp_path)[1] == api("wikimedia").PUBLISHED


def test_the_limits_of_github_and_nvd_were_met_and_waited_for(published: Published) -> None:
    refusals = [line for line in published.logged if "answered 403 Forbidden: " in line]
    limits = ("API rate limit exceeded", "Too many requests")
    assert [[limit for limit in limits if limit in line] for line in refusals] == [[limits[0]], [limits[1]]]


def test_rows_of_other_dates_are_reported(published: Published) -> None:
    assert "issues: 2 of 7 rows omitted: of other dates" in "\n".join(published.logged)
    assert published.accounting("github", DAY)["other_dates"] == 2
    assert "other_dates" not in published.accounting("stripe", DAY)


def test_no_secret_is_logged(published: Published) -> None:
    secrets = [
        text for name in NAMES for field, text in api(name).SECRETS.items() if field not in ("user", "client_id")
    ]
    assert [secret for secret in secrets if any(secret in line for line in published.logged)] == []


def test_no_declared_field_is_reported_as_drift(published: Published) -> None:
    drift = {name: published.accounting(name, DAY)["drift"] for name in NAMES}
    assert {name: fields for name, fields in drift.items() if fields} == {}
