"""Errors of DuckDB, Spark and lakeFS's gateway, recognized in the messages of dbt nodes."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from orchestration.errors import PlatformFailed, SourceBodyInvalid
from orchestration.text import shortened

MESSAGE_LIMIT = 1_000
"""Characters shown of one node's message."""

# DuckDB has no error codes for these, so its wording is matched. A test checks the wording.
_BODY_FAULTS = (
    re.compile(r'(?P<what>Malformed JSON) in file "(?P<uri>[^"]+)", (?P<where>at byte \d+ in \S+ \d+: [^.\n]*)'),
    re.compile(r'(?P<what>Lists of unequal lengths in ".+": .+?) in file "(?P<uri>[^"]+)"'),
    re.compile(
        r'(?P<what>No (?:list|object) ".+"(?: with lists| whose first row has names)?) in file "(?P<uri>[^"]+)"'
    ),
    re.compile(r'JSON transform error in file "(?P<uri>[^"]+)", (?P<where>in \S+ \d+): (?P<what>[^\n]{1,200})'),
    re.compile(r'(?P<what>Expected top-level JSON array).* in file "(?P<uri>[^"]+)"'),
    re.compile(r'(?P<what>"maximum_object_size" of \d+ bytes exceeded).*? file "(?P<uri>[^"]+)"'),
)
# The same for messages of DuckDB, Spark and lakeFS's gateway: a pattern, its meaning and the remedy.
_PLATFORM_FAULTS = (
    (
        re.compile(r"RequestTimeTooSkewed[^\n]*|AccessDenied: Request is not valid yet"),
        "the clocks of lakeFS and of this machine are more than 15 minutes apart",
        "synchronise both clocks",
    ),
    (
        re.compile(r"(SignatureDoesNotMatch|AccessDenied|MissingFields)[^\n]*"),
        "lakeFS's S3 gateway refuses DuckDB's keys, LAKEFS_ACCESS_KEY and LAKEFS_SECRET_KEY",
        "",
    ),
    (
        re.compile(r"\[Errno 28\] [^\n]*"),
        "the disk of ELT_STATE_DIR, where dbt writes compiled SQL, is full",
        "free space there, or set ELT_STATE_DIR to a folder on another disk",
    ),
    (
        re.compile(r"failed to offload data block[^\n]*|No space left on device"),
        "the disk of ELT_STATE_DIR, where DuckDB spills, is full",
        "free space there, set ELT_STATE_DIR to a folder on another disk, or raise ELT_DUCKDB_MEMORY; on a worker "
        "of Spark, SPARK_LOCAL_DIRS",
    ),
    (re.compile(r"Out of Memory Error[^\n]*"), "DuckDB needs more memory", "raise ELT_DUCKDB_MEMORY"),
    (
        re.compile(r"java\.lang\.OutOfMemoryError[^\n]*|SparkOutOfMemoryError[^\n]*"),
        "Spark needs more memory",
        "raise ELT_SPARK_MEMORY",
    ),
    (
        re.compile(r"Python worker exited unexpectedly[^\n]*"),
        "the Python of a task of Spark ended, most often for lack of memory",
        "lower ELT_DUCKDB_MEMORY, which each task may use, or give the machine more memory",
    ),
    (
        re.compile(r"[^\n]*(ExecutorLostFailure|Master removed our application)[^\n]*"),
        "Spark lost its executors",
        "see the logs of its workers, then run again",
    ),
    (
        re.compile(r"[^\n]*HTTP 5\d\d for HTTP[^\n]*"),
        "lakeFS's S3 gateway failed",
        "see lakeFS's log; most often its disk is full",
    ),
    (
        re.compile(r"[^\n]*error for HTTP [A-Z]+ to[^\n]*"),
        "lakeFS's S3 gateway does not answer",
        "see elt status",
    ),
)
_TOO_LARGE = "maximum_object_size"


def platform_fault(messages: Sequence[tuple[str, str]]) -> PlatformFailed:
    """Return the error for nodes that failed without the data being tested, as one line if the cause is known.

    `messages` are pairs of a node's name and its message.
    """
    for sign, meaning, remedy in _PLATFORM_FAULTS:
        for name, message in messages:
            if match := sign.search(message):
                excerpt = html.unescape(match.group().strip())
                return PlatformFailed(f"{name}: {meaning}: {excerpt}", remedy=remedy)
    return PlatformFailed("\n".join(f"{name}: {shortened(message, MESSAGE_LIMIT)}" for name, message in messages))


def body_fault(message: str, raw_root: str) -> SourceBodyInvalid | None:
    """Return the error for a raw page that DuckDB could not read, parsed from `message`; None for any other message."""
    for pattern in _BODY_FAULTS:
        match = pattern.search(message)
        if match:
            parts = match.groupdict()
            page = parts["uri"].removeprefix(raw_root.rstrip("/") + "/")
            cause = f"{page}: {' '.join(filter(None, (parts['what'], parts.get('where'))))}".rstrip()
            remedy = (
                "request smaller records or envelope pages: set the page size under parameters in config.meta.fetch"
                if _TOO_LARGE in cause
                else "correct the API; the page is kept on the branch"
            )
            return SourceBodyInvalid(cause, remedy=remedy)
    return None
