"""Checks of lakeFS: the server, the keys and their rights, the repository, and what protects `main`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from orchestration.doctor.checks import Check, Result, failed, ok, warning
from orchestration.doctor.http import TIMEOUT, ask, clock
from orchestration.errors import LakeBusy, LakeError, LakeRefused, LakeServerError, LakeUnreachable

if TYPE_CHECKING:
    import httpx

    from orchestration.lake.client import Lake
    from orchestration.settings import Settings

SERVER = "lakefs"
_KEYS = "lakefs keys"
_REPOSITORY = "repository"
_NOWHERE = "doctor-no-such-branch"
"""A branch that does not exist."""


def needs_block(settings: Settings) -> bool:
    """Return whether lakeFS's keys have to come from a Secret block of Prefect."""
    lake = settings.lake
    return bool(lake.endpoint and not (lake.access_key or lake.secret_key))


def lakefs_checks(settings: Settings, blocks: tuple[str, ...]) -> Iterator[Check]:
    """Return the checks of lakeFS.

    Args:
        settings: The settings.
        blocks: The checks that must not have failed if a Secret block is read.
    """
    looks = _Lakefs(settings)
    keys = (*blocks, SERVER) if needs_block(settings) else (SERVER,)
    signed_in = (SERVER, _KEYS)
    main = (*signed_in, _REPOSITORY)
    yield Check(SERVER, looks.server)
    yield Check("lakefs clock", looks.clock, (SERVER,))
    yield Check(_KEYS, looks.on(_keys), keys)
    yield Check("lakefs version", looks.on(_version), signed_in)
    yield Check(_REPOSITORY, looks.on(_repository), signed_in)
    yield Check("lakefs rights", looks.on(_rights), main)
    yield Check("gate", looks.on(_gate), main)
    yield Check("protection of main", looks.on(_protection), main)
    yield Check("uncommitted writes on main", looks.on(_uncommitted), main)
    yield Check("lakefs s3 gateway", looks.on(_gateway), main)


class _Lakefs:
    """What the checks of lakeFS share: its address and the keys."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def on(self, look: Callable[[Lake, Settings], Result]) -> Callable[[], Result]:
        """Return a check on a connection of its own, so that one that hangs does not block another."""

        def looked() -> Result:
            from orchestration.endpoints import open_lake

            lake = open_lake(self.signed_in)
            try:
                return look(lake, self.settings)
            finally:
                lake.connection.close()

        return looked

    @cached_property
    def signed_in(self) -> Settings:
        """Return the settings with lakeFS's keys, and with a short time limit."""
        from orchestration.flows.secrets import with_secrets

        # No source: their secrets have checks of their own.
        return with_secrets(replace(self.settings, sources={})).with_elt(lake_timeout=TIMEOUT)

    @cached_property
    def address(self) -> str:
        from orchestration.servers.access import lake_access

        if needs_block(self.settings):
            return str(self.settings.lake.endpoint).rstrip("/")
        return lake_access(self.settings).endpoint

    def server(self) -> Result:
        answer = self._ask()
        if answer.is_error:
            return failed(
                f"{self.address}/_health answered {answer.status_code}", "correct LAKEFS_ENDPOINT, or see lakeFS's log"
            )
        return ok(f"answers at {self.address}")

    def clock(self) -> Result:
        answer = self._ask()
        return clock(answer, datetime.now(UTC))

    def _ask(self) -> httpx.Response:
        remedy = "start it, and check LAKEFS_ENDPOINT" if self.settings.lake.endpoint else "elt status; elt up"
        return ask(f"{self.address}/_health", proxies=bool(self.settings.lake.endpoint), remedy=remedy)


def _keys(lake: Lake, settings: Settings) -> Result:
    import lakefs_sdk

    api = lakefs_sdk.AuthApi(lake.connection.sdk)
    user = lake.connection.call_with_retry("sign in", api.get_current_user).user
    return ok(f"accepted, as user {user.id}")


def _version(lake: Lake, settings: Settings) -> Result:
    import lakefs_sdk

    from orchestration.servers.build import LAKEFS_VERSION

    api = lakefs_sdk.ConfigApi(lake.connection.sdk)
    config = lake.connection.call_with_retry("read the configuration", api.get_config)
    found = str(getattr(config.version_config, "version", None) or "unknown")
    if found == LAKEFS_VERSION:
        return ok(f"{found}, the last release under Apache-2.0, which gets no further fixes")
    return warning(
        f"the server is {found}; this project pins {LAKEFS_VERSION}",
        f"run lakeFS {LAKEFS_VERSION} (docs/design.md#lakefs-version-and-licence)",
    )


