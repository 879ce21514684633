"""`elt deploy`: create the work pool with its queues, the deployments of prefect.yaml, and their automation."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from orchestration.errors import PlatformFailed, UsageError
from orchestration.flows import crashed
from orchestration.log import Log
from orchestration.servers.worker import POOL

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.filters import DeploymentFilter

QUEUES = {"nightly": 1, "check": 2, "downstream": 3, "backfill": 4}
"""Work queues by priority (1 is highest): backfills never delay the nightly run or its check."""


@dataclass(frozen=True)
class Declared:
    """A deployment of prefect.yaml.

    Attributes:
        name: Its name.
        scheduled: Whether it has an active schedule.
        triggers: The names of its triggers that have one; they become automations.
    """

    name: str
    scheduled: bool
    triggers: tuple[str, ...]


def deploy(api_url: str, project_dir: Path, log: Log) -> None:
    """Create the work pool and its queues if they are missing, deploy prefect.yaml, and watch its flows. Idempotent.

    Raises:
        UsageError: There is no prefect.yaml, it is not YAML, or a deployment in it has no name.
        PlatformFailed: Prefect refused the deployment; its output is the cause.
    """
    declared = declared_deployments(project_dir / "prefect.yaml")
    names = tuple(deployment.name for deployment in declared)
    _ensure_pool()
    log.info(f"work pool {POOL} with the queues {', '.join(QUEUES)}")
    deployed = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=project_dir,
        env=os.environ | {"PREFECT_API_URL": api_url, "DO_NOT_TRACK": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if deployed.returncode:
        raise PlatformFailed(f"prefect deploy failed:\n{deployed.stdout[-2_000:]}", remedy="correct prefect.yaml")
    found = _found_deployments(names)
    for name in names:
        if name not in found:
            raise PlatformFailed(
                f"prefect deploy reported success, but there is no deployment {name}", remedy="correct prefect.yaml"
            )
        log.info(f"deployment {name}")
    _ensure_automations(names, {trigger for deployment in declared for trigger in deployment.triggers})
    log.info(f"automation {crashed.NAME}")


def declared_deployments(file: Path) -> tuple[Declared, ...]:
    """Return the deployments of a prefect.yaml, in its order.

    Raises:
        UsageError: There is no such file, it is not YAML, or a deployment in it has no name.
    """
    if not file.exists():
        raise UsageError(f"there is no prefect.yaml in {file.parent}", remedy="run in a checkout of the project")
    try:
        deployments = yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]
        found = [
            (
                one.get("name"),
                any(schedule.get("active", True) for schedule in one.get("schedules") or ()),
                tuple(str(trigger["name"]) for trigger in one.get("triggers") or () if trigger.get("name")),
            )
            for one in deployments
        ]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{file}: no list of deployments: {error}", remedy="correct the file") from error
    for number, (name, *_) in enumerate(found, start=1):
        if name is None:
            # Prefect skips a deployment without a name, and reports success.
            raise UsageError(f"{file}: deployment {number} has no name", remedy="name it")
    return tuple(Declared(str(name), scheduled, triggers) for name, scheduled, triggers in found)


def _found_deployments(names: Collection[str]) -> frozenset[str]:
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            found = client.read_deployments(deployment_filter=_named(names))
            return frozenset(deployment.name for deployment in found)
    except Exception as error:
        raise PlatformFailed(f"cannot list Prefect's deployments: {error}", remedy="elt status") from error


def _ensure_automations(names: Collection[str], triggers: Collection[str]) -> None:
    from prefect.client.orchestration import get_client

    try:
        with get_client(sync_client=True) as client:
            for trigger in triggers:
                _delete_orphans(client, trigger)
            flows = client.read_flows(deployment_filter=_named(names))
            crashed.ensure_automation(client, {flow.name for flow in flows})
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


def _named(names: Collection[str]) -> DeploymentFilter:
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName

    return DeploymentFilter(name=DeploymentFilterName(any_=list(names)))


def _ensure_pool() -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        with get_client(sync_client=True) as client:
            try:
                client.read_work_pool(POOL)
            except ObjectNotFound:
                template = ProcessWorker.get_default_base_job_template()
                client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))
            for name, priority in QUEUES.items():
                try:
                    queue = client.read_work_queue_by_name(name, work_pool_name=POOL)
                except ObjectNotFound:
                    queue = client.create_work_queue(name, work_pool_name=POOL)
                if queue.priority != priority:
                    client.update_work_queue(queue.id, priority=priority)
    except Exception as error:
        raise PlatformFailed(f"cannot create the work pool in Prefect: {error}", remedy="elt status") from error
