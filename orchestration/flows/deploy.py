"""`elt deploy`: the work pool with its queues, and the deployments of prefect.yaml."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

from orchestration.errors import PlatformFailed, UsageError
from orchestration.progress import Report
from orchestration.servers.worker import POOL

QUEUES = {"nightly": 1, "downstream": 2, "backfill": 3}
"""Work queues by priority, 1 first: dates of long ago wait until tonight's is through."""

_MADE = "successfully created"


def deploy(api_url: str, project_dir: Path, report: Report) -> None:
    """Makes the pool and its queues unless they are there, and deploys what prefect.yaml says; idempotent.

    Raises:
        UsageError: There is no prefect.yaml.
        PlatformFailed: Prefect does not take it; its words are the cause.
    """
    if not (project_dir / "prefect.yaml").exists():
        raise UsageError(f"there is no prefect.yaml in {project_dir}", remedy="run in a checkout of the project")
    _ensure_pool()
    report(f"work pool {POOL} with the queues {', '.join(QUEUES)}")
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
    made = [line.strip(" │").removesuffix(" with id") for line in deployed.stdout.splitlines() if _MADE in line]
    for line in made:
        report(line)
    meant = len(yaml.safe_load((project_dir / "prefect.yaml").read_text(encoding="utf-8"))["deployments"])
    if len(made) != meant:
        # Prefect passes over one without a name, and says that all went well.
        raise PlatformFailed(f"{len(made)} of the {meant} deployments of prefect.yaml were made", remedy="correct it")


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
        raise PlatformFailed(f"Prefect makes no work pool: {error}", remedy="elt status") from error