def _repository(lake: Lake, settings: Settings) -> Result:
    from orchestration.lake.owner import owner_of, require_owner
    from orchestration.lake.setup import require_repository

    storage = require_repository(lake, settings.elt.bucket)
    require_owner(lake, settings.project)
    if owner_of(lake) is None:
        return warning(f"{storage}, which no project has claimed, so that another could write to it", "elt init")
    return ok(f"{storage}, of the project {settings.project}")


def _rights(lake: Lake, settings: Settings) -> Result:
    """Try each write where it cannot take effect: lakeFS checks the rights before it finds that out."""
    refused = [action for action, attempt in _attempts(lake) if _is_refused(attempt)]
    if refused:
        return failed(
            f"the keys do not allow to {', '.join(refused)}",
            f"give their user read and write access to repository {lake.repository}",
        )
    return ok("may create branches, write, commit and merge")


def _attempts(lake: Lake) -> Iterator[tuple[str, Callable[[], object]]]:
    import lakefs_sdk

    from orchestration.lake.client import MAIN

    call, sdk, name = lake.connection.call, lake.connection.sdk, lake.repository

    def create() -> object:
        creation = lakefs_sdk.BranchCreation(name=MAIN, source=MAIN)
        return call("create a branch", lakefs_sdk.BranchesApi(sdk).create_branch, name, creation)

    def write() -> object:
        return call("write", lakefs_sdk.ObjectsApi(sdk).upload_object, name, _NOWHERE, "doctor", content=b"")

    def commit() -> object:
        creation = lakefs_sdk.CommitCreation(message="doctor")
        return call("commit", lakefs_sdk.CommitsApi(sdk).commit, name, _NOWHERE, creation)

    def merge() -> object:
        return call("merge", lakefs_sdk.RefsApi(sdk).merge_into_branch, name, _NOWHERE, MAIN)

    yield "create branches", create
    yield "write", write
    yield "commit", commit
    yield "merge into main", merge


def _is_refused(attempt: Callable[[], object]) -> bool:
    """Return whether a write was refused for its rights.

    Raises:
        LakeError: lakeFS did not answer, so nothing is known about the rights.
    """
    try:
        attempt()
    except (LakeUnreachable, LakeServerError, LakeBusy):
        raise
    except LakeRefused:
        return True
    except LakeError:
        return False
    return False


def _gate(lake: Lake, settings: Settings) -> Result:
    from orchestration.lake.client import MAIN
    from orchestration.lake.gate import gate_problem

    problem = gate_problem(lake, lake.head(MAIN))
    return failed(problem, "elt init") if problem else ok("main has this version's")


def _protection(lake: Lake, settings: Settings) -> Result:
    from orchestration.lake.setup import is_protected_by_rule

    if is_protected_by_rule(lake):
        return ok("main takes changes by merges only")
    return failed("main is not protected from writes", "elt init")


def _uncommitted(lake: Lake, settings: Settings) -> Result:
    from orchestration.lake.client import MAIN, stray_writes

    if stray := lake.uncommitted(MAIN):
        raise stray_writes(stray)
    return ok("none")


def _gateway(lake: Lake, settings: Settings) -> Result:
    """Read an object of `main` as dbt does. Any will do: the gate has a check of its own."""
    import duckdb

    from orchestration.lake.client import MAIN
    from orchestration.lake.s3 import open_duckdb

    head = lake.head(MAIN)
    stored = next(lake.objects(head), None)
    if stored is None:
        return Result("not checked", "main has no object to read", "elt init")
    path = f"s3://{lake.repository}/{head}/{stored.key}"
    try:
        with open_duckdb(lake, head, http_retries="0") as connection:
            connection.execute("select size from read_blob(?)", [path]).fetchall()
    except duckdb.Error as error:
        return failed(
            f"DuckDB cannot read {stored.key} through {lake.connection.access.endpoint}: {error}",
            "let the proxy in front pass S3 requests with their Host header (docs/operations.md#tls-in-front)",
        )
    return ok("DuckDB reads main through it")
