"""Commands for operators: `elt audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.output import Json, format_table, show

if TYPE_CHECKING:
    from orchestration.operations.audit import Audited

FOUND = 5
"""The exit code if something is wrong on `main`: that of PlatformFailed."""


def audit(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read every object, and compare its bytes with its receipt.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Prove that all of main is listed, tested and merged through the gate.

    Exit code 0 if nothing is wrong, else 5 with a line for each finding.
    """
    from orchestration.endpoints import open_lake
    from orchestration.operations.audit import audit_main
    from orchestration.settings import read_settings

    settings = read_settings()
    found = audit_main(open_lake(settings), settings.project_dir, deep=deep)
    show(found, _shown(found), as_json)
    if found.findings:
        raise typer.Exit(FOUND)


def _shown(found: Audited) -> str:
    read = ", all of them read" if found.deep else ""
    checked = (
        f"main at {found.commit[:12]}: {found.dates:,} dates, {found.objects:,} listed objects{read}, "
        f"{found.merges:,} commits"
    )
    if not found.findings:
        return f"{checked}: nothing is wrong"
    rows = [(finding.subject, finding.problem, finding.remedy) for finding in found.findings]
    return f"{format_table(('subject', 'problem', 'remedy'), rows)}\n\n{checked}: {len(rows):,} findings"
