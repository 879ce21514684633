"""The errors of prefect.yaml that `elt deploy` reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from orchestration.errors import PlatformFailed, UsageError
from orchestration.flows.deploy import deploy
from orchestration.log import SILENT
from orchestration.project import tag_of
from tests.helpers.blocks import (
    prefect_down,
)
from tests.helpers.projects import name_project

DEPLOYMENT = {
    "name": "refused",
    "entrypoint": "orchestration.flows.ingest.ingest_clean",
    "work_pool": {"name": "etl-pool", "work_queue_name": "nightly"},
}


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"deployments": [{**DEPLOYMENT, "entrypoint": "orchestration.flows.ingest.no_flow"}]}, "'no_flow' not found"),
        ({"deployments": [{**DEPLOYMENT, "entrypoint": "orchestration.flows.nothing.flow"}]}, "No module named"),
    ],
    ids=["no flow", "no module"],
)
def test_the_error_for_an_invalid_prefect_yaml_has_the_message_of_prefect(
    api: str, tmp_path: Path, described: Any, words: str
) -> None:
    name_project(tmp_path)
    (tmp_path / "prefect.yaml").write_text(json.dumps({"name": "x", "pull": [], **described}))

    with pytest.raises(PlatformFailed) as refused:
        deploy(api, tmp_path, SILENT)

    assert refused.value.cause.startswith("prefect deploy failed:\n")
    assert words in " ".join(refused.value.cause.split())
    assert refused.value.remedy == "correct prefect.yaml"
    with get_client(sync_client=True) as client, pytest.raises(ObjectNotFound):
        client.read_deployment_by_name("ingest-clean/refused")


def test_deploy_fails_if_prefect_does_not_respond(api: str, tmp_path: Path) -> None:
    name_project(tmp_path)
    (tmp_path / "prefect.yaml").write_text(json.dumps({"deployments": [DEPLOYMENT]}))

    with prefect_down() as url, pytest.raises(PlatformFailed, match="cannot list Prefect's deployments"):
        deploy(url, tmp_path, SILENT)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({}, "the work pool of-the-first of prefect.yaml has deployments of another project, such as first-of-all"),
        (
            {"work_pool": {"name": "of-the-second", "work_queue_name": "nightly"}},
            "the deployment first-of-all of prefect.yaml is one of another project on this Prefect server",
        ),
    ],
    ids=["pool", "name"],
)
def test_names_of_another_project_are_refused_before_anything_is_changed(
    api: str, tmp_path: Path, change: Any, cause: str
) -> None:
    declared = {
        **DEPLOYMENT,
        "name": "first-of-all",
        "work_pool": {"name": "of-the-first", "work_queue_name": "nightly"},
    }
    name_project(tmp_path, "the_first")
    (tmp_path / "prefect.yaml").write_text(json.dumps({"pull": [], "deployments": [declared]}))
    deploy(api, tmp_path, SILENT)
    with get_client(sync_client=True) as client:
        try:
            before = client.read_deployment_by_name("ingest-clean/first-of-all")
            name_project(tmp_path, "the_second")
            (tmp_path / "prefect.yaml").write_text(json.dumps({"pull": [], "deployments": [{**declared, **change}]}))

            with pytest.raises(UsageError) as refused:
                deploy(api, tmp_path, SILENT)

            assert refused.value.cause == cause
            assert "differently in prefect.yaml" in refused.value.remedy
            assert client.read_deployment_by_name("ingest-clean/first-of-all") == before
            assert before.tags == [tag_of("the_first")]
            assert "of-the-second" not in {pool.name for pool in client.read_work_pools()}
            assert not any(one.name.startswith("the-second") for one in client.read_automations())
        finally:
            client.delete_deployment(client.read_deployment_by_name("ingest-clean/first-of-all").id)
            client.delete_work_pool("of-the-first")
            for one in client.read_automations():
                if one.name.startswith("the-first"):
                    client.delete_automation(one.id)
