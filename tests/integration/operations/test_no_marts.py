"""A project of another source and without marts, in every command and in the deployments, on real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from examples.apis.imitation import DAY
from examples.apis.usgs import api as usgs
from examples.events_api import serving
from orchestration.dbt_runner import docs
from orchestration.errors import UsageError
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.servers.background import LocalServer
from tests.helpers.dbt_runs import dbt
from tests.helpers.elt_runs import ELT, prefect_environment
from tests.helpers.isolation import ENVIRONMENT
from tests.helpers.nightly import follower, run_nightly
from tests.helpers.own_lake import repository_of, variables_of
from tests.helpers.projects import quakes_project

BEFORE = "2025-05-19"
ROWS = len(usgs.PUBLISHED)


@dataclass(frozen=True)
class Quakes:
    """A project, its published day on a lake, and the environment of its user.

    Attributes:
        project: The project.
        lake: The lake.
        environment: The environment.
    """

    project: Path
    lake: Lake
    environment: dict[str, str] = field(repr=False)

    def elt(self, *arguments: str, code: int = 0) -> Any:
        """Run a command, and return the JSON that it prints."""
        return json.loads(self.text(*arguments, "--json", code=code))

    def text(self, *arguments: str, code: int = 0) -> str:
        """Run a command, and return what it prints."""
        ended = subprocess.run(
            [sys.executable, "-c", ELT, *arguments],
            env=self.environment,
            cwd=self.project,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == code, ended.stdout + ended.stderr
        return ended.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return quakes_project(tmp_path_factory.mktemp("quakes"))


@pytest.fixture(scope="module")
def quakes(
    project: Path, access: LakeAccess, prefect_server: LocalServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Quakes]:
    """The project, with one day that `elt run` published."""
    folder = tmp_path_factory.mktemp("user")
    with ExitStack() as stack:
        lake = stack.enter_context(repository_of(access, "quakes"))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DO_NOT_TRACK": "1",
            **ENVIRONMENT,
            **prefect_environment(prefect_server),
            "ELT_PROJECT_DIR": str(project),
            "ELT_STATE_DIR": str(folder / "state"),
            "ELT_REPOSITORY": "quakes",
            **variables_of(access),
            "USGS_API_URL": stack.enter_context(serving(usgs.app())),
        }
        found = Quakes(project, lake, environment)
        found.elt("init")
        assert found.elt("marts")["outcome"] == "skipped"
        assert found.elt("run", DAY)["rows"] == {"earthquakes": ROWS}
        yield found


def test_marts_are_skipped_in_one_line_and_change_nothing(quakes: Quakes) -> None:
    head = quakes.lake.head(MAIN)

    assert quakes.text("marts") == "marts skipped: the project has none\n"
    assert quakes.text("marts", "--full") == "marts skipped: the project has none\n"
    assert quakes.elt("marts") == {
        "subject": "marts",
        "outcome": "skipped",
        "commit": head,
        "rows": {},
        "replaced": False,
    }
    assert quakes.lake.head(MAIN) == head
    assert quakes.lake.stat(MAIN, keys.MARTS_RECEIPT) is None
    assert list(quakes.lake.branches("etl-marts")) == []


def test_the_report_shows_the_table_and_no_mart(quakes: Quakes) -> None:
    quakes.elt("report")

    body = quakes.lake.read("reports", "reports/eda.html")
    assert body is not None
    page = body.decode()
    assert "Table earthquakes" in page
    assert "magnitude" in page
    assert "mart" not in page
    assert "evenue" not in page


def test_published_rows_are_shown_queried_and_verified(quakes: Quakes) -> None:
    assert quakes.elt("sql", "select count(*) from earthquakes")["rows"] == [[ROWS]]
    assert [one["execution_date"] for one in quakes.elt("log")["publications"]] == [DAY]
    assert quakes.elt("show", DAY)["versions"][0]["rows"]["earthquakes"] == ROWS
    assert quakes.text("rejects", DAY)
    assert [one["outcome"] for one in quakes.elt("verify", "--all")["verified"]] == ["identical"]
    assert quakes.elt("audit", "--deep")["findings"] == []
    quakes.elt("check", DAY)
    quakes.elt("clean")
    assert "stale" not in quakes.text("status")


def test_doctor_finds_nothing_about_marts(quakes: Quakes) -> None:
    # Without deployments and schedules some checks fail, whatever the project.
    ended = subprocess.run(
        [sys.executable, "-c", ELT, "doctor"],
        env=quakes.environment,
        cwd=quakes.project,
        capture_output=True,
        text=True,
    )

    lines = [line for line in ended.stdout.splitlines() if "source" in line]
    assert any("usgs" in line for line in lines), ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    assert "selector" not in ended.stdout


def test_a_backfill_ends_with_skipped_marts_and_a_date_goes_back(quakes: Quakes) -> None:
    done = quakes.elt("backfill", BEFORE, BEFORE, "--yes")
    assert (done["marts"], done["marts_failed"]) == ("marts skipped: the project has none", None)

    shown = quakes.elt("rollback", "--date", BEFORE)["plan"]
    back = quakes.elt("rollback", "--date", BEFORE, "--reason", "one day is enough", "--yes")

    assert (shown["marts"], shown["stale"]) == (False, [])
    assert quakes.lake.head(MAIN) == back["commit"]


def test_a_sandbox_and_the_raw_sample_are_built_with_dbt(quakes: Quakes, tmp_path: Path) -> None:
    created = quakes.elt("sandbox", "create", "mine")
    ended = dbt(quakes.project, "build", "--target", "sandbox", environment={**quakes.environment, **created})
    assert ended.code == 0, ended.out
    assert [one["key"] for one in quakes.elt("sandbox", "diff", "mine")["differences"]] == []
    quakes.elt("sandbox", "drop", "mine")

    page = docs.write_docs(quakes.project, tmp_path).read_text(encoding="utf-8")
    assert "stg_usgs__earthquakes" in page


def test_a_project_without_a_selector_of_its_dates_is_refused(quakes: Quakes, tmp_path: Path) -> None:
    other = quakes_project(tmp_path / "project")
    text = (other / "selectors.yml").read_text()
    (other / "selectors.yml").write_text(text.replace("name: date", "name: night"))

    failed = Quakes(other, quakes.lake, {**quakes.environment, "ELT_PROJECT_DIR": str(other)}).elt("run", DAY, code=2)

    assert failed["outcome"] == UsageError.outcome
    assert failed["cause"] == "selectors.yml has no selector date"


def test_the_deployments_publish_a_date_skip_the_marts_and_report(
    project: Path, prefect_server: LocalServer, tmp_path: Path
) -> None:
    with (
        serving(usgs.app()) as url,
        run_nightly(prefect_server, tmp_path, project, USGS_API_URL=url) as nightly,
    ):
        run = nightly.date(DAY)
        skipped = follower(nightly, "marts", run)
        reported = follower(nightly, "eda-report", run)
        for automation in nightly.client.read_automations():
            nightly.client.pause_automation(automation.id)
        filled = nightly.ended(nightly.begin("backfill/backfill", first=BEFORE, last=BEFORE))
        again = follower(nightly, "marts", filled)
        cleaned = nightly.ended(nightly.begin("housekeeping/housekeeping"))
        checked = nightly.ended(nightly.begin("nightly-check/nightly-check", execution_date=DAY))

        states = (run, skipped, reported, filled, again, cleaned, checked)
        page = nightly.lake.read("reports", "reports/eda.html")
    assert [one.state_name for one in states] == [
        "Published",
        "Skipped",
        "Reported",
        "Planned",
        "Skipped",
        "Cleaned",
        "Completed",
    ]
    assert page is not None
    assert DAY.encode() in page
