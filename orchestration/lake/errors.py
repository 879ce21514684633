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

_UP = "see elt status; elt up starts the local lakeFS, LAKEFS_ENDPOINT names another"
_KEYS = "check LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY against the lakeFS at LAKEFS_ENDPOINT"
_NO_SPACE = "free space where lakeFS keeps its data"
_ELSEWHERE = "correct LAKEFS_ENDPOINT: no lakeFS answers there"


def error_for(action: str, status: int, message: str) -> LakeError | GateRefused:
    """The error for an answer of lakeFS that is no success.

    Args:
        action: What was asked, for a person: "create branch etl-…".
        status: The HTTP status.
        message: lakeFS's own words.
    """
    message = " ".join(message.split())
    said = f"{action}: lakeFS answered {status}: {message}" if message else f"{action}: lakeFS answered {status}"
    remedy = _NO_SPACE if "no space left" in message else ""
    if status == 400 and "no changes" in message:
        return LakeNoChanges(said)
    if status == 400 and "dirty branch" in message:
        return LakeDirty(said)
    if status == 401:
        return LakeRefused(said, remedy=_KEYS)
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
        return LakeServerError(said, remedy=remedy)
    return LakeError(said, remedy=remedy)


def _hook_message(message: str) -> str:
    """A hook's own words, which lakeFS wraps in run ids and the action's name."""
    return message.rsplit("action failed: ", 1)[-1]


def message_of(body: str | bytes | None) -> str:
    """lakeFS's own words in an error's body: the `message` of its JSON, else the start of the text."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        answer = json.loads(text)
    except ValueError:
        return text.strip()[:300]
    return str(answer.get("message", "")) if isinstance(answer, dict) else text[:300]


def _is_lakefs(body: str | bytes | None) -> bool:
    """Whether an error's body is one of lakeFS's API."""
    try:
        return "message" in json.loads(body or "")
    except (ValueError, TypeError):
        return False


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
                f"{action}: no secure connection to {endpoint}: {' '.join(str(error.reason).split())}",
                remedy="correct LAKEFS_ENDPOINT: https:// needs TLS there, with a certificate that is trusted here",
            ) from error
        if error.status == 404 and not _is_lakefs(error.body):
            said = f"{action}: {endpoint} answers 404, and not as lakeFS does"
            raise LakeError(said, remedy=_ELSEWHERE) from error
        raise error_for(action, error.status, message_of(error.body)) from error
    except (urllib3.exceptions.HTTPError, httpx.TransportError) as error:
        raise LakeUnreachable(f"{action}: no answer from {endpoint}: {error}", remedy=_UP) from error
    except ValueError as error:
        said = " ".join(str(error).split())
        raise LakeError(f"{action}: {endpoint} answers as lakeFS does not: {said}", remedy=_ELSEWHERE) from error
