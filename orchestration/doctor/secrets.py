"""Checks of secrets: where each comes from, without its value."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from orchestration.doctor.checks import Check, Result, failed, ok, warning
from orchestration.doctor.lakefs import needs_block
from orchestration.doctor.prefect import SIGNED_IN
from orchestration.project import own_name
from orchestration.settings import origins_of

if TYPE_CHECKING:
    from orchestration.settings import Settings


def secret_checks(settings: Settings) -> Iterator[Check]:
    """Return a check of lakeFS's keys, of each secret that the sources need, and of the webhook."""
    from orchestration.flows.secrets import LAKE, NOTIFY, source_block, wanted_secrets

    yield Check("secret lakefs keys", partial(_lake_keys, settings, LAKE), SIGNED_IN if needs_block(settings) else ())
    required = _declared(settings)
    for source, fields in sorted(wanted_secrets(settings).items()):
        for field in fields:
            variable = f"{source}_api_{field}".upper()
            why = f"auth of source {source} needs it" if source in required and field != "password" else ""
            nothing = f"requests to {source} are sent without it"
            yield _check(settings, variable, source_block(source, field), why, nothing)
    yield _check(settings, "ELT_NOTIFY_URL", NOTIFY, "", "nobody is notified of failed runs; Prefect shows them")


def _declared(settings: Settings) -> frozenset[str]:
    """Return the sources with a table that declares how to sign in."""
    from orchestration.errors import UsageError
    from orchestration.source.config import read_tables

    try:
        return frozenset(table.source for table in read_tables(settings.project_dir) if table.fetch.auth)
    except UsageError:
        # The check of the source reports it.
        return frozenset()


def _lake_keys(settings: Settings, name: str) -> Result:
    lake = settings.lake
    if not lake.endpoint:
        return ok("from the local lakeFS, in the state folder")
    if not needs_block(settings):
        return ok(
            "; ".join(
                f"{name} from {_places(origins_of(name, settings.project_dir))}"
                for name in ("LAKEFS_ACCESS_KEY", "LAKEFS_SECRET_KEY")
            )
        )
    from orchestration.flows.secrets import lake_keys, load

    held = load(settings.project, name)
    block = own_name(settings.project, name)
    if held is None:
        return failed(
            f"LAKEFS_ENDPOINT is set, the keys are not, and Prefect has no Secret block {block}",
            f"elt secrets set {name}, or set LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY",
        )
    lake_keys(held)
    return ok(f"from the Secret block {block}")


def _check(settings: Settings, variable: str, name: str, required_by: str, without: str) -> Check:
    places = origins_of(variable, settings.project_dir)

    def look() -> Result:
        from orchestration.flows.secrets import is_of_an_earlier_version, load

        if places:
            return ok(f"from {_places(places)}")
        if load(settings.project, name):
            return ok(f"from the Secret block {own_name(settings.project, name)}")
        if required_by:
            return failed(
                f"not set, and {required_by}", f"set {variable} in the environment or .env, or elt secrets set {name}"
            )
        if is_of_an_earlier_version(name):
            return warning(
                f"not set, and the Secret block {name} of an earlier version is not read", f"elt secrets set {name}"
            )
        return ok(f"not set: {without}")

    return Check(f"secret {variable}", look, () if places else SIGNED_IN)


def _places(places: tuple[str, ...]) -> str:
    if not places:
        return "no place that can be seen from here"
    other = f", which takes precedence over {places[1]}" if len(places) > 1 else ""
    return f"{places[0]}{other}"
