"""The errors of prefect.yaml that `elt deploy` reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from orchestration.errors import PlatformFailed
from orchestration.flows.deploy import deploy
from orchestration.log import SILENT
from tests.helpers.blocks import (
    prefect_down,
)

DEPLOYMENT = {
    "name": "refused",
    "entrypoint": "orchestration.flows.ingest.ingest_clean",
    "work_pool": {"name": "etl-pool", "work_queue_name": "nightly"},
}


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"deployments": [{**DEPLOYMENT, "entrypoint": "orchestration.flows.ingest.no_flow"}]}, "'no_flow' not found"),
        ({"deployments": [{**DEPLOYMENT, "work_pool": {"name": "no-pool"}}]}, "work pool 'no-pool'"),
    ],
    ids=["no flow", "no pool"],
)
def test_the_error_for_an_invalid_prefect_yaml_has_the_message_of_prefect(
    api: str, tmp_path: Path, described: Any, words: str
) -> None:
    (tmp_path / "prefect.yaml").write_text(json.dumps({"name": "x", "pull": [], **described}))

    with pytest.raises(PlatformFailed) as refused:
        deploy(api, tmp_path, SILENT)

    assert refused.value.cause.startswith("prefect deploy failed:\n")
    assert words in " ".join(refused.value.cause.split())
    assert refused.value.remedy == "correct prefect.yaml"
    with get_client(sync_client=True) as client, pytest.raises(ObjectNotFound):
        client.read_deployment_by_name("ingest-clean/refused")


def test_deploy_fails_if_prefect_does_not_respond(api: str, tmp_path: Path) -> None:
    (tmp_path / "prefect.yaml").write_text("deployments: []")

    with prefect_down() as url, pytest.raises(PlatformFailed, match="cannot create the work pool in Prefect"):
        deploy(url, tmp_path, SILENT)
