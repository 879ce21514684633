"""HTTP health checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answers = Callable[[str], bool]
"""Takes a URL; returns whether a server answers it in time."""


@contextmanager
def health_checks(*, timeout: float, proxies: bool) -> Iterator[Answers]:
    """Check health URLs with one HTTP client.

    Args:
        timeout: Seconds to wait for a connection, and for a response.
        proxies: Use the environment's proxy and certificate settings; must be false for 127.0.0.1.
    """
    import httpx

    with httpx.Client(timeout=timeout, trust_env=proxies) as client:

        def answers(url: str) -> bool:
            try:
                status = client.get(url).status_code
            except (httpx.HTTPError, httpx.InvalidURL):
                return False
            # A server that asks for credentials on its health page is up.
            return status < 400 or status in (401, 403)

        yield answers
