"""Exit 0 if a page answers: `python -m orchestration.stack.healthy URL`, for health checks. The image has no curl.

It runs every few seconds, so it imports little.
"""

from __future__ import annotations

import sys
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

_TIMEOUT = 8.0


def main(arguments: list[str]) -> int:
    """Return 0 if the page answers with success, else 1 and the reason on stdout, which `docker inspect` shows."""
    try:
        # A proxy of the environment does not apply to this container itself.
        with build_opener(ProxyHandler({})).open(arguments[0], timeout=_TIMEOUT):
            return 0
    except (URLError, OSError) as error:
        print(error)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
