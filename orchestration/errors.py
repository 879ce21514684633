"""Errors that this package raises on purpose, each with its outcome and exit code.

IngestCleanError
├── UsageError                  exit 2    a bad argument, setting or source description
├── DataFailed                  exit 3
├── SourceFailed                exit 4
│   ├── SourceUnreachable                 retried
│   ├── SourceBusy                        retried after `retry_after`
│   ├── SourceTimedOut
│   ├── SourceRefused
│   └── SourceBodyInvalid
├── PlatformFailed              exit 5
│   ├── ServerFailed
│   ├── DiskFailed
│   ├── GateMissing
│   ├── GateRefused
│   └── LakeError
│       ├── LakeUnreachable
│       ├── LakeRefused
│       ├── LakeNotFound
│       ├── LakeExists
│       ├── LakeNoChanges
│       ├── LakeDirty
│       ├── LakeBusy
│       └── LakeServerError
├── Conflict                    exit 6
├── TimedOut                    exit 7
└── Cancelled                   exit 130

docs/design.md#outcomes-and-exit-codes defines exit codes and outcomes. A failure of the data is not a
failure of the platform.
"""

from __future__ import annotations

import copy
from typing import Self

from orchestration.text import indented, shortened


class IngestCleanError(Exception):
    """Base class of all errors here.

    Cause and remedy often quote foreign text. Both are made printable and cut to `text.TEXT_LIMIT` characters here,
    once for all ways in which an error leaves the process.

    Args:
        cause: What went wrong, with the value that caused it.
        remedy: What to do about it: a command to type or a setting to change.

    A step of the run protocol fills in the other fields when the error passes through it. `subject` is the date, or
    `marts`.
    """

    exit_code = 1
    outcome = "Failed"

    def __init__(self, cause: str, *, remedy: str = "") -> None:
        super().__init__(shortened(cause))
        self.remedy = shortened(remedy)
        self.subject = ""
        self.step = ""
        self.main = ""
        self.branch = ""
        self.command = ""

    @property
    def cause(self) -> str:
        """Return what went wrong; the same as `str(error)`."""
        return str(self)

    def extended(self, more: str, *, remedy: str = "") -> Self:
        """Return a copy whose cause continues with `more`, and with another `remedy` if one is given."""
        error = copy.copy(self)
        error.args = (f"{self.cause}{more}",)
        error.remedy = remedy or self.remedy
        return error

    def describe(self) -> str:
        """Return the error as lines of text.

        The first line has subject, step and cause. Then follow the state of `main`, the kept branch and the next
        command.
        """
        where = " ".join(part for part in (self.subject, self.step) if part)
        cause = indented(self.cause)
        lines = [f"{where}: {cause}" if where else cause]
        if self.main:
            lines.append(f"main: {self.main}")
        if self.branch:
            lines.append(f"kept: branch {self.branch}")
        if following := ", then ".join(part for part in (self.remedy, self.command) if part):
            lines.append(f"next: {following}")
        return "\n".join(lines)

    def parts(self) -> dict[str, str | int | None]:
        """Return the error as `--json` shows it: always the same names, with null for an empty value."""
        named = {
            name: getattr(self, name) for name in ("subject", "step", "cause", "main", "branch", "remedy", "command")
        }
        return {
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            **{name: value or None for name, value in named.items()},
        }


class UsageError(IngestCleanError):
    """A bad argument, setting or source description. Nothing was changed."""

    exit_code = 2
    outcome = "UsageError"

    def describe(self) -> str:
        """Return the error as one line. Nothing was started, so there is no state to report."""
        cause = indented(self.cause)
        return f"{cause}: {self.remedy}" if self.remedy else cause


class DataFailed(IngestCleanError):
    """The data broke a test, a contract, the accounting or a limit. A retry gives the same result."""

    exit_code = 3
    outcome = "DataFailed"


class SourceFailed(IngestCleanError):
    """The API gave no usable response."""

    exit_code = 4
    outcome = "SourceFailed"


class SourceUnreachable(SourceFailed):
    """No connection, a timeout, an incomplete response, or a transient server error."""


class SourceBusy(SourceFailed):
    """The API asks to wait: 429, or any other 4xx or 5xx with Retry-After.

    `retry_after` is the requested wait in seconds, or None if the API named no time.
    """

    def __init__(self, cause: str, *, retry_after: float | None = None, remedy: str = "") -> None:
        super().__init__(cause, remedy=remedy)
        self.retry_after = retry_after


class SourceTimedOut(SourceFailed):
    """A table was not fetched within its time limit. A source that is slow for so long is not retried."""


class SourceRefused(SourceFailed):
    """The API answered with a status that a retry will not change.

    `status` is that status, or None if the body of a 200 reports the failure.
    """

    def __init__(self, cause: str, *, status: int | None = None, remedy: str = "") -> None:
        super().__init__(cause, remedy=remedy)
        self.status = status


class SourceBodyInvalid(SourceFailed):
    """The response body is not what the source description declares."""


class PlatformFailed(IngestCleanError):
    """lakeFS, the disk or Prefect failed. The data was not tested."""

    exit_code = 5
    outcome = "PlatformFailed"


class ServerFailed(PlatformFailed):
    """A server of `elt up` could not be built, started or stopped."""


class DiskFailed(PlatformFailed):
    """A file could not be written to the local disk, most often because the disk is full."""


class GateMissing(PlatformFailed):
    """The lake's gate is missing or is not this version's, so nothing may be written."""


class GateRefused(PlatformFailed):
    """The gate refused a merge into `main` (412); its message is the cause."""

    outcome = "GateRefused"


class LakeError(PlatformFailed):
    """lakeFS answered with an error that none of the subclasses describes."""


class LakeUnreachable(LakeError):
    """No connection to lakeFS, or no response in time. The request may or may not have taken effect."""


class LakeRefused(LakeError):
    """lakeFS refused the credentials or a write to a protected branch (401, 403)."""


class LakeNotFound(LakeError):
    """The repository, ref or object does not exist (404)."""


class LakeExists(LakeError):
    """The object to create exists already (409)."""


class LakeNoChanges(LakeError):
    """A commit or merge would change nothing (400 "no changes")."""


class LakeDirty(LakeError):
    """Uncommitted writes on the destination block every merge into it (400 "dirty branch")."""


class LakeBusy(LakeError):
    """lakeFS lost too many races (429). The request had no effect."""


class LakeServerError(LakeError):
    """lakeFS failed internally (5xx). The request may or may not have taken effect."""


class Conflict(IngestCleanError):
    """`main` moved for this date during the run, in every attempt."""

    exit_code = 6
    outcome = "Conflict"


class TimedOut(IngestCleanError):
    """The run did not end within ELT_RUN_TIMEOUT."""

    exit_code = 7
    outcome = "TimedOut"


class Cancelled(IngestCleanError):
    """The run was interrupted."""

    exit_code = 130
    outcome = "Cancelled"


def error_class(outcome: str) -> type[IngestCleanError]:
    """Return the error class with this outcome; PlatformFailed for an unknown name."""
    waiting = IngestCleanError.__subclasses__()
    while waiting:
        error = waiting.pop(0)
        if error.outcome == outcome:
            return error
        waiting += error.__subclasses__()
    return PlatformFailed
