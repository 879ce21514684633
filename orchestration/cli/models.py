"""`elt models`: the dbt models that are generated from the sources' YAML."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.output import Json, show


def models(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail where a file is not what would be written.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the dbt models of the tables that the YAML declares."""
    from orchestration.models.generate import require_current, write_models
    from orchestration.project import project_name
    from orchestration.settings import read_settings

    project_dir = read_settings().project_dir
    # A folder without a project has no models, so its models would count as up to date.
    project_name(project_dir)
    if check:
        count = require_current(project_dir)
        show({"files": count}, f"{count} generated files are up to date", as_json)
        return
    written = write_models(project_dir)
    show({"written": written}, "\n".join(written) or "the models are up to date", as_json)
