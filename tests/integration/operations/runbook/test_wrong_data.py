"""docs/runbook.md, "The data is wrong": each entry is provoked with real parts, and its commands make all well."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from examples.events_api import Options, accounting, create_app
from orchestration.lake import keys
from orchestration.models.generate import write_models
from tests.helpers.elt_runs import CLOSED
from tests.helpers.gate_branches import merge
from tests.helpers.night import Night, days_after
from tests.helpers.own_lake import repository_of
from tests.helpers.pipeline import require_whole
from tests.helpers.projects import copy_project, settings_of
from tests.helpers.runbook import Operator, entry
from tests.helpers.tables import SOURCES, edit_yaml


@entry("Wrong data was published")
def test_wrong_data(night: Night, operator: Operator, execution_date: str) -> None:
    night.publish(execution_date)
    night.publish(execution_date, rows=120)
    operator.sees(operator.types(f"elt show {execution_date}"), DATE=execution_date)

    done = operator.does({"elt run": lambda: night.sends(execution_date, rows=130)}, DATE=execution_date)

    versions = json.loads(operator.types(f"elt show {execution_date} --json").partition("\n")[2])["versions"]
    assert [one["outcome"] for one in versions] == ["superseded", "rolled back", "superseded", "published"]
    assert versions[0]["rows"]["events"] == accounting(130).curated
    assert versions[1]["reason"] == "wrong prices"
    assert "nothing is changed" in done[1]
    assert "stale" not in operator.types("elt status")
    assert night.is_well(execution_date)


@entry("The models were wrong")
def test_wrong_models(
    night: Night, operator: Operator, execution_date: str, changed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = days_after(execution_date, 0, 1)
    for published in (first, last):
        night.publish(published)
    settings_of(monkeypatch, changed, SHOP_API_URL=CLOSED)
    planned = operator.types(f"elt backfill {first} {last} --from-raw --plan")
    operator.sees(planned, FROM=first, TO=last)

    *_, verified = operator.does(FROM=first, TO=last)

    assert "1 identical" in verified
    assert night.is_well(first, last)


@entry("Good rows were rejected")
def test_good_rows_that_were_rejected(
    night: Night,
    operator: Operator,
    execution_date: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    night.sends(execution_date, with_half_a_unit(create_app(Options(rows=400))))
    night.publish(execution_date)
    operator.sees(operator.types(f"elt rejects {execution_date}"), DATE=execution_date)
    loosened = copy_project(tmp_path_factory.mktemp("loosened"))
    edit_yaml(loosened / SOURCES, _accept_halves)
    write_models(loosened)

    _, exported, rebuilt, left = operator.does(
        {"elt backfill": lambda: settings_of(monkeypatch, loosened, SHOP_API_URL=CLOSED)}, DATE=execution_date
    )

    assert "3 rejected rows" in exported
    assert "1 rows came back" in rebuilt
    assert ("quantity_not_integer" in left, "event_id_missing" in left) == (False, True)
    assert night.is_well(execution_date)


def with_half_a_unit(app: ASGIApp) -> ASGIApp:
    """Returns an API whose first event has half a unit."""

    async def altered(scope: Scope, receive: Receive, send: Send) -> None:
        async def alter(message: Message) -> None:
            if "headers" in message:
                headers = [(name, value) for name, value in message["headers"] if name != b"content-length"]
                message = {**message, "headers": headers}
            if "body" in message:
                message = {**message, "body": re.sub(first, rb"\g<1>0.5", message["body"])}
            await send(message)

        # The first event of the response is at its beginning.
        first = rb'(?s)(\A\[?\s*\{[^}]*?"Quantity": ?)-?\d+'
        await app(scope, receive, alter)

    return altered


def _accept_halves(content: dict[str, Any]) -> None:
    for column in content["sources"][0]["tables"][0]["columns"]:
        if column["name"] == "Quantity":
            column["data_type"] = "double"


@entry("The marts are stale")
def test_stale_marts(night: Night, operator: Operator, execution_date: str) -> None:
    night.publish(execution_date)
    operator.types("elt marts")
    night.publish(execution_date, rows=110)
    operator.sees(operator.types("elt status"))

    _, status = operator.does()

    assert "stale" not in status
    assert night.is_well(execution_date)


@entry("The audit finds something")
def test_a_finding_of_the_audit(
    night: Night, operator: Operator, execution_date: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with repository_of(night.lake.connection.access, "runbook-audit") as lake:
        monkeypatch.setenv("ELT_REPOSITORY", lake.repository)
        operator.types(f"elt run {execution_date}")
        # lakeFS runs no hook for a branch without the gate.
        merge(
            lake,
            {
                keys.GATE: None,
                keys.raw_page("shop", "events", execution_date, 1): b"[]",
                keys.curated("events", execution_date): None,
                f"raw/shop/events/date={execution_date}/extra.json": b"[]",
            },
        )
        operator.sees(operator.types("elt audit", code=5))

        *_, audited = operator.does(codes={"elt audit": (5,)}, DATE=execution_date)

        assert "was merged into main without a completed run of the gate" in audited
        assert audited.rstrip().endswith(": 1 findings")
        assert require_whole(lake, execution_date)


@entry("A date is not built identically")
def test_a_date_that_is_built_otherwise(
    night: Night, operator: Operator, execution_date: str, changed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.publish(execution_date)
    settings_of(monkeypatch, changed)
    operator.sees(operator.types(f"elt verify {execution_date}", code=3), DATE=execution_date)

    *_, verified = operator.does(codes={"elt verify": (3, 0)}, DATE=execution_date)

    assert "1 identical" in verified
    assert night.is_well(execution_date)
