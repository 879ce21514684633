"""The gate of `main`: the expected version, and whether a commit has it.

lakeFS reads the gate from the commit that is merged, so a branch cut from a commit without it is not gated. Every
command that writes therefore checks it first.
"""

from __future__ import annotations

from pathlib import Path

from orchestration.errors import GateMissing
from orchestration.lake import keys
from orchestration.lake.checksum import checksum_of
from orchestration.lake.client import Lake


def gate_file() -> bytes:
    """Return the gate of this version of the package."""
    return Path(__file__).with_name("gate_main.yaml").read_bytes()


def gate_problem(lake: Lake, commit: str) -> str | None:
    """Return what is wrong with a commit's gate, or None if it is the expected one."""
    found = lake.stat(commit, keys.GATE)
    if found is None:
        return f"{keys.GATE} is missing in {commit[:12]}"
    expected = checksum_of(gate_file())
    if found.checksum != expected:
        return f"{keys.GATE} in {commit[:12]} is not this version's (checksum {found.checksum}, expected {expected})"
    return None


def require_gate(lake: Lake, commit: str) -> None:
    """Require that a commit has the expected gate.

    Raises:
        GateMissing: The gate is missing or differs; the message says which, with the remedy.
    """
    if problem := gate_problem(lake, commit):
        raise GateMissing(f"gate check failed: {problem}", remedy="elt init")
