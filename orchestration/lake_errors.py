"""One table from what lakeFS, its SDK and httpx raise to the errors of this package."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from orchestration.errors import (
    GateRefused,
    LakeBusy,
    LakeDirty,
    LakeError,
    LakeExists,
    LakeNoChanges,
    LakeNotFound,
    LakeRefused,
    LakeServerError,
    LakeUnreachable,
)

_UP = "elt status shows whether lakeFS runs, elt up starts it"


def error_for(action: str, status: int, message: str) -> LakeError | GateRefused:
    """The error for an answer of lakeFS that is no success.

    Args:
        action: What was asked, for a person: "create branch etl-…".
        status: The HTTP status.
        message: lakeFS's own words.
    """
    said = f"{action}: lakeFS answered {status}: {message}" if message else f"{action}: lakeFS answered {status}"
    if status == 400 and "no changes" in message:
        return LakeNoChanges(said)
    if status == 400 and "dirty branch" in message:
        return LakeDirty(said)
    if status == 401:
        return LakeRefused(said, remedy="check LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY")
    if status == 403:
        return LakeRefused(said)
    if status == 404:
        return LakeNotFound(said)
    if status == 409:
        return LakeExists(said)
    if status == 412:
        return GateRefused(f"{action}: the gate refused it: {_hook_message(message)}")
    if status == 429:
        return LakeBusy(said)
    if status >= 500:
        return LakeServerError(said)
    return LakeError(said)


def _hook_message(message: str) -> str:
    """A hook's own words, which lakeFS wraps in run ids and the action's name."""
    return " ".join(message.rsplit("action failed: ", 1)[-1].split())


def message_of(body: str | bytes | None) -> str:
    """lakeFS's own words in an error's body: the `message` of its JSON, else the start of the text."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        answer = json.loads(text)
    except ValueError:
        return text.strip()[:300]
    return str(answer.get("message", "")) if isinstance(answer, dict) else text[:300]


@contextmanager
def translated(action: str, endpoint: str) -> Iterator[None]:
    """Turns whatever one call to lakeFS raises into an error of this package."""
    import httpx
    import urllib3.exceptions
    from lakefs_sdk.exceptions import ApiException

    try:
        yield
    except ApiException as error:
        if not error.status:
            raise LakeUnreachable(
                f"{action}: no secure connection to {endpoint}: {error.reason}", remedy=_UP
            ) from error
        raise error_for(action, error.status, message_of(error.body)) from error
    except (urllib3.exceptions.HTTPError, httpx.TransportError) as error:
        raise LakeUnreachable(f"{action}: no answer from {endpoint}: {error}", remedy=_UP) from error
