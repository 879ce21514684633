"""Checks of lakeFS: the server, the keys and their rights, the repository, and what protects `main`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from orchestration.doctor.checks import Check, Result, failed, ok, warning
from orchestration.doctor.http import ask, clock
from orchestration.errors import LakeError, LakeRefused

if TYPE_CHECKING:
    from orchestration.lake.client import Lake
    from orchestration.settings import Settings

SERVER = "lakefs"
_KEYS = "lakefs keys"
_REPOSITORY = "repository"
_NOWHERE = "doctor-no-such-branch"


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
    yield Check(_KEYS, looks.keys, keys)
    yield Check("lakefs version", looks.version, signed_in)
    yield Check(_REPOSITORY, looks.storage, signed_in)
    yield Check("lakefs rights", looks.rights, main)
    yield Check("gate", looks.gate, main)
    yield Check("protection of main", looks.protection, main)
    yield Check("uncommitted writes on main", looks.uncommitted, main)
    yield Check("lakefs s3 gateway", looks.gateway, main)


class _Lakefs:
    """What the checks of lakeFS share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def address(self) -> str:
        from orchestration.servers.access import lake_access

        if needs_block(self.settings):
            return str(self.settings.lake.endpoint).rstrip("/")
        return lake_access(self.settings).endpoint

    @cached_property
    def lake(self) -> Lake:
        from orchestration.endpoints import open_lake
        from orchestration.flows.secrets import with_secrets

        # No source: their secrets have checks of their own.
        known = with_secrets(replace(self.settings, sources={}))
        return open_lake(replace(known, elt=known.elt.model_copy(update={"lake_timeout": 10.0})))

    def ask(self) -> Any:
        remedy = "start it, and check LAKEFS_ENDPOINT" if self.settings.lake.endpoint else "elt status; elt up"
        return ask(f"{self.address}/_health", proxies=bool(self.settings.lake.endpoint), remedy=remedy)

    def server(self) -> Result:
        answer = self.ask()
        if answer.is_error:
            return failed(
                f"{self.address}/_health answered {answer.status_code}", "correct LAKEFS_ENDPOINT; see its log"
            )
        return ok(f"answers at {self.address}")

    def clock(self) -> Result:
        answer = self.ask()
        return clock(answer, datetime.now(UTC))

    def keys(self) -> Result:
        import lakefs_sdk

        user = self.lake.connection.call_with_retry("sign in", lakefs_sdk.AuthApi(self.sdk).get_current_user).user
        return ok(f"accepted, as user {user.id}")

    def version(self) -> Result:
        import lakefs_sdk

        from orchestration.servers.build import LAKEFS_VERSION

        config = self.lake.connection.call_with_retry(
            "read the configuration", lakefs_sdk.ConfigApi(self.sdk).get_config
        )
        found = str(getattr(config.version_config, "version", None) or "unknown")
        if found == LAKEFS_VERSION:
            return ok(f"{found}, the last release under Apache-2.0, which gets no further fixes")
        return warning(
            f"the server is {found}; this project pins {LAKEFS_VERSION}",
            f"run lakeFS {LAKEFS_VERSION} (docs/design.md#lakefs-version-and-licence)",
        )

    def storage(self) -> Result:
        from orchestration.lake.setup import require_repository

        return ok(require_repository(self.lake, self.settings.elt.bucket))

    def rights(self) -> Result:
        """Try each write where it cannot take effect: lakeFS checks the rights before it finds that out."""
        refused = [action for action, attempt in self.attempts() if _is_refused(attempt)]
        if refused:
            return failed(
                f"the keys may not {', '.join(refused)}",
                f"give their user read and write access to repository {self.lake.repository}",
            )
        return ok("may create branches, write, commit and merge")

    def attempts(self) -> Iterator[tuple[str, Callable[[], object]]]:
        import lakefs_sdk

        from orchestration.lake.client import MAIN

        call, sdk, name = self.lake.connection.call, self.sdk, self.lake.repository

        def create() -> object:
            creation = lakefs_sdk.BranchCreation(name=MAIN, source=MAIN)
            return call("create a branch", lakefs_sdk.BranchesApi(sdk).create_branch, name, creation)

        def write() -> object:
            upload = lakefs_sdk.ObjectsApi(sdk).upload_object
            return call("write", upload, name, _NOWHERE, "doctor", content=b"")

        def commit() -> object:
            creation = lakefs_sdk.CommitCreation(message="doctor")
            return call("commit", lakefs_sdk.CommitsApi(sdk).commit, name, _NOWHERE, creation)

        def merge() -> object:
            return call("merge", lakefs_sdk.RefsApi(sdk).merge_into_branch, name, _NOWHERE, MAIN, lakefs_sdk.Merge())

        yield "create branches", create
        yield "write", write
        yield "commit", commit
        yield "merge into main", merge

    def gate(self) -> Result:
        from orchestration.lake.gate import gate_problem

        problem = gate_problem(self.lake, self.head, self.settings.project_dir)
        return failed(problem, "elt init") if problem else ok("main has this version's")

    def protection(self) -> Result:
        from orchestration.lake.setup import is_protected_by_rule

        if is_protected_by_rule(self.lake):
            return ok("main takes changes by merges only")
        return failed("main is not protected from writes", "elt init")

    def uncommitted(self) -> Result:
        from orchestration.lake.client import MAIN, stray_writes

        if stray := self.lake.uncommitted(MAIN):
            raise stray_writes(stray)
        return ok("there are none")

    def gateway(self) -> Result:
        import duckdb

        from orchestration.lake import keys
        from orchestration.lake.s3 import open_duckdb

        # Any object will do. The gate has a check of its own.
        stored = next(self.lake.objects(self.head), None)
        key = stored.key if stored else keys.GATE
        path = f"s3://{self.lake.repository}/{self.head}/{key}"
        try:
            with open_duckdb(self.lake, self.head, http_retries="0") as connection:
                connection.execute("select size from read_blob(?)", [path]).fetchall()
        except duckdb.Error as error:
            return failed(
                f"DuckDB cannot read {key} through {self.address}: {error}",
                "let the proxy pass S3 requests with their Host header (docs/operations.md#tls-in-front); "
                "synchronise the clocks",
            )
        return ok("DuckDB reads main through it")

    @cached_property
    def head(self) -> str:
        from orchestration.lake.client import MAIN

        return self.lake.head(MAIN)

    @property
    def sdk(self) -> Any:
        return self.lake.connection.sdk


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except LakeRefused:
        return True
    except LakeError:
        return False
    return False
