"""The project that a repository belongs to, in the repository's metadata: only this one writes to it.

A repository of an earlier version has no owner. `elt init` makes its project the owner.
"""

from __future__ import annotations

from typing import Any, Literal

from orchestration.errors import LakeNotFound, UsageError
from orchestration.lake.client import Lake
from orchestration.log import Log

EARLIER = "project"
"""The repository of earlier versions, unless ELT_REPOSITORY named another."""

_KEY = "elt_project"


def owner_of(lake: Lake) -> str | None:
    """Return the project that the repository belongs to; None if it has no owner.

    Raises:
        LakeNotFound: There is no such repository.
    """
    import lakefs_sdk

    found: dict[str, Any] = lake.connection.call_with_retry(
        f"read the owner of {lake.repository}",
        lakefs_sdk.RepositoriesApi(lake.connection.sdk).get_repository_metadata,
        lake.repository,
    )
    return found.get(_KEY)


def require_owner(lake: Lake, project: str) -> None:
    """Refuse a repository that belongs to another project.

    Raises:
        UsageError: It does.
    """
    _refuse_another(lake, owner_of(lake), project)


def ensure_owner(lake: Lake, project: str, log: Log, *, claim: bool) -> Literal["claimed", "unchanged"]:
    """Record the project as the repository's owner, unless it is.

    Args:
        lake: The repository.
        project: The name of the project.
        log: Takes a line if the owner changes.
        claim: Also take a repository that belongs to another project.

    Raises:
        UsageError: It belongs to another project, and `claim` is false.
    """
    import lakefs_sdk

    owner = owner_of(lake)
    if owner == project:
        return "unchanged"
    if not claim:
        _refuse_another(lake, owner, project)
    lake.connection.call_with_retry(
        f"record the owner of {lake.repository}",
        lakefs_sdk.InternalApi(lake.connection.sdk).set_repository_metadata,
        lake.repository,
        lakefs_sdk.RepositoryMetadataSet(metadata={_KEY: project}),
    )
    # Another project may have recorded itself at the same time. The last one is the owner.
    require_owner(lake, project)
    log.info(
        f"repository {lake.repository} belongs to the project {project}{f', and not to {owner} now' * bool(owner)}"
    )
    return "claimed"


def require_no_earlier(lake: Lake) -> None:
    """Refuse to create a repository while one of an earlier version may have the project's data.

    Raises:
        UsageError: There is a repository `project` without an owner.
    """
    try:
        owner = owner_of(Lake(lake.connection, EARLIER))
    except LakeNotFound:
        return
    if owner is None:
        raise UsageError(
            f"repository {lake.repository} would be created, but {EARLIER} exists, as earlier versions named it",
            remedy=f"set ELT_REPOSITORY={EARLIER} in .env of the project whose data it has, and elt init there first",
        )


def _refuse_another(lake: Lake, owner: str | None, project: str) -> None:
    if owner not in (None, project):
        raise UsageError(
            f"repository {lake.repository} belongs to the project {owner}, and this is {project}",
            remedy="set ELT_REPOSITORY to another name, or elt init --claim to take it over",
        )
