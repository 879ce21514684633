"""A project and a lake of the version before, with this version: it reads them, audits them and publishes to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from examples.events_api import Options, create_app, serving
from orchestration.cli.app import app
from orchestration.context import MartsRun
from orchestration.doctor.checks import carry_out
from orchestration.doctor.project import project_checks
from orchestration.errors import GateMissing, UsageError
from orchestration.lake import keys
from orchestration.lake.catalog import published_dates
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.gate import gate_file
from orchestration.lake.receipt import read_receipt
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.marts import run_marts
from orchestration.operations.audit import audit_main
from orchestration.operations.verify import verify_dates, verify_marts
from orchestration.run import run_date
from orchestration.scaffold.upgrade import upgrade_project
from orchestration.settings import Settings, read_settings
from tests.fixtures.make_fixture import DATES, ROWS
from tests.helpers.dbt_runs import dbt
from tests.helpers.earlier import VERSION_0_1, earlier_project, moved_project, restored_lake
from tests.helpers.gate_versions import version_with_gate
from tests.helpers.own_lake import OwnLake, own_lake
from tests.helpers.projects import request_for, settings_of

NEXT = "2025-05-22"
WITHOUT_HOOKS = "was merged into main without a completed run of the gate"
"""What the audit says of the merges in lakeFS's dump, which has no records of hooks."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnLake]:
    with own_lake(tmp_path_factory.mktemp("lakefs")) as one:
        yield one


@pytest.fixture(scope="module")
def restore(own: OwnLake) -> Iterator[Callable[[], Lake]]:
    """Returns a function that restores the lake of 0.1, each time as another repository."""
    restored: list[Lake] = []
    numbers = count()

    def one() -> Lake:
        restored.append(restored_lake(own, VERSION_0_1, f"of-0-1-{next(numbers)}"))
        return restored[-1]

    yield one
    for lake in restored:
        lake.connection.close()


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of 0.1 as it is, with macros of its own."""
    return earlier_project(VERSION_0_1, tmp_path_factory.mktemp("clone") / "shop")


@pytest.fixture(scope="module")
def moved(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same project, moved as docs/upgrading.md says."""
    return moved_project(clone, tmp_path_factory.mktemp("moved") / "shop")


