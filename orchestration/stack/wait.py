"""Wait for a service of the stack: compose's health checks are not known to every engine, and end before a restart."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestration.errors import ServerFailed
from orchestration.log import Log
from orchestration.stack.remedies import see_log

LIMIT = 180.0
"""Seconds to wait for one service."""

PAUSE = 1.0


def wait_for(what: str, problem: Callable[[], str], log: Log) -> None:
    """Call `problem` until it returns an empty text.

    Args:
        what: The service, for messages.
        problem: Returns why the service cannot be used yet. An error that it raises ends the wait.
        log: Takes a line if there is a wait.

    Raises:
        ServerFailed: The service cannot be used within LIMIT; the message says why.
    """
    end = time.monotonic() + LIMIT
    waiting = False
    while found := problem():
        if time.monotonic() >= end:
            name = what.split(" at ")[0]
            raise ServerFailed(
                f"{what} cannot be used after {LIMIT:.0f} s: {found}",
                remedy=see_log(name),
            )
        if not waiting:
            log.info(f"waiting for {what}: {found}")
            waiting = True
        time.sleep(PAUSE)


def health_problem(url: str) -> str:
    """Return why a health page does not answer with success; empty if it does."""
    import httpx

    try:
        # The services are on the stack's own network, so a proxy of the environment does not apply.
        status = httpx.get(url, timeout=5.0, trust_env=False).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return "" if status == 200 else f"{url} answers {status}"
