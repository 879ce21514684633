"""Each call of the lake module on the real lakeFS, and each status code that lakeFS can return."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from orchestration.errors import (
    Conflict,
    GateRefused,
    LakeBusy,
    LakeDirty,
    LakeError,
    LakeExists,
    LakeNoChanges,
    LakeNotFound,
    LakeRefused,
    LakeServerError,
    LakeUnreachable,
)
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.connection import LakeConnection
from orchestration.lake.errors import error_for
from orchestration.log import SILENT
from tests.helpers.proxy import FaultKind, Proxy, run_proxy

JSON = keys.JSON_CONTENT_TYPE
RAW = keys.RAW_CONTENT_TYPE


@pytest.fixture
def branch(lake: Lake, execution_date: str) -> str:
    name = f"etl-{execution_date}-00000000"
    lake.create_branch(name, lake.head(MAIN))
    return name


@pytest.fixture
def page(execution_date: str) -> str:
    return keys.raw_page("shop", "events", execution_date, 1)


def commit_with_receipt(lake: Lake, branch: str, execution_date: str, body: bytes = b"[]") -> str:
    """Writes a page and its receipt, and commits them."""
    stored = lake.put(branch, keys.raw_page("shop", "events", execution_date, 1), body, RAW)
    receipt = {"status": "pass", "objects": {stored.key: stored.checksum}}
    lake.put(branch, keys.date_receipt(execution_date), json.dumps(receipt).encode(), JSON)
    return lake.commit(branch, "curated", {"execution_date": execution_date})


def test_a_branch_is_created_from_a_commit_and_deleted(lake: Lake, branch: str) -> None:
    assert lake.head(branch) == lake.head(MAIN)
    assert branch in list(lake.branches("etl-"))

    lake.delete_branch(branch)
    lake.delete_branch(branch)

    assert branch not in list(lake.branches("etl-"))


def test_a_file_and_bytes_are_put_with_the_checksum_of_what_was_sent(
    lake: Lake, branch: str, page: str, tmp_path: Path
) -> None:
    body = b"[1]" * 500_000
    (tmp_path / "page").write_bytes(body)
    md5 = hashlib.md5(body).hexdigest()

    stored = lake.put(branch, page, tmp_path / "page", RAW)

    assert (stored.key, stored.checksum, stored.bytes) == (page, md5, len(body))
    assert lake.put(branch, page, body, RAW) == stored
    assert lake.stat(branch, page) == stored
    assert lake.read(branch, page) == body
    assert list(lake.objects(branch, page)) == [stored]


def test_a_missing_object_is_none_and_a_missing_ref_an_error(lake: Lake, branch: str, page: str) -> None:
    assert lake.stat(branch, page) is None
    assert lake.read(branch, page) is None
    for ask in (lake.stat, lake.read):
        with pytest.raises(LakeNotFound, match="no-such-ref"):
            ask("no-such-ref", page)


def test_listings_go_over_all_pages(lake: Lake, branch: str, execution_date: str) -> None:
    names = [keys.raw_page("shop", "events", execution_date, number) for number in range(1, 6)]
    for name in names:
        lake.put(branch, name, b"[]", RAW)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestration.lake.connection.PAGE", 2)
        assert [found.key for found in lake.objects(branch, f"raw/shop/events/date={execution_date}/")] == names
        assert list(lake.uncommitted(branch)) == names


def test_keys_are_deleted_and_missing_ones_are_ignored(lake: Lake, branch: str, page: str) -> None:
    lake.put(branch, page, b"[]", RAW)

    lake.delete(branch, [page, "raw/shop/events/date=1999-01-01/page-00001.json"])

    assert lake.stat(branch, page) is None


def test_a_commit_keeps_message_and_metadata(lake: Lake, branch: str, page: str) -> None:
    before = lake.head(branch)
    lake.put(branch, page, b"[]", RAW)
    assert lake.uncommitted(branch) == (page,)

    commit = lake.commit_of(lake.commit(branch, "raw", {"base": before}))

    assert commit.id == lake.head(branch)
    assert commit.parents == (before,)
    assert commit.metadata == {"base": before}
    assert lake.uncommitted(branch) == ()


def test_a_merge_is_found_again_by_its_commit(lake: Lake, branch: str, execution_date: str) -> None:
    commit = commit_with_receipt(lake, branch, execution_date)
    assert lake.merge_of(commit) is None

    merge = lake.merge(commit, f"publish {execution_date}", {"execution_date": execution_date})

    assert lake.head(MAIN) == merge
    assert lake.merge_of(commit) == merge
    assert lake.merge(commit, "again", {}) == merge
    first = next(lake.log(MAIN))
    assert (first.id, first.parents[1], first.metadata["execution_date"]) == (merge, commit, execution_date)


# The status codes 400 to 412, each provoked.


def test_the_error_for_an_invalid_branch_name_has_the_allowed_form(lake: Lake) -> None:
    with pytest.raises(LakeError, match="must consist of letters, digits, underscores and dashes"):
        lake.create_branch("etl/2025-05-20", lake.head(MAIN))


def test_a_commit_that_changes_nothing_is_no_changes(lake: Lake, branch: str) -> None:
    with pytest.raises(LakeNoChanges, match="no changes"):
        lake.commit(branch, "raw", {})


def test_a_merge_that_changes_nothing_is_no_changes(lake: Lake, branch: str, page: str) -> None:
    lake.put(branch, page, b"[]", RAW)
    lake.commit(branch, "raw", {})
    lake.delete(branch, [page])
    commit = lake.commit(branch, "gone again", {})

    with pytest.raises(LakeNoChanges):
        lake.merge(commit, "nothing", {})


def test_wrong_keys_are_refused_with_the_remedy(access: LakeAccess) -> None:
    stranger = replace(access, secret_key=SecretStr("wrong"))
    connection = LakeConnection(stranger, timeout=10)

    with pytest.raises(LakeRefused, match="401") as error:
        Lake(connection, "project").head(MAIN)

    connection.close()
    assert "LAKEFS_SECRET_KEY" in error.value.remedy
    assert "wrong" not in error.value.describe()


def test_main_takes_no_writes_and_no_commits(lake: Lake, page: str) -> None:
    with pytest.raises(LakeRefused, match="403"):
        lake.put(MAIN, page, b"[]", RAW)
    with pytest.raises(LakeRefused, match="403"):
        lake.delete(MAIN, [page])
    with pytest.raises(LakeRefused, match="403"):
        lake.commit(MAIN, "by hand", {})


def test_a_missing_repository_branch_or_source_is_not_found(
    lake: Lake, open_repository: Callable[..., Lake], page: str
) -> None:
    with pytest.raises(LakeNotFound):
        open_repository("no-such-project").head(MAIN)
    with pytest.raises(LakeNotFound):
        lake.put("no-such-branch", page, b"[]", RAW)
    with pytest.raises(LakeNotFound):
        lake.create_branch("sandbox-x", "no-such-commit")


def test_a_taken_branch_name_exists(lake: Lake, branch: str, page: str) -> None:
    lake.put(branch, page, b"[]", RAW)
    lake.commit(branch, "raw", {})

    with pytest.raises(LakeExists):
        lake.create_branch(branch, lake.head(MAIN))


def test_another_publication_of_the_same_keys_is_a_conflict(lake: Lake, execution_date: str) -> None:
    base = lake.head(MAIN)
    commits = []
    for number, body in enumerate([b"[1]", b"[2]"]):
        name = f"etl-{execution_date}-{number:08d}"
        lake.create_branch(name, base)
        commits.append(commit_with_receipt(lake, name, execution_date, body))
    lake.merge(commits[0], "first", {})

    with pytest.raises(Conflict, match="main changed the same keys"):
        lake.merge(commits[1], "second", {})


def test_the_message_of_the_gate_is_kept(lake: Lake, branch: str, page: str, execution_date: str) -> None:
    lake.put(branch, page, b"[]", RAW)
    commit = lake.commit(branch, "raw", {})
    before = lake.head(MAIN)

    with pytest.raises(GateRefused) as error:
        lake.merge(commit, "without receipt", {})

    receipt = keys.date_receipt(execution_date)
    assert error.value.cause.endswith(f"the gate refused it: {page} is not listed in {receipt}")
    assert lake.head(MAIN) == before


def test_a_stray_write_on_main_is_named(open_repository: Callable[..., Lake], page: str, execution_date: str) -> None:
    from orchestration.lake.setup import ensure_repository

    bare = open_repository("stray-writes")
    ensure_repository(bare, "lakefs", SILENT)
    bare.put(MAIN, page, b"[]", RAW)
    bare.create_branch("etl-x", bare.head(MAIN))

    with pytest.raises(LakeDirty, match=page) as error:
        bare.merge(commit_with_receipt(bare, "etl-x", execution_date), "blocked", {})

    assert "elt init --discard-stray" in error.value.remedy


# Unclear responses.


@pytest.fixture
def proxy(access: LakeAccess) -> Iterator[Proxy]:
    with run_proxy(access.endpoint) as running:
        yield running


@pytest.fixture
def faulty(open_repository: Callable[..., Lake], proxy: Proxy) -> Lake:
    return open_repository("project", proxy.url)


UNCLEAR: list[tuple[FaultKind, bool]] = [("429", False), ("500", False), ("500", True), ("drop", False), ("drop", True)]


@pytest.mark.parametrize(("fault", "processed"), UNCLEAR)
def test_every_call_survives_an_unclear_response(
    lake: Lake, faulty: Lake, proxy: Proxy, execution_date: str, page: str, fault: FaultKind, processed: bool
) -> None:
    branch = f"etl-{execution_date}-00000000"
    base = lake.head(MAIN)
    proxy.inject("POST", "/branches", fault, processed=processed)
    faulty.create_branch(branch, base)
    proxy.inject("POST", "/objects?", fault, processed=processed)
    faulty.put(branch, page, b"[]", RAW)
    proxy.inject("POST", "/objects/delete", fault, processed=processed)
    faulty.delete(branch, ["raw/shop/events/date=1999-01-01/page-00001.json"])
    proxy.inject("POST", "/commits", fault, processed=processed)
    proxy.inject("GET", "/objects/stat", fault, processed=processed)
    assert faulty.stat(branch, page) is not None
    commit = commit_with_receipt(faulty, branch, execution_date)
    proxy.inject("POST", "/merge/", fault, processed=processed)
    merge = faulty.merge(commit, "publish", {"execution_date": execution_date})
    proxy.inject("DELETE", "/branches/", fault, processed=processed)
    faulty.delete_branch(branch)

    assert not [planned for planned in proxy.planned if planned.times]
    assert [entry.id for entry in lake.log(MAIN) if entry.metadata.get("execution_date") == execution_date] == [merge]
    assert lake.commit_of(commit).parents == (base,)


@pytest.mark.parametrize(("fault", "error"), [("429", LakeBusy), ("500", LakeServerError), ("drop", LakeUnreachable)])
def test_each_kind_of_repeated_unclear_response_has_its_own_error(
    faulty: Lake, proxy: Proxy, fault: FaultKind, error: type[LakeError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.lake.connection._WAITS", (0.01, 0.01, 0.01))
    proxy.inject("GET", "/commits/main", fault, processed=False, times=99)

    with pytest.raises(error, match="read main"):
        faulty.head(MAIN)

    assert len(proxy.requests) == 4


def test_the_error_for_an_unreachable_lake_has_the_remedy(access: LakeAccess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestration.lake.connection._WAITS", (0.01, 0.01, 0.01))
    connection = LakeConnection(replace(access, endpoint="http://127.0.0.1:9"), timeout=2)
    nowhere = Lake(connection, "project")

    with pytest.raises(LakeUnreachable, match=r"http://127\.0\.0\.1:9") as error:
        nowhere.head(MAIN)
    with pytest.raises(LakeUnreachable):
        nowhere.put("branch", "key", b"", RAW)

    connection.close()
    assert "elt up" in error.value.remedy


def test_a_status_code_without_its_own_class_is_a_lake_error() -> None:
    assert type(error_for("ask", 418, "teapot")) is LakeError
