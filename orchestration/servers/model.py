"""Types that the modules of this package share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from orchestration.log import Log
    from orchestration.settings import Settings

State = Literal["running", "stopped", "configured", "unhealthy"]


@dataclass(frozen=True)
class Server:
    """The state of one server.

    Attributes:
        name: `lakefs` or `prefect`.
        url: Its endpoint: lakeFS's root, Prefect's API. For a stopped server the last one, None if it never ran.
        state: `running` or `stopped` for a local server; `configured` for one that the settings name and that answers;
            `unhealthy` for either if it should run but does not answer.
        pid: The process id of a running local server.
        log: The log of a local server, if there is one.
    """

    name: str
    url: str | None
    state: State
    pid: int | None = None
    log: Path | None = None


@dataclass(frozen=True)
class ServerCommand:
    """The command that starts a server, as an argument list, and its complete environment."""

    arguments: tuple[str, ...]
    env: dict[str, str]


@dataclass(frozen=True)
class ServerSpec:
    """How one kind of server is started, reached and checked.

    Attributes:
        name: The name in file names.
        title: The name in messages.
        port: The default port.
        path: The path of its endpoint, after the port.
        health: The path of the health page, after the endpoint.
        limit: The time it may take until it answers, in seconds.
        prepare: Takes the settings, the data folder and a report; returns a function from a port to the command to run.
        repair: Takes the data folder and the log after a failed start; returns whether it fixed something, so that
            another start may succeed.
    """

    name: str
    title: str
    port: int
    path: str
    health: str
    limit: float
    prepare: Callable[[Settings, Path, Log], Callable[[int], ServerCommand]]
    repair: Callable[[Path, Path], bool] = lambda data, log: False
