"""`elt audit` on a real lakeFS: a sound lake has no findings, and each way past the gate is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

import duckdb
import lakefs_sdk
import pytest

from examples.events_api import Options, create_app, serving
from orchestration.errors import LakeRefused, PlatformFailed
from orchestration.lake import keys
from orchestration.lake.catalog import read_catalog
from orchestration.lake.checksum import PART_BYTES
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.receipt import FORMAT, NEWER_VERSION, read_receipt
from orchestration.lake.s3 import gateway_of, open_gateway
from orchestration.lake.setup import init_lake, set_protection_rules
from orchestration.log import SILENT
from orchestration.operations.audit import audit_main
from orchestration.run import run_date
from orchestration.settings import PROJECT_DIR
from tests.helpers.elt_runs import eventually
from tests.helpers.projects import copy_project, request_for, settings_of

FIRST = "2025-05-20"
SECOND = str(date.fromisoformat(FIRST) + timedelta(days=1))
PAGE = keys.raw_page("shop", "events", FIRST, 1)
CURATED = keys.curated("events", FIRST)
RECEIPT = keys.date_receipt(FIRST)
OTHER_PAGE, OTHER_RECEIPT = keys.raw_page("shop", "events", SECOND, 1), keys.date_receipt(SECOND)
AGAIN = f"elt run {SECOND} --force, which publishes the date again from its source"
EMPTY_LIST = "d751713988987e9331980363e24189ce"
"""The checksum of `[]`."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def lake(open_repository: Callable[..., Lake], project: Path) -> Lake:
    """A repository with two dates. After the first merge past the gate it has no gate any more."""
    lake = open_repository("audited")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    with serving(create_app(Options(rows=100))) as url, pytest.MonkeyPatch.context() as monkeypatch:
        settings = settings_of(monkeypatch, project, SHOP_API_URL=url)
        for execution_date in (FIRST, SECOND):
            run_date(request_for(lake, settings, execution_date))
    return lake


def past_the_gate(lake: Lake, changes: Mapping[str, bytes | None]) -> str:
    """Merges changes from a branch that has no gate, which lakeFS therefore does not run; None deletes a key."""
    branch = f"past-{lake.head(MAIN)[:8]}"
    lake.create_branch(branch, lake.head(MAIN))
    lake.delete(branch, [keys.GATE, *(key for key, body in changes.items() if body is None)])
    for key, body in changes.items():
        if body is not None:
            lake.put(branch, key, body, keys.RAW_CONTENT_TYPE)
    merge = lake.merge(lake.commit(branch, "past the gate", {"case": branch}), "past the gate", {})
    lake.delete_branch(branch)
    return merge


def commit_tree(lake: Lake, metarange: str) -> str:
    """Commits a whole tree on `main` itself, which has neither gate nor protection."""
    creation = lakefs_sdk.CommitCreation(message="a tree", allow_empty=True)
    api = lakefs_sdk.CommitsApi(lake.connection.sdk)
    return str(api.commit(lake.repository, MAIN, creation, source_metarange=metarange).id)


Findings = set[tuple[str, str, str]]


def found(lake: Lake, *, deep: bool = False) -> Findings:
    result = audit_main(lake, deep=deep)
    return {(one.subject, one.problem, one.remedy) for one in result.findings}


@pytest.fixture
def before(lake: Lake) -> Findings:
    """What an audit finds before the test: each one leaves the repository as it made it."""
    return found(lake)


def is_past_the_gate(merge: str) -> tuple[str, str]:
    return merge, f"was merged into {MAIN} without a completed run of the gate"


def stage(lake: Lake, objects: Path, branch: str, key: str, body: bytes, checksum: str) -> None:
    """Links an object of a branch to bytes in the store, with a checksum that the client gives."""
    api = lakefs_sdk.StagingApi(lake.connection.sdk)
    staging = api.get_physical_address(lake.repository, branch, key)
    file = objects / str(staging.physical_address).removeprefix("local://")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    linked = lakefs_sdk.StagingMetadata(
        staging=staging, checksum=checksum, size_bytes=len(body), content_type=keys.RAW_CONTENT_TYPE
    )
    api.link_physical_address(lake.repository, branch, key, linked)


