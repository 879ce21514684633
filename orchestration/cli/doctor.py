"""`elt doctor`: check everything that a run needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from orchestration.cli.output import Json, show

if TYPE_CHECKING:
    from orchestration.doctor.diagnose import Diagnosis


def doctor(as_json: Json = False) -> None:
    """Check servers, keys, settings, versions and schedules.

    Each line says what was seen, and what to do. Changes nothing. Exit code 0 if all is well, else 5.
    """
    from orchestration.doctor.diagnose import diagnose
    from orchestration.errors import PlatformFailed
    from orchestration.settings import read_settings

    found = diagnose(read_settings())
    show(found, _shown(found), as_json)
    if found.state != "ok":
        raise typer.Exit(PlatformFailed.exit_code)


def _shown(found: Diagnosis) -> str:
    width = max(len(one.check) for one in found.checks)
    lines = []
    for one in found.checks:
        lines.append(f"{one.state:<11}  {one.check:<{width}}  {one.seen}")
        # What was not checked depends on a check above, which has the remedy.
        if one.remedy and one.state != "not checked":
            lines.append(f"{'':<11}  {'':<{width}}  next: {one.remedy}")
    wrong = sum(1 for one in found.checks if one.state != "ok")
    of = f"{len(found.checks)} checks"
    return "\n".join([*lines, "", f"{of}: {wrong} need attention" if wrong else f"{of}: all is well"])
