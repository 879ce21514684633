"""The gate of `main`: which one this version of the pipeline expects, and whether a commit carries it.

lakeFS reads the gate from the commit that is merged, so a branch cut from a commit without it is not gated. That is
why every writing command asks first.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from orchestration.errors import GateMissing
from orchestration.lake import keys
from orchestration.lake.client import Lake


def gate_file(project_dir: Path) -> bytes:
    """The gate as this version of the pipeline has it."""
    return (project_dir / "lake" / keys.GATE).read_bytes()


def gate_problem(lake: Lake, commit: str, project_dir: Path) -> str | None:
    """What is wrong with a commit's gate, or None where it is the expected one."""
    found = lake.stat(commit, keys.GATE)
    if found is None:
        return f"{keys.GATE} is missing in {commit[:12]}"
    expected = hashlib.md5(gate_file(project_dir), usedforsecurity=False).hexdigest()
    if found.checksum != expected:
        return f"{keys.GATE} in {commit[:12]} is not this version's (checksum {found.checksum}, expected {expected})"
    return None


def require_gate(lake: Lake, commit: str, project_dir: Path) -> None:
    """Refuses to go on from a commit that does not carry the expected gate.

    Raises:
        GateMissing: Says what is wrong, and the remedy.
    """
    if problem := gate_problem(lake, commit, project_dir):
        raise GateMissing(f"the gate does not stand: {problem}", remedy="elt init")