def unprotect(lake: Lake) -> None:
    """Removes the protection of `main`, and waits until lakeFS applies that; it caches settings for seconds."""
    set_protection_rules(lake, [])

    def is_writable() -> bool:
        try:
            lake.delete(MAIN, ["no-such-key"])
        except LakeRefused:
            return False
        return True

    assert eventually(is_writable)


@pytest.fixture
def objects(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the session's lakeFS keeps its objects."""
    # Beside the folder there is a link to it, which pytest makes.
    folders = tmp_path_factory.getbasetemp().glob(f"elt*/lakefs/objects/lakefs/{lake.repository}")
    (folder,) = {folder.resolve() for folder in folders}
    return folder.parent.parent


@pytest.mark.parametrize("deep", [False, True])
def test_a_sound_lake_has_no_findings(lake: Lake, deep: bool) -> None:
    result = audit_main(lake, deep=deep)

    assert result.findings == ()
    assert (result.dates, result.merges, result.deep) == (2, 4, deep)
    receipts = [read_receipt(lake, MAIN, keys.date_receipt(day)) for day in (FIRST, SECOND)]
    assert result.objects == sum(len(receipt.objects) for receipt in receipts if receipt)


def test_a_merge_that_removes_the_gate_is_found(lake: Lake, before: Findings) -> None:
    merge = past_the_gate(lake, {})

    assert {one[:2] for one in found(lake) - before} == {
        is_past_the_gate(merge),
        (keys.GATE, f"{keys.GATE} is missing in {merge[:12]}"),
    }


@pytest.mark.parametrize(
    ("key", "body", "problem"),
    [
        (PAGE, b"[]", f"has the checksum {EMPTY_LIST}, and {RECEIPT} lists "),
        (CURATED, None, f"is missing, and {RECEIPT} lists it"),
        (f"raw/shop/events/date={FIRST}/extra.json", b"[]", f"is not listed in {RECEIPT}"),
        ("notes.txt", b"hello", "is outside the trees of main"),
        ("marts/sales/data.parquet", b"x", f"is not listed in {keys.MARTS_RECEIPT}"),
        (keys.date_receipt("2025-05-30"), b"{}", "is not a receipt"),
        (keys.date_receipt("2025-05-31"), b"not JSON", "is not a receipt"),
        (keys.date_receipt("2025-06-01"), b'{"status": "pass", "objects": {}}', "lists nothing"),
    ],
)
def test_an_object_written_past_the_gate_is_found(
    lake: Lake, before: Findings, key: str, body: bytes | None, problem: str
) -> None:
    merge = past_the_gate(lake, {key: body})

    new = {subject: what for subject, what, _ in found(lake) - before if subject != keys.GATE}

    assert new.keys() == {key, merge}
    assert new[key].startswith(problem)


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda content: content.update(status="fail"), "does not pass: its status is fail"),
        (
            lambda content: content["accounting"]["events"].update(curated=1),
            "events: 100 raw rows, but 1 in all: 1 curated",
        ),
        (lambda content: content["details"].pop(OTHER_PAGE), f"describes other objects than it lists: {OTHER_PAGE}"),
    ],
)
def test_an_edited_receipt_is_found(
    lake: Lake, before: Findings, edit: Callable[[dict[str, object]], object], problem: str
) -> None:
    receipt = read_receipt(lake, MAIN, OTHER_RECEIPT)
    assert receipt
    content = json.loads(receipt.to_bytes())
    edit(content)
    merge = past_the_gate(lake, {OTHER_RECEIPT: json.dumps(content).encode()})

    new = {one for one in found(lake) - before if one[0] not in (keys.GATE, merge)}

    assert new == {(OTHER_RECEIPT, problem, AGAIN)}


