"""docs/runbook.md, "Operations": each entry is provoked with real parts, and its commands make all well."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import lakefs_sdk
import pytest

from orchestration.errors import LakeRefused
from orchestration.lake import keys
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.setup import set_protection_rules
from tests.helpers.elt_runs import eventually
from tests.helpers.night import Night, days_after
from tests.helpers.own_lake import repository_of
from tests.helpers.runbook import Operator, entry

TOKEN = "expires-tonight"


@entry("A backfill stopped, or some of its dates failed")
def test_a_backfill_that_failed(night: Night, operator: Operator, execution_date: str) -> None:
    first, bad = days_after(execution_date, 0, 1)
    night.sends(bad, fault="empty-day")
    operator.sees(operator.types(f"elt backfill {first} {bad} --yes", code=3), DATE=bad)

    planned, _ = operator.does({"elt backfill": lambda: night.recovers(bad)}, FROM=first, TO=bad)

    assert "1 date" in planned
    assert night.is_well(first, bad)


@entry("The object store fills up")
@pytest.mark.usefixtures("prefect_client")
def test_a_store_that_fills_up(night: Night, operator: Operator, execution_date: str) -> None:
    night.publish(execution_date)
    night.publish(execution_date, rows=150)
    long_ago = int((datetime.now(UTC) - timedelta(days=60)).timestamp())
    dead = f"etl-{execution_date}-00000001"
    night.lake.create_branch(dead, night.lake.head(MAIN))
    night.lake.put(dead, "marts/mine/data.parquet", b"x", keys.RAW_CONTENT_TYPE)
    old = lakefs_sdk.CommitCreation(message="raw", var_date=long_ago, metadata={"flow_run_id": str(uuid4())})
    lakefs_sdk.CommitsApi(night.lake.connection.sdk).commit(night.lake.repository, dead, old)
    operator.sees(operator.types("elt clean"))

    planned, _ = operator.does()

    assert dead in planned
    assert dead not in night.lake.branches()
    assert night.is_well(execution_date)


@entry("A secret is wrong, or others can read .env")
def test_wrong_and_readable_secrets(
    night: Night, operator: Operator, env_file: Path, token_block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file.write_text("LAKEFS_SECRET_KEY=one-that-everybody-has\n")
    env_file.chmod(0o644)
    monkeypatch.delenv("LAKEFS_SECRET_KEY")
    operator.sees(operator.types("elt doctor", code=5))

    def correct() -> None:
        env_file.write_text(f"LAKEFS_SECRET_KEY={night.environment['LAKEFS_SECRET_KEY']}\n")

    # Nothing is deployed here, and no worker runs.
    before, *_, after = operator.does({"chmod": correct}, codes={"elt doctor": (5,)}, typed={"elt secrets set": TOKEN})

    assert "chmod 600" in before
    assert "chmod 600" not in after
    assert f"from the Secret block {token_block}" in after


@entry("lakeFS was restored from a backup")
@pytest.mark.usefixtures("deployment")
def test_a_restored_lakefs(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = days_after(execution_date, 0, 1)
    # tests/stack/test_backup.py restores a real backup. What the operator finds is the same.
    with repository_of(night.lake.connection.access, "runbook-restored") as lake:
        monkeypatch.setenv("ELT_REPOSITORY", lake.repository)
        operator.types(f"elt run {first}")
        backup = lake.head(MAIN)
        operator.types(f"elt run {last}")
        set_protection_rules(lake, [])
        assert eventually(lambda: reset(lake, backup))
        set_protection_rules(lake, [MAIN])
        operator.sees(operator.types(f"elt check {last}", code=5), DATE=last)

        init, audited, log, *_ = operator.does(FROM=last, TO=last, DATE=last)

        assert "gate unchanged" in init
        assert "nothing is wrong" in audited
        assert (first in log, last in log) == (True, False)


def reset(lake: Lake, commit: str) -> bool:
    """Puts `main` back to a commit without a trace; returns whether lakeFS has noticed that it is not protected."""
    api = lakefs_sdk.ExperimentalApi(lake.connection.sdk)
    try:
        lake.connection.call("reset", api.hard_reset_branch, lake.repository, MAIN, commit)
    except LakeRefused:
        return False
    return True
