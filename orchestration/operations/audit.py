"""`elt audit`: prove the gate's invariant over all of `main`, and that every change of `main` went through the gate."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from tempfile import NamedTemporaryFile
from typing import IO, Any

from orchestration.lake import keys
from orchestration.lake.checksum import PART_BYTES, checksum_of_parts
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.gate import gate_problem
from orchestration.lake.invariant import is_receipt_key, violations
from orchestration.lake.listed import LakeCommit
from orchestration.lake.receipt import NEWER_VERSION, format_problem
from orchestration.lake.setup import is_protected_by_rule

_READS_AT_ONCE = 8
_PUBLISH_AGAIN = "elt run {date} --force, which publishes the date again from its source"
_MARTS_AGAIN = "elt marts --full"
_INIT = "elt init"
_STRAY = "elt init --discard-stray removes uncommitted writes"
_BY_HAND = "find out who wrote it; roll main back to a commit before it"


@dataclass(frozen=True)
class Finding:
    """Something on `main` that the gate would not have let through.

    Attributes:
        subject: The key, the commit, or the setting of the repository.
        problem: What is wrong with it.
        remedy: What to do.
    """

    subject: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Audited:
    """The result of an audit.

    Attributes:
        commit: The head of `main` that was audited.
        dates: The number of dates that it has.
        objects: The number of objects that its receipts list.
        merges: The number of commits of `main` that were checked.
        deep: Whether the bytes were read too.
        findings: What is wrong; empty if the invariant holds.
    """

    commit: str
    dates: int
    objects: int
    merges: int
    deep: bool
    findings: tuple[Finding, ...]


def audit_main(lake: Lake, *, deep: bool = False) -> Audited:
    """Check all of `main`, and return what is wrong. Nothing is written.

    Args:
        lake: The repository.
        deep: Also read every object, and compare its bytes with its checksum and with its receipt.

    Raises:
        PlatformFailed: lakeFS does not answer.
    """
    head = lake.head(MAIN)
    tree = {stored.key: stored.checksum for stored in lake.objects(head)}
    receipts = _read_receipts(lake, head, [key for key in tree if is_receipt_key(key)])
    commits = tuple(lake.log(MAIN))
    findings = [
        *_of_settings(lake, head),
        *(Finding(key, problem, _remedy(key)) for key, problem in violations(tree, receipts)),
        *_of_receipts(receipts),
        *_of_commits(lake, commits),
        *(_of_bytes(lake, head, tree, receipts) if deep else ()),
    ]
    listed = sum(len(content["objects"]) for content in receipts.values() if _is_receipt(content))
    dates = sum(1 for key in receipts if keys.date_of_receipt(key))
    return Audited(head, dates, listed, len(commits), deep, tuple(findings))


def _read_receipts(lake: Lake, commit: str, names: list[str]) -> dict[str, Any]:
    def read(key: str) -> Any:
        try:
            return json.loads(lake.read(commit, key) or b"")
        except ValueError:
            return None

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def _is_receipt(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("objects"), dict)


def _of_settings(lake: Lake, head: str) -> Iterator[Finding]:
    """Yield what is wrong with the gate, the protection and the uncommitted state of `main`."""
    if problem := gate_problem(lake, head):
        yield Finding(keys.GATE, problem, _INIT)
    if not is_protected_by_rule(lake):
        yield Finding(MAIN, "is not protected from writes", _INIT)
    for key in lake.uncommitted(MAIN):
        yield Finding(key, f"is an uncommitted write on {MAIN}", _STRAY)


def _of_receipts(receipts: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield receipts whose accounting does not close, or that do not cover exactly what they describe."""
    for name, content in receipts.items():
        if not _is_receipt(content):
            continue
        if problem := format_problem(content):
            yield Finding(name, problem, NEWER_VERSION)
            continue
        details = content.get("details", {})
        if content["objects"] and details.keys() != content["objects"].keys():
            odd = sorted(details.keys() ^ content["objects"].keys())
            yield Finding(name, f"describes other objects than it lists: {', '.join(odd[:3])}", _remedy(name))
        for table, parts in content.get("accounting", {}).items():
            if "raw" in parts and (problem := _accounting_problem(parts)):
                yield Finding(name, f"{table}: {problem}", _remedy(name))