def test_a_receipt_of_a_later_format_is_not_read_further(lake: Lake, before: Findings) -> None:
    receipt = read_receipt(lake, MAIN, RECEIPT)
    assert receipt
    later = {"details": "elsewhere", "accounting": "other", "format": FORMAT + 1}
    content = json.dumps(json.loads(receipt.to_bytes()) | later).encode()
    before_reading = found(lake, deep=True)
    merge = past_the_gate(lake, {RECEIPT: content})

    for known, deep in ((before, False), (before_reading, True)):
        problem = f"is a receipt of format {FORMAT + 1}, and this version of ingest-clean reads formats up to {FORMAT}"
        new = {one for one in found(lake, deep=deep) - known if one[0] not in (keys.GATE, merge)}
        assert new == {(RECEIPT, problem, NEWER_VERSION)}
    for read in (lambda: read_receipt(lake, MAIN, RECEIPT), lambda: read_catalog(lake, lake.head(MAIN))):
        with pytest.raises(PlatformFailed, match="reads formats up to"):
            read()
    past_the_gate(lake, {RECEIPT: receipt.to_bytes()})


def test_bytes_under_a_false_checksum_are_found_by_reading_them(lake: Lake, before: Findings, objects: Path) -> None:
    before_reading = found(lake, deep=True)
    receipt = read_receipt(lake, MAIN, OTHER_RECEIPT)
    assert receipt
    lake.create_branch("staged", lake.head(MAIN))
    stage(lake, objects, "staged", OTHER_PAGE, b"[]", receipt.objects[OTHER_PAGE])
    merge = lake.merge(lake.commit("staged", "staged", {}), "staged", {})

    assert {one[0] for one in found(lake) - before} - {keys.GATE} == {merge}
    assert {one for one in found(lake, deep=True) - before_reading if one[0] not in (keys.GATE, merge)} == {
        (
            OTHER_PAGE,
            f"has bytes with the checksum {EMPTY_LIST}, and lakeFS lists {receipt.objects[OTHER_PAGE]}",
            AGAIN,
        )
    }


def test_a_file_that_was_uploaded_in_parts_is_read_and_damage_in_it_is_found(
    lake: Lake, before: Findings, objects: Path, tmp_path: Path
) -> None:
    before_reading = found(lake, deep=True)
    receipt = read_receipt(lake, MAIN, OTHER_RECEIPT)
    assert receipt
    key = keys.curated("events", SECOND)
    lake.create_branch("large", lake.head(MAIN))
    with duckdb.connect() as connection:
        open_gateway(connection, gateway_of(lake))
        large = PART_BYTES // 8 + 1_000_000
        connection.execute(
            f"copy (select random() from range({large})) to 's3://{lake.repository}/large/{key}' "
            "(format parquet, compression uncompressed)"
        )
    (stored,) = lake.objects("large", key)
    assert stored.bytes > PART_BYTES
    content = json.loads(receipt.to_bytes())
    content["objects"][key] = stored.checksum
    content["details"][key] = {"bytes": stored.bytes, "rows": large}
    lake.put("large", OTHER_RECEIPT, json.dumps(content).encode(), keys.RAW_CONTENT_TYPE)
    merge = lake.merge(lake.commit("large", "large", {}), "large", {})

    def new() -> Findings:
        return {one for one in found(lake, deep=True) - before_reading if one[0] not in (keys.GATE, merge)}

    assert new() == set()

    # Behind the last part's beginning, in the values of a column: the file is valid, but has other bytes.
    (file,) = (file for file in objects.rglob("*") if file.is_file() and file.stat().st_size == stored.bytes)
    with file.open("r+b") as opened:
        opened.seek(PART_BYTES + 1_000)
        byte = opened.read(1)
        opened.seek(-1, 1)
        opened.write(bytes([byte[0] ^ 1]))
    ((subject, problem, remedy),) = new()
    assert (subject, remedy) == (key, AGAIN)
    assert problem.startswith("has bytes with the checksum ")
    assert problem.endswith(f"lakeFS lists {stored.checksum}")


def test_writes_on_main_itself_are_found(lake: Lake, before: Findings) -> None:
    unprotect(lake)
    commit = commit_tree(lake, lake.commit_of(MAIN).metarange)
    lake.put(MAIN, "stray.txt", b"x", keys.RAW_CONTENT_TYPE)

    assert {one[:2] for one in found(lake) - before if one[0] != keys.GATE} == {
        (commit, f"changed {MAIN} without a merge"),
        (MAIN, "is not protected from writes"),
        ("stray.txt", f"is an uncommitted write on {MAIN}"),
    }
