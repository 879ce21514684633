"""The gate on the real lakeFS: a merge that the receipts do not cover is refused, and `main` is unchanged."""

from collections.abc import Callable
from typing import Any

import pytest

from orchestration.errors import GateRefused
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
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

OTHER_ACTION = b"""
name: other
on:
  post-merge:
    branches: ["elsewhere"]
hooks:
  - id: nothing
    type: lua
    properties:
      script: print("nothing")
"""


def test_an_audited_date_is_merged_and_so_is_one_from_an_old_base(lake: Lake, execution_date: str) -> None:
    base = lake.head(MAIN)
    merge(lake, audited_pages(execution_date, {1: b"[1]", 2: b"[2]"}))

    other = f"19{execution_date[2:]}"
    assert merge(lake, audited_pages(other, {1: b"[3]"}), base) == lake.head(MAIN)


CASES: list[tuple[str, Callable[[str], Writes], str]] = [
    ("no receipt", lambda date: {page(date): b"[]"}, "is not listed in"),
    ("not listed", lambda date: {**audited_pages(date, {1: b"[]"}), page(date, 2): b"[]"}, "is not listed in"),
    (
        "another checksum",
        lambda date: {page(date): b"[1]", keys.date_receipt(date): receipt({page(date): md5(b"[2]")})},
        "missing or not as it was tested",
    ),
    (
        "a checksum that is no text",
        lambda date: {page(date): b"[1]", keys.date_receipt(date): receipt({page(date): 5})},
        "missing or not as it was tested",
    ),
    (
        "a failing receipt",
        lambda date: {page(date): b"[]", keys.date_receipt(date): receipt({page(date): md5(b"[]")}, "fail")},
        "does not pass",
    ),
    ("no JSON", lambda date: {page(date): b"[]", keys.date_receipt(date): b"pass"}, "is not a receipt"),
    ("a list", lambda date: {page(date): b"[]", keys.date_receipt(date): b"[]"}, "is not a receipt"),
    ("no objects", lambda date: {keys.date_receipt(date): b'{"status": "pass"}'}, "is not a receipt"),
    ("null for objects", lambda date: {keys.date_receipt(date): receipt(None)}, "is not a receipt"),
    ("a list of objects", lambda date: {keys.date_receipt(date): receipt([page(date)])}, "which it does not cover"),
    ("nothing listed", lambda date: {keys.date_receipt(date): receipt({})}, "lists nothing"),
    ("a null listed", lambda date: {keys.date_receipt(date): receipt({page(date): None})}, "lists a key as null"),
    (
        "a null listed among sound keys",
        lambda date: {
            page(date): b"[1]",
            keys.date_receipt(date): receipt({page(date): md5(b"[1]"), page(date, 2): None}, format=1),
        },
        "lists a key as null",
    ),
    (
        "what is not there",
        lambda date: {keys.date_receipt(date): receipt({page(date): md5(b"[]")})},
        "missing or not as it was tested",
    ),
    (
        "another date's object",
        lambda date: {page("1990-01-01"): b"[]", keys.date_receipt(date): receipt({page("1990-01-01"): md5(b"[]")})},
        "which it does not cover",
    ),
    (
        "a mart in a date's receipt",
        lambda date: {
            "marts/sales/data.parquet": b"x",
            keys.date_receipt(date): receipt({"marts/sales/data.parquet": md5(b"x")}),
        },
        "which it does not cover",
    ),
    (
        "itself",
        lambda date: {keys.date_receipt(date): receipt({keys.date_receipt(date): md5(b"")})},
        "which it does not cover",
    ),
]


