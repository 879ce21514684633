"""All checks of `elt doctor`, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from orchestration.doctor.checks import Check, Finding, carry_out
from orchestration.doctor.deployments import deployment_checks
from orchestration.doctor.flow_runs import flow_run_checks
from orchestration.doctor.lakefs import lakefs_checks
from orchestration.doctor.machine import machine_checks
from orchestration.doctor.prefect import SIGNED_IN, prefect_checks
from orchestration.doctor.project import project_checks
from orchestration.doctor.secrets import secret_checks
from orchestration.doctor.sources import source_checks

if TYPE_CHECKING:
    from orchestration.settings import Settings


@dataclass(frozen=True)
class Diagnosis:
    """The results of all checks.

    Attributes:
        state: `ok` if every check is, `failed` if one failed, else `warning`.
        checks: The results, in the order of the checks.
    """

    state: Literal["ok", "warning", "failed"]
    checks: tuple[Finding, ...]


def diagnose(settings: Settings) -> Diagnosis:
    """Carry out all checks. Nothing is changed, and no secret is in what is returned."""
    found = tuple(_without_secrets(settings, carry_out(tuple(all_checks(settings)))))
    states = {finding.state for finding in found}
    if states == {"ok"}:
        return Diagnosis("ok", found)
    return Diagnosis("failed" if "failed" in states else "warning", found)


def all_checks(settings: Settings) -> Iterator[Check]:
    """Return all checks. One that others need precedes them."""
    yield from machine_checks(settings, datetime.now(UTC).date())
    yield from project_checks(settings)
    yield from prefect_checks(settings)
    yield from deployment_checks(settings.project_dir)
    yield from flow_run_checks(settings.project_dir)
    yield from secret_checks(settings)
    yield from lakefs_checks(settings, SIGNED_IN)
    yield from source_checks(settings)


def _without_secrets(settings: Settings, found: tuple[Finding, ...]) -> Iterator[Finding]:
    """Hide the secrets of the settings. The checks show none, but servers may repeat one in an error."""
    from orchestration.source.secrets import Secrets

    secrets = Secrets()
    lake, prefect = settings.lake, settings.prefect
    held = [lake.secret_key, prefect.api_auth_string, settings.elt.notify_url]
    for source in settings.sources.values():
        held += [source.token, source.password, source.client_secret]
    for secret in held:
        secrets.add(secret.get_secret_value() if secret else "")
    for finding in found:
        yield replace(finding, seen=secrets.hidden(finding.seen), remedy=secrets.hidden(finding.remedy))
