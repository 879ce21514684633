"""Ways to change `main` without the gate: what prevents each, what lakeFS allows, and how a merge corrects it."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestration.errors import GateMissing, GateRefused, LakeRefused
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.gate import gate_file, require_gate
from orchestration.lake.setup import ensure_gate
from orchestration.log import SILENT
from tests.helpers.gate_branches import (
    Writes,
    audited_pages,
    commit,
    install_gate,
    md5,
    merge,
    page,
    receipt,
    require_refused,
)
from tests.helpers.mutations import OPEN_GATE

DATE = "2025-05-20"
OTHER = "2025-05-21"


@pytest.fixture
def gated(open_repository: Callable[..., Lake], execution_date: str) -> Lake:
    """A separate repository whose `main` is not protected."""
    return install_gate(open_repository(f"gated-{execution_date}"))


def before_the_gate(lake: Lake) -> str:
    *_, first = lake.log(MAIN)
    return first.id


def merge_without_gate(lake: Lake, writes: Writes) -> None:
    """Merges a branch that is older than the gate, for which lakeFS does not run the gate."""
    merge(lake, writes, before_the_gate(lake))


def commit_tree(lake: Lake, metarange: str) -> Any:
    import lakefs_sdk

    api = lakefs_sdk.CommitsApi(lake.connection.sdk)
    creation = lakefs_sdk.CommitCreation(message="a whole tree")
    return lake.connection.call("commit", api.commit, lake.repository, MAIN, creation, source_metarange=metarange)


def reset_hard(lake: Lake, to: str) -> None:
    import lakefs_sdk

    api = lakefs_sdk.ExperimentalApi(lake.connection.sdk)
    lake.connection.call("reset", api.hard_reset_branch, lake.repository, MAIN, to)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lake, tree: lake.put(MAIN, page(DATE), b"[]", keys.RAW_CONTENT_TYPE), "cannot write to protected"),
        (lambda lake, tree: lake.delete(MAIN, [keys.GATE]), "cannot write to protected"),
        (lambda lake, tree: lake.commit(MAIN, "by hand", {}), "cannot commit to protected"),
        (lambda lake, tree: commit_tree(lake, tree), "cannot commit to protected"),
        (lambda lake, tree: reset_hard(lake, before_the_gate(lake)), "protected branch"),
        (lambda lake, tree: lake.delete_branch(MAIN), "cannot delete repository default branch"),
    ],
    ids=["put", "delete", "commit", "commit of a tree", "hard reset", "deletion of the branch"],
)
def test_protection_forbids(lake: Lake, change: Callable[[Lake, str], object], says: str) -> None:
    head = lake.commit_of(MAIN)

    with pytest.raises(LakeRefused, match=f"403: {says}"):
        change(lake, head.metarange)

    assert lake.head(MAIN) == head.id
    assert lake.uncommitted(MAIN) == ()


def test_the_gate_refuses_direct_commits_if_protection_is_lifted(gated: Lake) -> None:
    before = gated.head(MAIN)
    tree = gated.commit_of(commit(gated, {page(DATE): b"[]"})).metarange

    with pytest.raises(GateRefused, match="by merges only, not by pre-commit"):
        commit_tree(gated, tree)
    gated.put(MAIN, page(DATE), b"[]", keys.RAW_CONTENT_TYPE)
    with pytest.raises(GateRefused, match="by merges only, not by pre-commit"):
        gated.commit(MAIN, "by hand", {})

    assert gated.head(MAIN) == before


def test_a_changed_gate_checks_its_own_change(gated: Lake) -> None:
    require_refused(gated, {keys.GATE: gate_file() + b"# changed\n"}, "does not say gate_change: approved")


@pytest.mark.parametrize(
    ("writes", "is_older", "says", "init"),
    [
        ({}, True, "is missing in", "unchanged"),
        ({keys.GATE: None}, False, "is missing in", "installed"),
        ({keys.GATE: OPEN_GATE}, False, "is not this version's", "replaced"),
    ],
    ids=["older than the gate", "without the gate", "with an emptied gate"],
)
def test_a_branch_that_lakefs_does_not_gate_is_refused_by_the_pipeline(
    gated: Lake, writes: Writes, is_older: bool, says: str, init: str
) -> None:
    bare = commit(gated, {**writes, page(DATE): b"[]"}, before_the_gate(gated) if is_older else None)

    with pytest.raises(GateMissing, match=says) as error:
        require_gate(gated, bare)
    assert error.value.remedy == "elt init"

    assert gated.merge(bare, "lakeFS reads the hooks of the source", {}) == gated.head(MAIN)
    assert gated.stat(MAIN, page(DATE)) is not None
    assert ensure_gate(gated, SILENT) == init
    require_refused(gated, {page(OTHER): b"[]"}, "is not listed in")


# Writes that were merged without the gate.


UNSOUND: list[tuple[str, bytes, str]] = [
    ("no JSON", b"pass", "is not a receipt"),
    ("a list", b"[]", "is not a receipt"),
    ("no objects", b'{"status": "pass"}', "is not a receipt"),
    ("a list of objects", receipt([page(DATE)]), "which it does not cover"),
    ("a null listed", receipt({page(DATE): None}), "lists a key as null"),
    ("failing", receipt({page(DATE): md5(b"[1]")}, "fail"), "does not pass"),
    ("another date's object", receipt({page(OTHER): md5(b"[3]")}), "which it does not cover"),
]


@pytest.mark.parametrize(("body", "says"), [case[1:] for case in UNSOUND], ids=[case[0] for case in UNSOUND])
def test_a_merge_corrects_an_invalid_receipt(gated: Lake, body: bytes, says: str) -> None:
    merge_without_gate(gated, {page(DATE): b"[1]", keys.date_receipt(DATE): body, **audited_pages(OTHER, {1: b"[3]"})})
    sound = audited_pages(DATE, {1: b"[1]"})

    require_refused(gated, {page(DATE): b"[0]"}, says)
    merge(gated, audited_pages("2025-05-22", {1: b"[4]"}))
    merge(gated, sound)

    assert gated.read(MAIN, keys.date_receipt(DATE)) == sound[keys.date_receipt(DATE)]


def test_a_merge_lists_or_removes_an_object_without_a_receipt(gated: Lake) -> None:
    merge_without_gate(gated, {page(DATE): b"[1]", page(OTHER): b"[3]"})

    require_refused(gated, {page(DATE): b"[0]"}, "is not listed in")
    merge(gated, {page(DATE): None})
    merge(gated, audited_pages(OTHER, {1: b"[4]"}))

    assert gated.stat(MAIN, page(DATE)) is None


def test_a_merge_may_remove_a_forbidden_key_but_not_change_it(gated: Lake) -> None:
    merge_without_gate(gated, {"foo/x": b"1", "_receipts/other.json": b"{}"})

    require_refused(gated, {"foo/x": b"2"}, "foo/x is not allowed on main")
    require_refused(gated, {"_receipts/other.json": b"[]"}, "_receipts/other.json is not allowed on main")
    merge(gated, {"foo/x": None, "_receipts/other.json": None})

    assert [found.key for found in gated.objects(MAIN)] == [keys.GATE]
