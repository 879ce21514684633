"""`elt doctor` on a real lakeFS: each check passes, and fails for what it is there to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchestration.doctor.checks import Finding
from orchestration.doctor.lakefs import lakefs_checks
from orchestration.errors import LakeRefused
from orchestration.lake import keys
from orchestration.lake.access import LakeAccess
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.setup import init_lake, set_protection_rules
from orchestration.log import SILENT
from orchestration.settings import (
    PROJECT_DIR,
    EltSettings,
    LakeSettings,
    read_settings,
)
from tests.helpers.checks import found, states
from tests.helpers.elt_runs import eventually
from tests.helpers.proxy import run_proxy


@pytest.fixture(scope="module")
def lake(open_repository: Callable[..., Lake]) -> Lake:
    lake = open_repository("doctor")
    init_lake(lake, "lakefs", PROJECT_DIR, SILENT)
    return lake


@pytest.fixture
def on_lake(lake: Lake, access: LakeAccess) -> Callable[..., dict[str, Finding]]:
    """Carries out the checks of lakeFS, with other settings where given."""

    def check(repository: str = "doctor", bucket: str = "lakefs", **given: Any) -> dict[str, Finding]:
        values: dict[str, Any] = {
            "endpoint": access.endpoint,
            "access_key": access.access_key,
            "secret_key": access.secret_key,
        }
        settings = replace(
            read_settings(),
            elt=EltSettings(repository=repository, bucket=bucket),
            lake=LakeSettings(**(values | given)),
        )
        return found(lakefs_checks(settings, ()))

    return check


OnLake = Callable[..., dict[str, Finding]]


def test_a_sound_lake_passes_and_is_left_unchanged(on_lake: OnLake, lake: Lake) -> None:
    before = lake.head(MAIN), set(lake.branches())

    checked = on_lake()

    assert states(checked) == {}
    assert checked["lakefs version"].seen.startswith("1.86.0")
    assert (lake.head(MAIN), set(lake.branches())) == before
    assert lake.uncommitted(MAIN) == ()


def test_a_wrong_key_fails_and_what_depends_on_it_is_not_checked(on_lake: OnLake) -> None:
    checked = on_lake(secret_key="sesam-is-wrong")

    assert checked["lakefs"].state == "ok"
    assert checked["lakefs keys"].state == "failed"
    assert "LAKEFS_SECRET_KEY" in checked["lakefs keys"].remedy
    assert set(states(checked).values()) == {"failed", "not checked"}
    assert checked["gate"].seen == "lakefs keys failed"
    assert "sesam" not in str(checked)


@pytest.mark.parametrize(
    ("given", "remedy"),
    [({"repository": "no-such-repository"}, "elt init"), ({"bucket": "another"}, "set ELT_BUCKET to its bucket")],
)
def test_a_repository_that_is_missing_or_elsewhere_fails(on_lake: OnLake, given: dict[str, str], remedy: str) -> None:
    checked = on_lake(**given)

    assert (checked["repository"].state, checked["repository"].remedy[: len(remedy)]) == ("failed", remedy)
    assert checked["protection of main"].state == "not checked"


def test_missing_rights_and_a_gateway_that_fails_are_found(on_lake: OnLake, lake: Lake, access: LakeAccess) -> None:
    with run_proxy(access.endpoint) as proxy:
        proxy.inject("POST", "/branches", "403", times=2)
        # Only the S3 gateway has paths that begin with repository and ref.
        proxy.inject("", f"/doctor/{lake.head(MAIN)}/", "500", times=100)
        checked = on_lake(endpoint=proxy.url)

    assert states(checked) == {"lakefs rights": "failed", "lakefs s3 gateway": "failed"}
    assert checked["lakefs rights"].seen == "the keys do not allow to create branches, write"
    assert "docs/operations.md#tls-in-front" in checked["lakefs s3 gateway"].remedy


def test_a_missing_gate_and_protection_and_uncommitted_writes_are_found(on_lake: OnLake, lake: Lake) -> None:
    head = lake.head(MAIN)
    lake.create_branch("past", head)
    lake.delete("past", [keys.GATE])
    lake.merge(lake.commit("past", "past the gate", {}), "past the gate", {})
    set_protection_rules(lake, [])

    def is_writable() -> bool:
        try:
            lake.put(MAIN, "stray.txt", b"x", keys.RAW_CONTENT_TYPE)
        except LakeRefused:
            return False
        return True

    assert eventually(is_writable)

    checked = on_lake()

    assert states(checked) == {
        "gate": "failed",
        "protection of main": "failed",
        "uncommitted writes on main": "failed",
        "lakefs s3 gateway": "not checked",
    }
    assert checked["gate"].remedy == checked["protection of main"].remedy == "elt init"
    assert "stray.txt" in checked["uncommitted writes on main"].seen
    assert "elt init --discard-stray" in checked["uncommitted writes on main"].remedy
