"""`elt init`: create the repository, install its gate and protect `main`. What exists is left unchanged."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from orchestration.errors import LakeExists, LakeNotFound, LakeRefused, PlatformFailed
from orchestration.lake import keys
from orchestration.lake.branch_names import new_branch_name
from orchestration.lake.client import MAIN, Lake, stray_writes
from orchestration.lake.gate import gate_file, gate_problem, require_gate
from orchestration.lake.owner import ensure_owner, require_no_earlier, require_owner
from orchestration.log import Log
from orchestration.project import dashed, project_name
from orchestration.text import key_list

_PROTECTION_LIMIT = 20.0
_ACTIONS_CACHED = 8.0
"""Seconds for which lakeFS may still use the former actions of a branch (measured: up to 7.5)."""


@dataclass(frozen=True)
class Initialised:
    """What `elt init` found or changed."""

    repository: Literal["created", "unchanged"]
    owner: Literal["claimed", "unchanged"]
    gate: Literal["installed", "replaced", "unchanged"]
    protection: Literal["set", "unchanged"]
    storage: str


def init_lake(
    lake: Lake, bucket: str, project_dir: Path, log: Log, *, discard_stray: bool = False, claim: bool = False
) -> Initialised:
    """Prepare the lake for runs, and wait until lakeFS applies the changes.

    Args:
        lake: The repository to create or complete.
        bucket: The storage bucket of the repository: `lakefs` for `s3://lakefs/<repository>`.
        project_dir: The project, which contains the gate to install.
        log: Takes a line for each change and each wait.
        discard_stray: Remove uncommitted writes from `main`, which block every merge.
        claim: Take over a repository that belongs to another project.

    Raises:
        UsageError: The repository belongs to another project, or the data is in one that an earlier version named.
        PlatformFailed: The repository is in another bucket, or lakeFS does not apply a change.
        LakeDirty: There are uncommitted writes on `main`.
    """
    project = project_name(project_dir)
    if lake.repository == dashed(project) and _repository(lake) is None:
        require_no_earlier(lake)
    repository, storage = ensure_repository(lake, bucket, log)
    owner = ensure_owner(lake, project, log, claim=claim)
    _ensure_no_stray(lake, log, discard_stray)
    gate = ensure_gate(lake, log)
    seen_by = time.monotonic() + (_ACTIONS_CACHED if gate != "unchanged" else 0.0)
    protection = ensure_protection(lake, log)
    if (left := seen_by - time.monotonic()) > 0:
        log.info(f"waiting {left:.0f} s until lakeFS's cached list of hooks expires")
        time.sleep(left)
    return Initialised(repository, owner, gate, protection, storage)


def require_lake(lake: Lake, bucket: str, project_dir: Path) -> str:
    """Return the head of `main` after checking the lake.

    The repository must be in its bucket and of no other project, and `main` must have its gate, its protection and no
    uncommitted write.

    Raises:
        UsageError: The repository belongs to another project.
        PlatformFailed: Something is missing; the message says what, with the remedy.
        LakeDirty: There are uncommitted writes on `main`.
    """
    require_repository(lake, bucket)
    require_owner(lake, project_name(project_dir))
    head = lake.head(MAIN)
    require_gate(lake, head)
    if not is_protected_by_rule(lake):
        raise PlatformFailed(f"{MAIN} of {lake.repository} is not protected from writes", remedy="elt init")
    _require_no_stray(lake)
    return head


def require_repository(lake: Lake, bucket: str) -> str:
    """Return the storage address of the repository, which must exist and be in its bucket.

    Raises:
        PlatformFailed: It does not exist, or is in another bucket.
    """
    found = _repository(lake)
    if found is None:
        raise PlatformFailed(f"there is no repository {lake.repository}", remedy="elt init")
    _require_bucket(lake, found.storage_namespace, bucket)
    return str(found.storage_namespace)


def _api(lake: Lake) -> Any:
    # The connection's own import of the SDK is the quick one.
    sdk = lake.connection.sdk
    import lakefs_sdk

    return lakefs_sdk.RepositoriesApi(sdk)


def _repository(lake: Lake) -> Any | None:
    try:
        return lake.connection.call_with_retry(
            f"read repository {lake.repository}", _api(lake).get_repository, lake.repository
        )
    except LakeNotFound:
        return None


def _require_bucket(lake: Lake, storage: str, bucket: str) -> None:
    if storage.split("://", 1)[-1].split("/")[0] != bucket:
        raise PlatformFailed(
            f"repository {lake.repository} is in {storage}, not in the bucket {bucket}",
            remedy="set ELT_BUCKET to its bucket, or ELT_REPOSITORY to another name and run elt init",
        )


def ensure_repository(lake: Lake, bucket: str, log: Log) -> tuple[Literal["created", "unchanged"], str]:
    """Create the repository unless it exists. Return which of the two, and its storage address.

    Raises:
        PlatformFailed: It exists in another bucket.
    """
    import lakefs_sdk

    found = _repository(lake)
    if found is not None:
        _require_bucket(lake, found.storage_namespace, bucket)
        return "unchanged", str(found.storage_namespace)
    config = lake.connection.call_with_retry(
        "read the configuration", lakefs_sdk.ConfigApi(lake.connection.sdk).get_config
    )
    storage = f"{config.storage_config.blockstore_type}://{bucket}/{lake.repository}"
    creation = lakefs_sdk.RepositoryCreation(name=lake.repository, storage_namespace=storage, default_branch=MAIN)
    try:
        lake.connection.call_with_retry(f"create repository {storage}", _api(lake).create_repository, creation)
    except LakeExists:
        # Another init created it, or the response to the first try was lost.
        return "unchanged", storage
    log.info(f"created repository {lake.repository} in {storage}")
    return "created", storage


def ensure_gate(lake: Lake, log: Log) -> Literal["installed", "replaced", "unchanged"]:
    """Merge the gate of this package into `main` unless `main` has it."""
    base = lake.head(MAIN)
    problem = gate_problem(lake, base)
    if problem is None:
        return "unchanged"
    done: Literal["installed", "replaced"] = "installed" if lake.stat(base, keys.GATE) is None else "replaced"
    branch = new_branch_name("gate")
    lake.create_branch(branch, base)
    try:
        lake.put(branch, keys.GATE, gate_file(), keys.GATE_CONTENT_TYPE)
        commit = lake.commit(branch, f"Gate {done}", {"gate": done})
        lake.merge(commit, f"Gate {done}", {"gate_change": "approved"})
    finally:
        lake.delete_branch(branch)
    log.info(f"gate {done}: {problem}")
    return done


def ensure_protection(lake: Lake, log: Log) -> Literal["set", "unchanged"]:
    """Protect `main` unless it is protected, keep other rules, and wait until lakeFS applies the protection.

    Raises:
        PlatformFailed: lakeFS does not apply it in time.
    """
    rules = _protection_rules(lake)
    if MAIN in rules:
        done: Literal["set", "unchanged"] = "unchanged"
    else:
        set_protection_rules(lake, [*rules, MAIN])
        log.info(f"{MAIN} protected; waiting until lakeFS applies it")
        done = "set"
    _wait(lambda: _is_protected(lake), f"the protection of {MAIN} is set but not in effect")
    return done


def is_protected_by_rule(lake: Lake) -> bool:
    """Return whether the repository's settings protect `main` from writes."""
    return MAIN in _protection_rules(lake)


