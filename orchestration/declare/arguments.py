"""Read the options of `elt source add` that have parts."""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.errors import UsageError


def pairs_of(option: str, given: Sequence[str]) -> dict[str, str]:
    """Return `name=value` options as a mapping.

    Raises:
        UsageError: One is not of that form.
    """
    found = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not (name and sign):
            raise UsageError(f"{option} {one!r} is not NAME=VALUE")
        found[name] = value
    return found


def auth_of(given: str) -> dict[str, str]:
    """Return the option `--auth` as `fetch.auth`.

    Raises:
        UsageError: It is not a known kind.
    """
    kind, _, name = given.partition(":")
    if not given:
        return {}
    if kind in ("bearer", "basic") and not name:
        return {"type": kind}
    if kind in ("header", "query") and name:
        return {"type": kind, "name": name}
    raise UsageError(
        f"--auth {given!r} is not one of bearer, basic, header:NAME and query:NAME",
        remedy="declare any other auth, such as oauth2, in the source's YAML",
    )
