"""Land one large synthetic day on the lake of `elt up`: seconds per step, and the process's peak memory.

    tools/uv run python -m benchmarks.land --rows 8400000      # about 2 GB

The sample API runs in a process of its own, so that the peak is the pipeline's alone.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys

from orchestration.extract import extract_raw
from orchestration.lake import open_lake
from orchestration.land import commit_raw
from orchestration.publish import tidy
from orchestration.request import Request
from orchestration.settings import read_settings
from orchestration.spool import spool

DATE = "2025-05-20"


def main() -> None:
    """Fetches and lands the day, tells the figures, and removes the branch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=8_400_000, help="events of the day, about 245 bytes each")
    rows = parser.parse_args().rows
    command = [sys.executable, "-m", "examples.events_api", "--rows", str(rows), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as api:
        try:
            assert api.stdout is not None
            os.environ["SHOP_API_URL"] = api.stdout.readline().strip().split("/events")[0]
            settings = read_settings()
            request = Request(DATE, open_lake(settings), settings, print, force=True)
            with spool(settings.state_dir, DATE) as folder:
                landed = commit_raw(request, extract_raw(request, folder), frozenset())
            tidy(request, landed.branch)
        finally:
            api.terminate()
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    print(f"bytes: {sum(page.bytes for page in landed.pages):,}; peak memory: {peak / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