def _protection_rules(lake: Lake) -> list[str]:
    found = lake.connection.call_with_retry("read protection", _api(lake).get_branch_protection_rules, lake.repository)
    return [str(rule.pattern) for rule in found]


def set_protection_rules(lake: Lake, patterns: list[str]) -> None:
    """Replace the repository's branch protection: branches that match a pattern take changes by merges only."""
    import lakefs_sdk

    rules = [lakefs_sdk.BranchProtectionRule(pattern=pattern) for pattern in patterns]
    lake.connection.call_with_retry("set protection", _api(lake).set_branch_protection_rules, lake.repository, rules)


def _is_protected(lake: Lake) -> bool:
    """Return whether the protection is in effect: lakeFS refuses to delete even a key that does not exist."""
    import lakefs_sdk

    try:
        lake.connection.call_with_retry(
            f"probe {MAIN}",
            lakefs_sdk.ObjectsApi(lake.connection.sdk).delete_object,
            lake.repository,
            MAIN,
            "_probe/no-such-key",
        )
    except LakeRefused:
        return True
    except LakeNotFound:
        return False
    return False


def _require_no_stray(lake: Lake) -> None:
    if stray := lake.uncommitted(MAIN):
        raise stray_writes(stray)


def _ensure_no_stray(lake: Lake, log: Log, discard: bool) -> None:
    if not discard:
        _require_no_stray(lake)
        return
    stray = lake.uncommitted(MAIN)
    if not stray:
        return
    import lakefs_sdk

    log.info(f"discarding {len(stray)} uncommitted writes on {MAIN}: {key_list(stray)}")
    # Protection blocks a reset too.
    set_protection_rules(lake, [pattern for pattern in _protection_rules(lake) if pattern != MAIN])
    _wait(lambda: not _is_protected(lake), f"the protection of {MAIN} is removed but still in effect")
    lake.connection.call_with_retry(
        f"reset {MAIN}",
        lakefs_sdk.BranchesApi(lake.connection.sdk).reset_branch,
        lake.repository,
        MAIN,
        lakefs_sdk.ResetCreation(type="reset"),
    )


def _wait(condition: Callable[[], bool], failure: str) -> None:
    end = time.monotonic() + _PROTECTION_LIMIT
    while not condition():
        if time.monotonic() > end:
            raise PlatformFailed(f"{failure} after {_PROTECTION_LIMIT:.0f} s", remedy="elt init")
        time.sleep(0.5)
