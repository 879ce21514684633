"""Carry out checks of `elt doctor`, and read their results by name."""

from __future__ import annotations

from collections.abc import Iterable

from orchestration.doctor.checks import Check, Finding, carry_out


def found(checks: Iterable[Check]) -> dict[str, Finding]:
    """Return the results of checks by name."""
    return {one.check: one for one in carry_out(tuple(checks))}


def states(findings: dict[str, Finding]) -> dict[str, str]:
    """Return the states of the checks that are not ok, by name."""
    return {name: one.state for name, one in findings.items() if one.state != "ok"}
