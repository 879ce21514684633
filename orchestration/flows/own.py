"""The project's own deployments on a Prefect server that other projects use too: by their entrypoint and tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.project import tag_of

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse

INGEST = "orchestration.flows.ingest.ingest_clean"
MARTS = "orchestration.flows.marts.marts"


def own_deployment(client: SyncPrefectClient, project: str, entrypoint: str) -> DeploymentResponse | None:
    """Return the project's deployment of a flow; if it has several, one with a schedule. None if it has none."""
    found = [one for one in own_deployments(client, project) if one.entrypoint == entrypoint]
    return min(found, key=lambda one: (not one.schedules, one.name), default=None)


def own_deployments(client: SyncPrefectClient, project: str) -> list[DeploymentResponse]:
    """Return the deployments of the project."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[tag_of(project)]))
    return client.read_deployments(deployment_filter=tagged)
