"""Whether a server answers over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answers = Callable[[str], bool]
"""Takes a URL; true if a server there answers it in time."""


@contextmanager
def health_checks(*, timeout: float, proxies: bool) -> Iterator[Answers]:
    """Check health URLs over one HTTP client.

    Args:
        timeout: Seconds to wait for a connection, and for an answer.
        proxies: Obey the environment's proxy and certificate settings; wrong for 127.0.0.1.
    """
    import httpx

    with httpx.Client(timeout=timeout, trust_env=proxies) as client:

        def answers(url: str) -> bool:
            try:
                status = client.get(url).status_code
            except (httpx.HTTPError, httpx.InvalidURL):
                return False
            # A server that wants credentials for its health page is up.
            return status < 400 or status in (401, 403)

        yield answers