@pytest.fixture(params=["clone", "moved"])
def project(request: pytest.FixtureRequest) -> Path:
    """Each of both."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    with serving(create_app(Options(rows=ROWS))) as url:
        yield url


def elt(monkeypatch: pytest.MonkeyPatch, lake: Lake, project: Path, *arguments: str) -> Any:
    """Runs a command on a lake, and returns the JSON that it prints."""
    access = lake.connection.access
    settings_of(
        monkeypatch,
        project,
        LAKEFS_ENDPOINT=access.endpoint,
        LAKEFS_ACCESS_KEY=access.access_key.get_secret_value(),
        LAKEFS_SECRET_KEY=access.secret_key.get_secret_value(),
        ELT_REPOSITORY=lake.repository,
    )
    ended = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    return json.loads(ended.stdout)


def marts(lake: Lake, settings: Settings) -> str:
    return run_marts(MartsRun(lake=lake, settings=settings, log=SILENT)).outcome


def test_what_is_published_is_read(monkeypatch: pytest.MonkeyPatch, restore: Callable[[], Lake], project: Path) -> None:
    lake = restore()

    published = elt(monkeypatch, lake, project, "log")["publications"]
    assert [one["rows"].get("events") for one in published if one["rows"].get("events")] == [ROWS - 2] * len(DATES)
    shown = elt(monkeypatch, lake, project, "show", DATES[0])
    assert [version["rejected"]["events"] for version in shown["versions"]] == [1]
    events = "select count(*) as n, count(distinct _execution_date) as days from events"
    assert elt(monkeypatch, lake, project, "sql", events)["rows"] == [[(ROWS - 2) * len(DATES), len(DATES)]]
    sold = "select count(distinct execution_date) as days from daily_sales"
    assert elt(monkeypatch, lake, project, "sql", sold)["rows"] == [[len(DATES)]]
    rejected = elt(monkeypatch, lake, project, "rejects", DATES[0])
    assert "event_id_missing" in json.dumps(rejected)


def test_the_audit_finds_nothing_but_what_the_dump_lacks_until_init(restore: Callable[[], Lake], clone: Path) -> None:
    lake = restore()
    merges = len(DATES) + 2

    before = audit_main(lake, deep=True)
    init_lake(lake, "lakefs", clone, SILENT)
    after = audit_main(lake, deep=True)

    assert [one.problem for one in before.findings] == ["is not protected from writes", *[WITHOUT_HOOKS] * merges]
    assert [one.problem for one in after.findings] == [WITHOUT_HOOKS] * merges
    assert (after.dates, after.commit) == (len(DATES), before.commit)


def test_a_later_gate_stops_runs_until_init_replaces_it(
    monkeypatch: pytest.MonkeyPatch, restore: Callable[[], Lake], clone: Path, shop: str
) -> None:
    lake = restore()
    init_lake(lake, "lakefs", clone, SILENT)
    settings = settings_of(monkeypatch, clone, SHOP_API_URL=shop)
    head = lake.head(MAIN)

    with version_with_gate(gate_file() + b"# A later version.\n"):
        assert [one.subject for one in audit_main(lake, deep=True).findings if one.problem != WITHOUT_HOOKS] == [
            keys.GATE
        ]
        with pytest.raises(GateMissing) as refused:
            run_date(request_for(lake, settings, NEXT))
        assert (refused.value.remedy, lake.head(MAIN)) == ("elt init", head)

        assert init_lake(lake, "lakefs", clone, SILENT).gate == "replaced"
        assert run_date(request_for(lake, settings, NEXT)).outcome == "published"
        known = {one.subject for one in audit_main(lake).findings if one.problem == WITHOUT_HOOKS}
        assert len(known) == len(audit_main(lake, deep=True).findings) == len(DATES) + 2

    with pytest.raises(GateMissing):
        run_date(request_for(lake, settings, NEXT))
    assert init_lake(lake, "lakefs", clone, SILENT).gate == "replaced"
    assert run_date(request_for(lake, settings, NEXT)).outcome == "unchanged"


@pytest.mark.parametrize(("which", "again"), [("clone", "unchanged"), ("moved", "superseded")])
def test_dates_are_published_and_rebuilt_to_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    restore: Callable[[], Lake],
    shop: str,
    which: str,
    again: str,
) -> None:
    """The text of macros in the package differs from that of 0.1, so a date counts as built by other code."""
    lake, project = restore(), request.getfixturevalue(which)
    init_lake(lake, "lakefs", project, SILENT)
    settings = settings_of(monkeypatch, project, SHOP_API_URL=shop)
    former = {date: read_receipt(lake, MAIN, keys.date_receipt(date)) for date in DATES}

    verified = [*verify_dates(lake, settings, DATES, SILENT), verify_marts(lake, settings, SILENT)]
    outcomes = [run_date(request_for(lake, settings, date)).outcome for date in (DATES[0], DATES[0], NEXT)]
    of_marts = [marts(lake, settings) for _ in range(2)]

    assert [one and one.outcome for one in verified] == ["identical"] * (len(DATES) + 1)
    assert outcomes == [again, "unchanged", "published"]
    assert of_marts == ["superseded", "unchanged"]
    assert published_dates(lake, MAIN) == (*DATES, NEXT)
    for date, receipt in former.items():
        now = read_receipt(lake, MAIN, keys.date_receipt(date))
        assert receipt is not None
        assert now is not None
        assert now.objects == receipt.objects
        assert (now.code == receipt.code) == (again == "unchanged" or date != DATES[0])
    assert {one.problem for one in audit_main(lake, deep=True).findings} == {WITHOUT_HOOKS}
    assert len(audit_main(lake).findings) == len(DATES) + 2


def test_the_doctor_names_what_is_old(clone: Path, moved: Path) -> None:
    old, new = (
        {one.check: one for one in carry_out(tuple(project_checks(read_settings(project))))}
        for project in (clone, moved)
    )

    assert {name for name, one in old.items() if one.state != "ok"} == {"macros"}
    assert "docs/upgrading.md" in old["macros"].remedy
    assert {one.state for one in new.values()} == {"ok"}


def test_dbt_builds_each_project_on_its_sample(project: Path) -> None:
    ended = dbt(project, "build")

    assert ended.code == 0, ended.out


def test_the_moved_project_has_nothing_of_the_package_and_is_upgraded_from_now_on(moved: Path, clone: Path) -> None:
    assert [path.relative_to(moved).as_posix() for path in moved.glob("macros/**/*.sql")] == [
        "macros/marts/sales_figures.sql"
    ]
    assert not list(moved.glob("tests/data/generic/*"))
    assert list(moved.glob("tests/data/singular/*.sql"))
    assert upgrade_project(moved).replaced == ()
    with pytest.raises(UsageError, match=r"or one of ingest-clean 0\.1"):
        upgrade_project(clone)
