"""What prefect.yaml declares: deployments, their work pool and its queues. The code knows none of their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import UsageError


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


@dataclass(frozen=True)
class PrefectFile:
    """A prefect.yaml.

    Attributes:
        pool: The work pool of all its deployments.
        queues: The priorities of the pool's queues by name, in the file's order: the first has 1, the highest.
        deployments: The deployments, in the file's order.
        content: The whole file.
    """

    pool: str
    queues: Mapping[str, int]
    deployments: tuple[Declared, ...]
    content: Mapping[str, Any] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of the deployments."""
        return tuple(one.name for one in self.deployments)


def read_prefect_file(project_dir: Path) -> PrefectFile:
    """Return what the prefect.yaml of a project declares.

    Raises:
        UsageError: There is no such file, it is not YAML, a deployment in it has no name or queue, or not all have the
            same work pool.
    """
    file = project_dir / "prefect.yaml"
    if not file.exists():
        raise UsageError(f"there is no prefect.yaml in {file.parent}", remedy="run in a checkout of the project")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        deployments = [(one.get("name"), _queue_of(one), _declared(one)) for one in content["deployments"]]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{file}: no list of deployments: {error}", remedy="correct the file") from error
    for number, (name, _, _) in enumerate(deployments, start=1):
        if name is None:
            # Prefect skips a deployment without a name, and reports success.
            raise UsageError(f"{file}: deployment {number} has no name", remedy="name it")
    for name, (pool, queue), _ in deployments:
        if not (pool and queue):
            raise UsageError(f"{file}: {name} has no work_pool with name and work_queue_name", remedy="add it")
    pools = sorted({str(pool) for _, (pool, _), _ in deployments})
    if len(pools) != 1:
        raise UsageError(
            f"{file}: its deployments have {len(pools)} work pools{': ' if pools else ''}{', '.join(pools)}",
            remedy="give all the same one, which the project's workers serve",
        )
    queues = dict.fromkeys(str(queue) for _, (_, queue), _ in deployments)
    return PrefectFile(
        pool=pools[0],
        queues={name: priority for priority, name in enumerate(queues, start=1)},
        deployments=tuple(declared for _, _, declared in deployments),
        content=content,
    )


def _queue_of(one: Mapping[str, Any]) -> tuple[Any, Any]:
    work_pool = one.get("work_pool") or {}
    return work_pool.get("name"), work_pool.get("work_queue_name")


def _declared(one: Mapping[str, Any]) -> Declared:
    return Declared(
        str(one.get("name")),
        any(schedule.get("active", True) for schedule in one.get("schedules") or ()),
        tuple(str(trigger["name"]) for trigger in one.get("triggers") or () if trigger.get("name")),
    )
