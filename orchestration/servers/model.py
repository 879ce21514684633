"""What the modules of this package pass to each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from orchestration.progress import Report
    from orchestration.settings import Settings

State = Literal["running", "stopped", "configured", "unhealthy"]


@dataclass(frozen=True)
class Server:
    """What is known of one server.

    Attributes:
        name: `lakefs` or `prefect`.
        url: Its endpoint: lakeFS's root, Prefect's API; of a stopped one the last it had, None if it never ran.
        state: `running` and `stopped` for ours, `configured` for one that the settings name and that answers,
            `unhealthy` for either if it is there, or should be, and does not answer.
        pid: The process id of ours while it runs.
        log: The log of ours, if there is one.
    """

    name: str
    url: str | None
    state: State
    pid: int | None = None
    log: Path | None = None


@dataclass(frozen=True)
class Launch:
    """A command and its whole environment."""

    command: tuple[str, ...]
    env: dict[str, str]


@dataclass(frozen=True)
class Kind:
    """What differs between the servers.

    Attributes:
        name: In file names.
        title: For people.
        port: The port it usually has.
        path: What its endpoint has after the port.
        health: The health page, after its endpoint.
        limit: How long it may take to answer, in seconds.
        prepare: Given the settings, the folder of its data and a report: how to run it on a given port.
        repair: Given the folder of its data and its log, after it ended while starting: true if it set something right
            that makes another start worth while.
    """

    name: str
    title: str
    port: int
    path: str
    health: str
    limit: float
    prepare: Callable[[Settings, Path, Report], Callable[[int], Launch]]
    repair: Callable[[Path, Path], bool] = lambda data, log: False