def _accounting_problem(parts: Mapping[str, Any]) -> str:
    """Return why the rows of a table do not add up; empty if they do."""
    rejected = sum(parts.get("rejected", {}).values())
    out = {
        "curated": parts["curated"],
        "identical": parts["identical"],
        "conflicting": parts["conflicting"],
        "rejected": rejected,
        "of other dates": parts.get("other_dates", 0),
    }
    total = sum(out.values())
    if total == parts["raw"]:
        return ""
    shown = ", ".join(f"{count} {name}" for name, count in out.items() if count)
    return f"{parts['raw']} raw rows, but {total} in all: {shown}"


def _of_commits(lake: Lake, commits: tuple[LakeCommit, ...]) -> Iterator[Finding]:
    """Yield the commits of `main` that no completed run of the gate's hooks belongs to.

    The repository's first commit is made by lakeFS itself, and has no parent.
    """
    passed = _merges_with_completed_hooks(lake)
    for commit in commits:
        if not commit.parents:
            continue
        if len(commit.parents) < 2:
            yield Finding(commit.id, f"changed {MAIN} without a merge", _BY_HAND)
        elif commit.id not in passed:
            yield Finding(commit.id, f"was merged into {MAIN} without a completed run of the gate", _BY_HAND)


def _merges_with_completed_hooks(lake: Lake) -> frozenset[str]:
    """Return the commits of `main` whose pre-merge hooks ran and accepted them."""
    import lakefs_sdk

    found = lake.connection.iterate_results(
        f"list runs of hooks on {MAIN}",
        lakefs_sdk.ActionsApi(lake.connection.sdk).list_repository_runs,
        lake.repository,
        branch=MAIN,
    )
    return frozenset(str(run.commit_id) for run in found if (run.event_type, run.status) == ("pre-merge", "completed"))


def _of_bytes(lake: Lake, head: str, tree: Mapping[str, str], receipts: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield the objects whose bytes are not what their checksum or their receipt say."""
    listed = [
        (key, {} if format_problem(content) else content.get("details", {}).get(key, {}))
        for content in receipts.values()
        if _is_receipt(content)
        for key in content["objects"]
        if key in tree
    ]

    def check(entry: tuple[str, Mapping[str, Any]]) -> str:
        key, detail = entry
        with NamedTemporaryFile(suffix=".parquet") as file:
            return _byte_problem(lake.chunks(head, key), file, tree[key], detail)

    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        for (key, _), problem in zip(listed, pool.map(check, listed), strict=True):
            if problem:
                yield Finding(key, problem, _remedy(key))


def _byte_problem(body: Iterator[bytes], file: IO[bytes], checksum: str, detail: Mapping[str, Any]) -> str:
    """Return what is wrong with an object's bytes, which are kept in `file`; empty if nothing is."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    size = 0
    for chunk in body:
        size += len(chunk)
        md5.update(chunk)
        sha256.update(chunk)
        file.write(chunk)
    file.seek(0)
    if checksum != md5.hexdigest() and (size <= PART_BYTES or checksum != checksum_of_parts(file)):
        return f"has bytes with the checksum {md5.hexdigest()}, and lakeFS lists {checksum}"
    found: dict[str, Any] = {"bytes": size, "sha256": sha256.hexdigest()}
    if "rows" in detail:
        found["rows"] = _rows_of(file.name)
    return next(
        (
            f"has {name} {value}, and its receipt says {detail[name]}"
            for name, value in found.items()
            if name in detail and detail[name] != value
        ),
        "",
    )


def _rows_of(parquet: str) -> int | None:
    """Return the rows of a Parquet file; None if it cannot be read."""
    import duckdb

    try:
        with duckdb.connect() as connection:
            return int(connection.execute("select count(*) from read_parquet(?)", [parquet]).fetchall()[0][0])
    except duckdb.Error:
        return None


def _remedy(key: str) -> str:
    """Return what to do about a key: publish again what covers it."""
    if key == keys.MARTS_RECEIPT or key.startswith("marts/"):
        return _MARTS_AGAIN
    date = next((part for part in key.split("/") if part.startswith("date=")), "").removesuffix(".json")
    return _PUBLISH_AGAIN.format(date=date.removeprefix("date=")) if date else _BY_HAND
