"""Translate errors of lakeFS, its SDK and httpx to the errors of this package."""

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

_UP = "see elt status; start the local lakeFS with elt up, or set LAKEFS_ENDPOINT"
_KEYS = "check LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY against the lakeFS at LAKEFS_ENDPOINT"
_NO_SPACE = "free space where lakeFS keeps its data"
_ELSEWHERE = "correct LAKEFS_ENDPOINT: the server there is not lakeFS"


def error_for(action: str, status: int, message: str) -> LakeError | GateRefused:
    """Return the error for an unsuccessful response of lakeFS.

    Args:
        action: What was requested, for messages: "create branch etl-…".
        status: The HTTP status.
        message: lakeFS's message.
    """
    message = " ".join(message.split())
    cause = f"{action}: lakeFS answered {status}: {message}" if message else f"{action}: lakeFS answered {status}"
    remedy = _NO_SPACE if "no space left" in message else ""
    if status == 400 and "no changes" in message:
        return LakeNoChanges(cause)
    if status == 400 and "dirty branch" in message:
        return LakeDirty(cause)
    if status == 401:
        return LakeRefused(cause, remedy=_KEYS)
    if status == 403:
        return LakeRefused(cause)
    if status == 404:
        return LakeNotFound(cause)
    if status == 409:
        return LakeExists(cause)
    if status == 412:
        return GateRefused(f"{action}: the gate refused it: {_hook_message(message)}")
    if status == 429:
        return LakeBusy(cause)
    if status >= 500:
        return LakeServerError(cause, remedy=remedy)
    return LakeError(cause, remedy=remedy)


def _hook_message(message: str) -> str:
    """Return a hook's own message. lakeFS wraps it in run ids and the action's name."""
    return message.rsplit("action failed: ", 1)[-1]


def message_of(body: str | bytes | None) -> str:
    """Return lakeFS's message from an error's body: the `message` of its JSON, else the beginning of the text."""
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        answer = json.loads(text)
    except ValueError:
        return text.strip()[:300]
    return str(answer.get("message", "")) if isinstance(answer, dict) else text[:300]


def _is_lakefs(body: str | bytes | None) -> bool:
    """Return whether an error's body comes from lakeFS's API."""
    try:
        return "message" in json.loads(body or "")
    except (ValueError, TypeError):
        return False


def response_error(action: str, endpoint: str, status: int, body: str | bytes | None) -> LakeError | GateRefused:
    """Return the error for an unsuccessful response, which may come from another server than lakeFS."""
    if status == 404 and not _is_lakefs(body):
        return LakeError(f"{action}: {endpoint} answers 404, in a form that is not lakeFS's", remedy=_ELSEWHERE)
    return error_for(action, status, message_of(body))


@contextmanager
def translate_errors(action: str, endpoint: str) -> Iterator[None]:
    """Translate the exceptions of one call to lakeFS to errors of this package."""
    import httpx
    import urllib3.exceptions
    from lakefs_sdk.exceptions import ApiException

    try:
        yield
    except ApiException as error:
        if not error.status:
            raise LakeUnreachable(
                f"{action}: no secure connection to {endpoint}: {' '.join(str(error.reason).split())}",
                remedy="correct LAKEFS_ENDPOINT: https:// requires TLS with a certificate that this machine trusts",
            ) from error
        raise response_error(action, endpoint, error.status, error.body) from error
    except (urllib3.exceptions.HTTPError, httpx.TransportError) as error:
        raise LakeUnreachable(f"{action}: no answer from {endpoint}: {error}", remedy=_UP) from error
    except ValueError as error:
        cause = " ".join(str(error).split())
        raise LakeError(
            f"{action}: {endpoint} sent a malformed response for lakeFS: {cause}", remedy=_ELSEWHERE
        ) from error
