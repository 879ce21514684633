"""What `main` had: the versions of a date, publications by date and time, and points of its history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import lakefs_sdk
import pytest

from examples.events_api import Options, accounting, create_app, serving
from orchestration.analyst.query import query
from orchestration.errors import UsageError
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.history import publications
from orchestration.lake.setup import init_lake
from orchestration.log import SILENT
from orchestration.operations.points import parse_time, point_on_main
from orchestration.operations.versions import versions_of
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR
from tests.helpers.projects import copy_project, request_for, settings_of

FIRST, SECOND = "2025-05-20", "2025-05-21"


@dataclass(frozen=True)
class History:
    """A repository with three publications, by their commits."""

    lake: Lake
    first: str
    second: str
    again: str


@pytest.fixture(scope="module")
def history(open_repository: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory) -> History:
    lake = open_repository("history")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    project = copy_project(tmp_path_factory.mktemp("project"))
    commits = []
    for execution_date, rows in ((FIRST, 200), (SECOND, 200), (FIRST, 300)):
        with serving(create_app(Options(rows=rows))) as url, pytest.MonkeyPatch.context() as monkeypatch:
            settings = settings_of(monkeypatch, project, SHOP_API_URL=url)
            origin = {"code_version": f"code of {rows}"}
            commits.append(run_date(request_for(lake, settings, execution_date, origin=origin)).commit)
    return History(lake, *commits)


def test_a_date_has_a_version_for_each_change_latest_first(history: History) -> None:
    latest, former = versions_of(history.lake, FIRST)

    assert (latest.commit, former.commit) == (history.again, history.first)
    assert (latest.outcome, former.outcome) == ("superseded", "published")
    assert (latest.code_version, former.code_version) == ("code of 300", "code of 200")
    assert (latest.run_type, latest.by, latest.reason) == ("daily", former.by, "")
    for version, rows in ((latest, 300), (former, 200)):
        expected = accounting(rows)
        assert version.raw["events"] == expected.raw
        assert version.rows["events"] == expected.curated
        assert version.rejected["events"] == sum(expected.reasons.values())
    assert former.at <= latest.at <= datetime.now(UTC)


def test_a_date_that_was_never_published_has_no_versions(history: History) -> None:
    assert list(versions_of(history.lake, "2025-05-22")) == []


def test_publications_are_found_by_date_and_by_time(history: History) -> None:
    last = next(publications(history.lake)).published_at

    assert [one.commit for one in publications(history.lake)] == [history.again, history.second, history.first]
    assert [one.commit for one in publications(history.lake, execution_date=FIRST)] == [history.again, history.first]
    assert history.again in [one.commit for one in publications(history.lake, since=last)]
    assert list(publications(history.lake, since=last + timedelta(seconds=1))) == []
    assert [
        one.commit for one in publications(history.lake, execution_date=SECOND, since=last - timedelta(days=1))
    ] == [history.second]


def test_a_point_is_a_commit_its_beginning_a_tag_or_a_time(history: History) -> None:
    lake = history.lake
    lakefs_sdk.TagsApi(lake.connection.sdk).create_tag(
        lake.repository, lakefs_sdk.TagCreation(id="release-1", ref=history.second)
    )
    created = datetime.fromtimestamp(lake.commit_of(history.again).created, UTC)

    assert point_on_main(lake, history.first).id == history.first
    assert point_on_main(lake, history.first[:10]).id == history.first
    assert point_on_main(lake, "release-1").id == history.second
    assert point_on_main(lake, MAIN).id == history.again
    assert point_on_main(lake, created.isoformat()).id == history.again
    assert point_on_main(lake, (created + timedelta(days=1)).strftime("%Y-%m-%d %H:%M")).id == history.again
    assert point_on_main(lake, (created + timedelta(days=2)).strftime("%Y-%m-%d")).id == history.again


def test_sql_reads_a_point_of_the_history(history: History) -> None:
    counted = "select count(*) from events"

    then, now = (query(history.lake, counted, commit).rows[0][0] for commit in (history.first, None))

    assert then == accounting(200).curated
    assert now == accounting(300).curated + accounting(200).curated


@pytest.mark.parametrize(
    ("point", "problem"),
    [
        ("1999-12-31", "main did not exist at 1999-12-31: it begins at "),
        ("2025-02-30", "'2025-02-30' is not a time"),
        ("2025-05-20T03:00 in the morning", "'2025-05-20T03:00 in the morning' is not a time"),
        ("abcdefabcdef", "there is no commit or tag abcdefabcdef"),
        ("no-such-tag", "there is no commit or tag no-such-tag"),
        ("", "'' is not a commit, a tag or a time"),
        ("main; drop", "'main; drop' is not a commit, a tag or a time"),
    ],
)
def test_a_point_that_is_not_on_main_is_refused(history: History, point: str, problem: str) -> None:
    with pytest.raises(UsageError) as error:
        point_on_main(history.lake, point)

    assert error.value.cause.startswith(problem)
    assert error.value.remedy


def test_a_commit_that_was_never_the_head_of_main_is_refused(history: History) -> None:
    tested = history.lake.commit_of(history.first).parents[1]

    with pytest.raises(UsageError, match="was never the head of main"):
        point_on_main(history.lake, tested)


def test_a_beginning_of_several_commits_is_refused(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    head = history.lake.commit_of(MAIN)
    same = [type(head)(f"abcdef{number}{'0' * 57}", (), {}, "m", 0) for number in (1, 2)]
    monkeypatch.setattr(Lake, "log", lambda self, ref: iter(same))

    with pytest.raises(UsageError, match="abcdef begins 2 commits of main: abcdef1000, abcdef2000"):
        point_on_main(history.lake, "abcdef")


def test_a_time_without_an_offset_is_utc() -> None:
    assert parse_time("2025-05-20T03:00") == datetime(2025, 5, 20, 3, tzinfo=UTC)
    assert parse_time("2025-05-20T03:00+02:00") == datetime(2025, 5, 20, 1, tzinfo=UTC)
