"""Every error this package raises on purpose: what failed, and the outcome it stands for.

IngestCleanError
├── UsageError                  exit 2    a bad argument, setting or source description
├── DataFailed                  exit 3
├── SourceFailed                exit 4
│   ├── SourceUnreachable                 worth another try
│   ├── SourceBusy                        worth another try, after `retry_after`
│   ├── SourceTimedOut
│   ├── SourceRefused
│   └── SourceBodyInvalid
├── PlatformFailed              exit 5
│   ├── ServerFailed
│   ├── SpoolFailed
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

Exit codes and outcomes are those of section 8 of the design: "the data failed" is not "the platform failed".
"""

from __future__ import annotations

import copy
from typing import Self

from orchestration.text import indented, shortened


class IngestCleanError(Exception):
    """The base of all errors here.

    Cause and remedy often quote foreign text, so both are made printable and cut to `text.TEXT_LIMIT` characters here,
    once for every way that an error leaves the process.

    Args:
        cause: What went wrong, with the value it went wrong on.
        remedy: What to do about it: a command to type or a setting to change.

    The rest is filled in where the error passes through a step of the run protocol; `subject` is the date, or `marts`.
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
        """What went wrong; the same as `str(error)`."""
        return str(self)

    def extended(self, more: str, *, remedy: str = "") -> Self:
        """Return a copy whose cause continues with `more`, and with another `remedy` if one is given."""
        error = copy.copy(self)
        error.args = (f"{self.cause}{more}",)
        error.remedy = remedy or self.remedy
        return error

    def describe(self) -> str:
        """The error as lines for a person: subject, step and cause, then `main`, the branch kept, the next command."""
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
        """Return the error as `--json` shows it: always the same names, null where there is nothing to say."""
        named = {
            name: getattr(self, name) for name in ("subject", "step", "cause", "main", "branch", "remedy", "command")
        }
        return {
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            **{name: value or None for name, value in named.items()},
        }


class UsageError(IngestCleanError):
    """A bad argument, setting or source description; nothing was touched."""

    exit_code = 2
    outcome = "UsageError"

    def describe(self) -> str:
        """The error in one line: nothing was begun, so there is nothing else to tell."""
        cause = indented(self.cause)
        return f"{cause}: {self.remedy}" if self.remedy else cause


class DataFailed(IngestCleanError):
    """The data broke a test, a contract, the accounting or a limit; trying again gives the same."""

    exit_code = 3
    outcome = "DataFailed"


class SourceFailed(IngestCleanError):
    """The API gave no usable answer."""

    exit_code = 4
    outcome = "SourceFailed"


class SourceUnreachable(SourceFailed):
    """No connection, a time-out, an answer cut short, or a passing server error."""


class SourceBusy(SourceFailed):
    """The API asks to wait: 429, or any other 4xx or 5xx with Retry-After.

    `retry_after` is what it asked for, in seconds, or None where it named no time.
    """

    def __init__(self, cause: str, *, retry_after: float | None = None, remedy: str = "") -> None:
        super().__init__(cause, remedy=remedy)
        self.retry_after = retry_after


class SourceTimedOut(SourceFailed):
    """A table was not fetched within its total time; what is slow for an hour is not tried again."""


class SourceRefused(SourceFailed):
    """The API answered with a status that another try will not change.

    `status` is that status, or None where the body of a 200 reports the failure.
    """

    def __init__(self, cause: str, *, status: int | None = None, remedy: str = "") -> None:
        super().__init__(cause, remedy=remedy)
        self.status = status


class SourceBodyInvalid(SourceFailed):
    """The API's body is not what the source description declares."""


class PlatformFailed(IngestCleanError):
    """lakeFS, the disk or Prefect failed; the data was not judged."""

    exit_code = 5
    outcome = "PlatformFailed"


class ServerFailed(PlatformFailed):
    """A server of `elt up` could not be built, started or stopped."""


class SpoolFailed(PlatformFailed):
    """The local spool could not be written, most often for want of space."""


class GateMissing(PlatformFailed):
    """The lake's gate is missing or is not this version's, so nothing may be written."""


class GateRefused(PlatformFailed):
    """The gate refused a merge into `main` (412); its message is the cause."""

    outcome = "GateRefused"


class LakeError(PlatformFailed):
    """lakeFS answered with an error that no class below names."""


class LakeUnreachable(LakeError):
    """No connection to lakeFS, or no answer in time; what was asked may or may not have happened."""


class LakeRefused(LakeError):
    """lakeFS refused the credentials or a write to a protected branch (401, 403)."""


class LakeNotFound(LakeError):
    """The repository, ref or object does not exist (404)."""


class LakeExists(LakeError):
    """What was to be created exists already (409)."""


class LakeNoChanges(LakeError):
    """A commit or merge would change nothing (400 "no changes")."""


class LakeDirty(LakeError):
    """Uncommitted writes on the destination block every merge into it (400 "dirty branch")."""


class LakeBusy(LakeError):
    """lakeFS lost too many races (429); nothing happened."""


class LakeServerError(LakeError):
    """lakeFS failed inside (5xx); what was asked may or may not have happened."""


class Conflict(IngestCleanError):
    """`main` moved for this date while the run worked, on every try."""

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
    """Return the error class with this outcome; PlatformFailed for a name that no class has."""
    waiting = IngestCleanError.__subclasses__()
    while waiting:
        error = waiting.pop(0)
        if error.outcome == outcome:
            return error
        waiting += error.__subclasses__()
    return PlatformFailed
