"""The project's name in dbt_project.yml, and the names made of it by which servers keep several projects apart."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from orchestration.errors import UsageError

# It is a part of names in lakeFS and Prefect, which have no `_`, so no two of these become the same name there.
_NAME = re.compile(r"(?=.{3,40}\Z)[a-z][a-z0-9]*(_[a-z0-9]+)*")
NAME_RULE = "3 to 40 of a-z, 0-9 and single _ between them, beginning with a letter"


def project_name(project_dir: Path) -> str:
    """Return the name of the project: `name` in its dbt_project.yml.

    Raises:
        UsageError: There is no such file, or it has no name that lakeFS and Prefect can use.
    """
    file = project_dir / "dbt_project.yml"
    try:
        # Every command reads it, so use libyaml.
        content = yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except FileNotFoundError:
        raise UsageError(
            f"there is no dbt_project.yml in {project_dir}", remedy="set ELT_PROJECT_DIR to the project's folder"
        ) from None
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}", remedy="correct the file") from error
    name = content.get("name") if isinstance(content, dict) else None
    if not (isinstance(name, str) and is_name(name)):
        raise UsageError(f"{file}: name {name!r} is not the name of a project", remedy=f"name it by {NAME_RULE}")
    return name


def is_name(name: str) -> bool:
    """Return whether dbt, lakeFS and Prefect can all use a name of a project, in the forms that it has there."""
    return bool(_NAME.fullmatch(name))


def dashed(name: str) -> str:
    """Return a project's name where no `_` is allowed, such as in the name of a repository."""
    return name.replace("_", "-")


def own_name(project: str, name: str) -> str:
    """Return the name of something of a project on a Prefect server that other projects use too.

    No name of a project has two dashes, so what precedes the first two is the project.
    """
    return f"{dashed(project)}--{name}"


def tag_of(project: str) -> str:
    """Return the tag of a project's deployments and flow runs in Prefect."""
    return f"{_TAG}{project}"


def is_of_another(tags: list[str], project: str) -> bool:
    """Return whether tags of a deployment or a flow run name another project. Earlier versions had no such tag."""
    return any(tag.startswith(_TAG) and tag != tag_of(project) for tag in tags)


_TAG = "project:"
