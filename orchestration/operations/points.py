"""Points in the history of `main`: a commit, a tag or a time as a person names it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from orchestration.errors import IngestCleanError, LakeNotFound, UsageError
from orchestration.lake.client import MAIN, Lake
from orchestration.lake.listed import LakeCommit

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}.*)?")
_PREFIX = re.compile(r"[0-9a-f]{6,63}")
_REF = re.compile(r"[A-Za-z0-9_][\w./-]*")
FORMS = "give a commit of main (at least 6 digits), a tag, or a time such as 2025-05-20T03:00"


def point_on_main(lake: Lake, text: str) -> LakeCommit:
    """Return the commit of `main` that a text names: an id or its beginning, a tag, or a time in UTC.

    A time names the commit that was the head of `main` then. A date without a time is its midnight.

    Raises:
        UsageError: There is no such commit, there are several, or it was never the head of `main`.
    """
    # Long histories have several pages: only the beginning of an id needs all of them, to find a second commit.
    history: Iterable[LakeCommit] = lake.log(MAIN)
    if _TIME.fullmatch(text):
        return _head_at(history, text)
    if _PREFIX.fullmatch(text):
        history = tuple(history)
        found = [commit for commit in history if commit.id.startswith(text)]
        if len(found) > 1:
            shown = ", ".join(commit.id[: len(text) + 4] for commit in found[:3])
            raise UsageError(f"{text} begins {len(found)} commits of main: {shown}", remedy="give more digits")
        if found:
            return found[0]
    named = _resolved(lake, text)
    commit = next((one for one in history if one.id == named), None)
    if commit is None:
        raise UsageError(f"{text} is {named[:12]}, which was never the head of main", remedy=FORMS)
    return commit


def _resolved(lake: Lake, text: str) -> str:
    if not _REF.fullmatch(text):
        raise UsageError(f"{text!r} is not a commit, a tag or a time", remedy=FORMS)
    try:
        return lake.head(text)
    except LakeNotFound:
        raise UsageError(f"there is no commit or tag {text}", remedy=FORMS) from None
    except IngestCleanError as error:
        raise UsageError(f"{text} names no commit: {error}", remedy=FORMS) from error


def _head_at(history: Iterable[LakeCommit], text: str) -> LakeCommit:
    moment = parse_time(text)
    created = 0
    for commit in history:
        created = commit.created
        if created <= moment.timestamp():
            return commit
    first = datetime.fromtimestamp(created, UTC)
    raise UsageError(
        f"main did not exist at {text}: it begins at {first:%Y-%m-%dT%H:%M:%S}", remedy="give a later time"
    )


def parse_time(text: str) -> datetime:
    """Return a time in ISO 8601; without an offset it is UTC.

    Raises:
        UsageError: It is not a time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a time", remedy="give one such as 2025-05-20T03:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
