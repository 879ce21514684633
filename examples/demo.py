"""`make demo`: the pipeline at work on synthetic data, command by command, as a person would type them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from examples.events_api import Options, create_app, serving

ROWS = 1_000


def main() -> int:
    """Starts the servers, serves a sample API and lands three dates; the servers stay up."""
    today = datetime.now(UTC).date()
    days = [str(today - timedelta(days=back)) for back in (3, 2, 1)]
    elt("up")
    elt("init")
    with serving(create_app(Options(rows=ROWS))) as url:
        print(f"\na sample shop answers at {url}: {ROWS:,} events a day", flush=True)
        for day in days:
            elt("land", day, SHOP_API_URL=url)
    print("\nthe raw answers lie byte for byte on branches of their own; main is untouched")
    elt("status")
    print("\nlook around: the lakeFS pages at the address above (keys: .elt/lakefs/credentials.json)")
    print("stop the servers: tools/uv run elt down")
    return 0


def elt(*arguments: str, **environment: str) -> None:
    """Types one `elt` command; its failure ends the demo with its exit code."""
    print(f"\n$ elt {' '.join(arguments)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "orchestration", *arguments], env={**os.environ, **environment})
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    sys.exit(main())
