"""Prefect accepts the base job templates in examples/work_pools, and makes complete jobs from them.

Prefect's own code checks them. The packages of the Docker and the Kubernetes worker are not in the lock file. If they
are installed, the real workers make the jobs too:

    uv run --with prefect-docker==0.7.4 --with prefect-kubernetes==0.8.0 pytest tests/unit/test_work_pools.py
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast
from uuid import uuid4

import pytest
from fastapi import HTTPException
from prefect.client.schemas.objects import FlowRun
from prefect.server.api.validation import (
    validate_job_variable_defaults_for_work_pool,
    validate_job_variables_for_deployment,
)
from prefect.server.schemas.actions import DeploymentCreate, WorkPoolCreate
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.base import BaseJobConfiguration
from pydantic import ConfigDict, ValidationError

from orchestration.prefect_file import read_prefect_file
from orchestration.settings import PROJECT_DIR

POOL = read_prefect_file(PROJECT_DIR).pool
TYPES = ("docker", "kubernetes")
FOLDER = PROJECT_DIR / "examples" / "work_pools"
OVERRIDES: dict[str, Any] = {"image": "ingest-clean@sha256:0123", "env": {"ELT_RETRIES": "1", "ELT_STATE_DIR": "/data"}}
# A session or a client. Prefect only uses it for references to blocks and to its variables, which no template has.
NO_BLOCKS = cast(Any, object())

Template = dict[str, Any]


class AnyJob(BaseJobConfiguration):
    """The job of a worker of any type, with all fields of its template."""

    model_config = ConfigDict(extra="allow")


def template_of(kind: str) -> Template:
    return cast(Template, json.loads((FOLDER / f"{kind}.json").read_text(encoding="utf-8")))


def create_pool(kind: str, template: Template) -> Any:
    """Return the work pool that Prefect's server creates from a template, checked as the server does."""
    pool = WorkPoolCreate(name=POOL, type=kind, base_job_template=template)
    asyncio.run(validate_job_variable_defaults_for_work_pool(NO_BLOCKS, POOL, template))
    return pool


def create_deployment(pool: Any, job_variables: dict[str, Any]) -> None:
    """Check the job variables of a deployment as Prefect's server does when it creates the deployment."""
    deployment = DeploymentCreate(name="daily-ingest", flow_id=uuid4(), job_variables=job_variables)
    asyncio.run(validate_job_variables_for_deployment(NO_BLOCKS, pool, deployment))


def make_job(kind: type[Any], template: Template) -> Any:
    """Return the job that a worker makes from a template and a deployment's job variables."""
    return asyncio.run(kind.from_template_and_values(template, OVERRIDES, client=NO_BLOCKS))


def prepared_job(kind: type[Any], template: Template) -> Any:
    """Return the job for a flow run, with the Prefect settings of its worker."""
    job = make_job(kind, template)
    with temporary_settings({PREFECT_API_URL: "https://prefect.example/api"}):
        job.prepare_for_flow_run(FlowRun(id=uuid4(), flow_id=uuid4(), name="brisk-otter", state=None))
    return job


def test_each_template_is_tested() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == [f"{kind}.json" for kind in TYPES]


@pytest.mark.parametrize("kind", TYPES)
def test_prefect_accepts_the_template(kind: str) -> None:
    create_pool(kind, template_of(kind))


@pytest.mark.parametrize("kind", TYPES)
def test_prefect_refuses_a_template_with_a_mistake(kind: str) -> None:
    template = template_of(kind)
    del template["variables"]["properties"]["image"]
    with pytest.raises(ValidationError, match=r"undeclared variable\(s\): image"):
        create_pool(kind, template)

    template = template_of(kind)
    del template["variables"]
    with pytest.raises(ValidationError, match="must contain both a `job_configuration` key and a `variables` key"):
        create_pool(kind, template)

    template = template_of(kind)
    template["variables"]["properties"]["env"]["default"]["ELT_RETRIES"] = 3
    with pytest.raises(HTTPException, match=r"'env\.ELT_RETRIES'"):
        create_pool(kind, template)

    template = template_of(kind)
    template["variables"]["properties"]["image"]["type"] = "text"
    with pytest.raises(HTTPException, match="Invalid schema"):
        create_pool(kind, template)


@pytest.mark.parametrize("kind", TYPES)
def test_a_deployment_may_set_the_declared_variables_only(kind: str) -> None:
    pool = create_pool(kind, template_of(kind))
    create_deployment(pool, OVERRIDES)

    for refused in ({"privileged": True}, {"volumes": ["/:/host"]}, {"image": 3}, {"image_pull_policy": "Sometimes"}):
        with pytest.raises(HTTPException, match="Error creating deployment: Validation failed"):
            create_deployment(pool, refused)


@pytest.mark.parametrize("kind", TYPES)
def test_a_job_has_the_defaults_the_deployments_values_and_no_placeholder(kind: str) -> None:
    template = template_of(kind)
    defaults = template["variables"]["properties"]["env"]["default"]

    job = make_job(AnyJob, template)

    assert job.env == defaults | OVERRIDES["env"]
    text = job.model_dump_json()
    assert OVERRIDES["image"] in text
    assert "{{" not in text


@pytest.mark.parametrize("kind", TYPES)
def test_the_environment_has_known_settings_and_no_secret(kind: str) -> None:
    names = set(template_of(kind)["variables"]["properties"]["env"]["default"])
    known = (PROJECT_DIR / ".env.example").read_text(encoding="utf-8")

    assert {"LAKEFS_ENDPOINT", "SHOP_API_URL", "ELT_STATE_DIR"} < names
    assert [name for name in names - {"PREFECT_HOME"} if f"{name}=" not in known] == []
    assert [name for name in names if name.endswith(("KEY", "TOKEN", "AUTH_STRING", "NOTIFY_URL", "SECRET"))] == []


def test_docker_makes_a_container_of_the_job() -> None:
    worker = pytest.importorskip("prefect_docker.worker", reason="prefect-docker is not in the lock file")
    job = prepared_job(worker.DockerWorkerJobConfiguration, template_of("docker"))
    client = type("Docker", (), {"version": lambda self: {"Version": "28.0.0"}})()

    container = worker.DockerWorker(POOL)._build_container_settings(client, job)

    assert (container["image"], container["command"]) == (OVERRIDES["image"], "prefect flow-run execute")
    assert container["environment"]["PREFECT_API_URL"] == "https://prefect.example/api"
    assert (container["mem_limit"], container["memswap_limit"]) == ("4g", "4g")
    assert (container["privileged"], container["cap_drop"], container["volumes"]) == (False, ["ALL"], [])
    assert container["security_opt"] == ["no-new-privileges:true"]


def test_kubernetes_makes_a_job_manifest() -> None:
    worker = pytest.importorskip("prefect_kubernetes.worker", reason="prefect-kubernetes is not in the lock file")
    job = prepared_job(worker.KubernetesWorkerJobConfiguration, template_of("kubernetes"))

    pod = job.job_manifest["spec"]["template"]["spec"]

    (container,) = pod["containers"]
    assert (container["image"], container["args"]) == (OVERRIDES["image"], ["prefect", "flow-run", "execute"])
    assert {"name": "PREFECT_API_URL", "value": "https://prefect.example/api"} in container["env"]
    assert {"name": "ELT_RETRIES", "value": "1"} in container["env"]
    assert container["envFrom"] == [{"secretRef": {"name": "ingest-clean", "optional": True}}]
    assert container["resources"]["limits"] == {"memory": "4Gi", "ephemeral-storage": "30Gi"}
    assert pod["automountServiceAccountToken"] is False
