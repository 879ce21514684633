"""The automation that ends flow runs whose process was killed: nobody else would report their end."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from orchestration.project import dashed, tag_of

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

SILENCE = timedelta(minutes=10)
"""More than three of Prefect's default heartbeats, which are 3 minutes apart."""


def automation_name(project: str) -> str:
    """Return the name of the project's automation."""
    return f"{dashed(project)}: runs without a heartbeat are crashed"


def of_project(project: str) -> dict[str, str]:
    """Return the specification of what each event of the project's flow runs is related to: their tag."""
    return {"prefect.resource.role": "tag", "prefect.resource.id": f"prefect.tag.{tag_of(project)}"}


def ensure_automation(
    client: SyncPrefectClient, project: str, flows: Collection[str], *, silence: timedelta = SILENCE
) -> None:
    """Create or update the automation that sets flow runs to Crashed after `silence` without an event of theirs.

    A killed process leaves its flow run Running. The state Crashed shows the truth, and frees the slot of
    the deployment also where its lease is lost, as after the restore of a database dump.

    Args:
        client: A client of Prefect's API.
        project: The project whose runs it watches; others may use the same server.
        flows: The names of the flows whose runs it watches.
        silence: The time without a heartbeat or another state. It counts from the last of them.

    Source:
        https://docs.prefect.io/v3/advanced/detect-zombie-flows
    """
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    name = automation_name(project)
    automation = AutomationCore(
        name=name,
        description="Written by `elt deploy`.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            after={"prefect.flow-run.Running", "prefect.flow-run.heartbeat"},
            expect={"prefect.flow-run.*"},
            match=ResourceSpecification.model_validate({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=[
                ResourceSpecification.model_validate(
                    {"prefect.resource.role": "flow", "prefect.resource.name": sorted(flows)}
                ),
                ResourceSpecification.model_validate(of_project(project)),
            ],
            for_each={"prefect.resource.id"},
            threshold=1,
            within=silence,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED,
                message=f"no heartbeat for {silence.total_seconds():.0f} s: its process was killed; run the date again",
            )
        ],
    )
    found = client.read_automations_by_name(name)
    if found:
        client.update_automation(found[0].id, automation)
    else:
        client.create_automation(automation)