@pytest.mark.parametrize(("writes", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_anything_that_a_receipt_does_not_cover_is_refused(
    lake: Lake, execution_date: str, writes: Callable[[str], Writes], says: str
) -> None:
    require_refused(lake, writes(execution_date), says)


@pytest.mark.parametrize(
    "key",
    [
        "foo/x",
        "raw/x",
        "raw/shop/events/page-00001.json",
        "raw/shop/events/date=2025-13-01/page-00001.json",
        "raw/Shop/events/date=2025-05-20/page-00001.json",
        "raw/shop/events/date=2025-05-20/deeper/page-00001.json",
        "raw/shop/events/date=2025-05-20/page 1.json",
        "curated/events/data.parquet",
        "marts/x",
        "_receipts/other.json",
        "_receipts/date=2025-05-20.txt",
        "_receipts/date=2025-05-20.json.json",
    ],
)
def test_a_key_outside_the_trees_is_refused(lake: Lake, key: str) -> None:
    require_refused(lake, {key: b"x"}, "is not allowed on main")


SHRINKING: list[tuple[str, Callable[[str], Writes], str]] = [
    (
        "a shrunk receipt whose objects stay",
        lambda date: {keys.date_receipt(date): receipt({page(date): md5(b"[1]")})},
        "would stay on main",
    ),
    ("a removed receipt whose objects stay", lambda date: {keys.date_receipt(date): None}, "would stay on main"),
    ("a listed object removed", lambda date: {page(date, 2): None}, "missing or not as it was tested"),
    ("a listed object changed", lambda date: {page(date, 2): b"[0]"}, "missing or not as it was tested"),
    (
        "a rerun with fewer pages that leaves the old page",
        lambda date: audited_pages(date, {1: b"[9]"}),
        "would stay on main",
    ),
]


@pytest.mark.parametrize(("writes", "says"), [case[1:] for case in SHRINKING], ids=[case[0] for case in SHRINKING])
def test_a_published_date_cannot_lose_objects(
    lake: Lake, execution_date: str, writes: Callable[[str], Writes], says: str
) -> None:
    merge(lake, audited_pages(execution_date, {1: b"[1]", 2: b"[2]"}))

    require_refused(lake, writes(execution_date), says)


def test_fewer_pages_and_the_removal_of_a_whole_date_are_merged(lake: Lake, execution_date: str) -> None:
    merge(lake, audited_pages(execution_date, {1: b"[1]", 2: b"[2]"}))

    merge(lake, {**audited_pages(execution_date, {1: b"[1]"}), page(execution_date, 2): None})
    merge(lake, {page(execution_date): None, keys.date_receipt(execution_date): None})

    assert lake.read(MAIN, keys.date_receipt(execution_date)) is None


def test_an_invalid_merge_of_two_valid_trees_is_refused(lake: Lake, execution_date: str) -> None:
    sound = audited_pages(execution_date, {1: b"[1]", 2: b"[2]"})
    pages = {key: body for key, body in sound.items() if key.startswith("raw/")}
    untested = commit(lake, pages)
    merge(lake, sound, untested)

    # The branch has nothing of the date, but main got the receipt after the common base.
    require_refused(lake, dict.fromkeys(pages), "missing or not as it was tested", untested)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"strategy": "source-wins"}, "merge strategies are not allowed"),
        ({"strategy": "dest-wins"}, "merge strategies are not allowed"),
        ({"squash_merge": True}, "squash merges are not allowed"),
    ],
)
def test_strategies_and_squash_are_refused(lake: Lake, execution_date: str, options: dict[str, Any], says: str) -> None:
    import lakefs_sdk

    sound = commit(lake, audited_pages(execution_date, {1: b"[1]"}))
    before = lake.head(MAIN)
    api = lakefs_sdk.RefsApi(lake.connection.sdk)
    with pytest.raises(GateRefused, match=says):
        lake.connection.call(
            "merge", api.merge_into_branch, lake.repository, sound, MAIN, lakefs_sdk.Merge(message="x", **options)
        )
    assert lake.head(MAIN) == before


def test_reverts_and_cherry_picks_on_main_are_refused(lake: Lake, execution_date: str) -> None:
    import lakefs_sdk

    published = merge(lake, audited_pages(execution_date, {1: b"[1]"}))
    api = lakefs_sdk.BranchesApi(lake.connection.sdk)
    revert = lakefs_sdk.RevertCreation(ref=published, parent_number=1)
    pick = lakefs_sdk.CherryPickCreation(ref=commit(lake, {page(execution_date, 7): b"[7]"}))
    for call, creation, says in (
        (api.revert_branch, revert, "not by pre-revert"),
        (api.cherry_pick, pick, "not by pre-cherry-pick"),
    ):
        with pytest.raises(GateRefused, match=says):
            lake.connection.call("change main", call, lake.repository, MAIN, creation)
    assert lake.head(MAIN) == published


def test_the_gate_changes_only_with_approval(lake: Lake, execution_date: str) -> None:
    other = {"_lakefs_actions/other.yaml": OTHER_ACTION}

    require_refused(lake, other, "does not say gate_change: approved")
    require_refused(lake, {**other, page(execution_date): b"[]"}, "is not listed in", gate_change="approved")


def test_a_receipt_of_another_format_is_accepted(open_repository: Callable[..., Lake], execution_date: str) -> None:
    # A lake of its own: commands refuse to read such a receipt.
    lake = install_gate(open_repository("another-format"))
    key = f"raw/shop/nulls/date={execution_date}/null.json"
    further = receipt({key: md5(b"[1]")}, note='"objects": {null', whatever=[None, {"objects": 1, "x": None}])
    body = b'{"format": null, ' + further[1:]

    merge(lake, {key: b"[1]", keys.date_receipt(execution_date): body})

    assert lake.read(MAIN, keys.date_receipt(execution_date)) == body
