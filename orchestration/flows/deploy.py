"""`elt deploy`: create the work pool with its queues, the deployments of prefect.yaml, and their automation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import yaml

from orchestration.errors import PlatformFailed, UsageError
from orchestration.flows import crashed
from orchestration.flows.own import own_deployments
from orchestration.log import Log
from orchestration.prefect_file import PrefectFile, read_prefect_file
from orchestration.project import dashed, is_of_another, project_name, tag_of

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient


def deploy(api_url: str, project_dir: Path, log: Log) -> None:
    """Create the work pool and its queues if they are missing, deploy prefect.yaml, and watch its flows. Idempotent.

    Other projects may use the same server. Nothing of theirs is changed.

    Raises:
        UsageError: prefect.yaml is missing or invalid, or uses a name of another project.
        PlatformFailed: Prefect refused the deployment; its output is the cause.
    """
    file, project = read_prefect_file(project_dir), project_name(project_dir)
    _refuse_names_of_another(file, project)
    _ensure_pool(file)
    log.info(f"work pool {file.pool} with the queues {', '.join(file.queues)}")
    deployed = _prefect_deploy(api_url, project_dir, tagged(file, project))
    if deployed.returncode:
        raise PlatformFailed(f"prefect deploy failed:\n{deployed.stdout[-2_000:]}", remedy="correct prefect.yaml")
    found = _found_deployments(project)
    for name in file.names:
        if name not in found:
            raise PlatformFailed(
                f"prefect deploy reported success, but there is no deployment {name}", remedy="correct prefect.yaml"
            )
        log.info(f"deployment {name}")
    _ensure_automations(project, {trigger for one in file.deployments for trigger in one.triggers})
    log.info(f"automation {crashed.automation_name(project)}")


def tagged(file: PrefectFile, project: str) -> dict[str, Any]:
    """Return the content of a prefect.yaml with the project in what Prefect would mix up with other projects.

    Deployments get the project's tag, and triggers its name. A trigger on flow runs matches those of the project only,
    because all projects run the same flows.
    """
    content: dict[str, Any] = deepcopy(dict(file.content))
    for one in content["deployments"]:
        one["tags"] = [*(one.get("tags") or ()), tag_of(project)]
        for trigger in one.get("triggers") or ():
            if trigger.get("name"):
                trigger["name"] = trigger_name(project, trigger["name"])
            if any(str(event).startswith("prefect.flow-run.") for event in trigger.get("expect") or ()):
                related = trigger.get("match_related") or []
                trigger["match_related"] = [
                    *(related if isinstance(related, list) else [related]),
                    crashed.of_project(project),
                ]
    return content


def trigger_name(project: str, trigger: str) -> str:
    """Return the name of the automation that a trigger of prefect.yaml becomes."""
    return f"{dashed(project)}: {trigger}"


def _prefect_deploy(api_url: str, project_dir: Path, content: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    with TemporaryDirectory(prefix="elt-deploy-") as folder:
        file = Path(folder) / "prefect.yaml"
        file.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)],
            cwd=project_dir,
            env=os.environ | {"PREFECT_API_URL": api_url, "DO_NOT_TRACK": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def _refuse_names_of_another(file: PrefectFile, project: str) -> None:
    """Refuse names of deployments and a work pool that another project uses: it would lose them, or get the runs."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterName,
        WorkPoolFilter,
        WorkPoolFilterName,
    )

    named = DeploymentFilter(name=DeploymentFilterName(any_=list(file.names)))
    in_pool = WorkPoolFilter(name=WorkPoolFilterName(any_=[file.pool]))
    try:
        with get_client(sync_client=True) as client:
            same_names = client.read_deployments(deployment_filter=named)
            same_pool = client.read_deployments(work_pool_filter=in_pool)
    except Exception as error:
        raise PlatformFailed(f"cannot list Prefect's deployments: {error}", remedy="elt status") from error
    for other in same_pool:
        if is_of_another(other.tags, project):
            raise UsageError(
                f"the work pool {file.pool} of prefect.yaml has deployments of another project, such as {other.name}",
                remedy="name the pool differently in prefect.yaml: workers take all runs of their pool",
            )
    for other in same_names:
        if is_of_another(other.tags, project):
            raise UsageError(
                f"the deployment {other.name} of prefect.yaml is one of another project on this Prefect server",
                remedy=f"name it differently in prefect.yaml, such as {dashed(project)}-{other.name}",
            )


def _found_deployments(project: str) -> frozenset[str]:
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            return frozenset(deployment.name for deployment in own_deployments(client, project))
    except Exception as error:
        raise PlatformFailed(f"cannot list Prefect's deployments: {error}", remedy="elt status") from error


def _ensure_automations(project: str, triggers: Collection[str]) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

    try:
        with get_client(sync_client=True) as client:
            for trigger in triggers:
                _delete_orphans(client, trigger_name(project, trigger))
            own = [deployment.id for deployment in own_deployments(client, project)]
            flows = client.read_flows(deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=own)))
            crashed.ensure_automation(client, project, {flow.name for flow in flows})
    except Exception as error:
        raise PlatformFailed(f"cannot create the automations in Prefect: {error}", remedy="elt status") from error


def _delete_orphans(client: SyncPrefectClient, trigger: str) -> None:
    """Delete a trigger's automations whose deployment was deleted: Prefect keeps them, and each run of them fails."""
    from prefect.events.actions import RunDeployment
    from prefect.exceptions import ObjectNotFound

    for automation in client.read_automations_by_name(trigger):
        for action in automation.actions:
            if isinstance(action, RunDeployment) and action.deployment_id:
                try:
                    client.read_deployment(action.deployment_id)
                except ObjectNotFound:
                    client.delete_automation(automation.id)
                    break


def _ensure_pool(file: PrefectFile) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        with get_client(sync_client=True) as client:
            try:
                client.read_work_pool(file.pool)
            except ObjectNotFound:
                template = ProcessWorker.get_default_base_job_template()
                client.create_work_pool(WorkPoolCreate(name=file.pool, type="process", base_job_template=template))
            for name, priority in file.queues.items():
                try:
                    queue = client.read_work_queue_by_name(name, work_pool_name=file.pool)
                except ObjectNotFound:
                    queue = client.create_work_queue(name, work_pool_name=file.pool)
                if queue.priority != priority:
                    client.update_work_queue(queue.id, priority=priority)
    except Exception as error:
        raise PlatformFailed(f"cannot create the work pool in Prefect: {error}", remedy="elt status") from error
