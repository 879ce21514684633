"""Measures the fetch: many small pages against a bare loop of requests, and gzip against plain zlib.

    python -m benchmarks.fetch --pages 10000

The server answers each page of 20 records after 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx
import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from examples.events_api import records, serving
from orchestration.log import SILENT
from orchestration.settings import read_settings
from orchestration.source.config import read_tables
from orchestration.source.decode import Decoding
from orchestration.source.fetch import fetch_date
from tests.helpers.sample_api import DAY

ROWS, DELAY = 20, 0.02
FETCH = {
    "path": "/events",
    "parameters": {"date": "{date}"},
    "form": "envelope",
    "records": "data",
    "paging": {"style": "page", "parameter": "page", "pages": "pages"},
}


def shop(pages: int) -> Starlette:
    """Return an API with so many pages."""

    async def events(request: Request) -> Response:
        await asyncio.sleep(DELAY)
        start = (int(request.query_params.get("page", "1")) - 1) * ROWS
        made = ",".join(records.events(DAY, start, start + ROWS))
        return Response(f'{{"pages":{pages},"data":[{made}]}}', media_type="application/json")

    return Starlette(routes=[Route("/events", events)])


def measure_pages(pages: int, concurrency: int) -> None:
    """Print the seconds of a bare loop of requests, and of fetches of the same pages."""
    with serving(shop(pages)) as url:
        with httpx.Client() as client:
            bare = seconds(lambda: [client.get(f"{url}/events?date={DAY}&page={page}") for page in range(1, pages + 1)])
        print(f"a bare loop over one connection   {bare:8.2f} s")
        for at_once in (1, concurrency):
            took = seconds(lambda at_once=at_once: fetch(url, at_once))  # type: ignore[misc]
            print(f"fetch, concurrency {at_once:2}             {took:8.2f} s   {took / bare:.2f} of it")


def fetch(url: str, concurrency: int) -> None:
    """Fetch the day into a folder that is deleted."""
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        file = project / "models" / "sources.yml"
        file.parent.mkdir()
        meta = {"key": ["Event ID"], "fetch": {**FETCH, "concurrency": concurrency}}
        table = {"name": "events", "config": {"meta": meta}, "columns": [{"name": "Event ID"}]}
        file.write_text(yaml.safe_dump({"sources": [{"name": "shop", "tables": [table]}]}))
        os.environ |= {"ELT_PROJECT_DIR": name, "SHOP_API_URL": url}
        fetch_date(read_tables(project), read_settings(), str(DAY), project / "work", SILENT)


def measure_gzip() -> None:
    """Print the CPU seconds of plain zlib and of the decoder for one body."""
    body = json.dumps([json.loads(text) for text in records.events(DAY, 0, 200_000)]).encode()
    packed = gzip.compress(body)
    chunks = [packed[at : at + 65_536] for at in range(0, len(packed), 65_536)]

    def plain() -> None:
        stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
        for chunk in chunks:
            stream.decompress(chunk)

    def decoder() -> None:
        for _ in Decoding(("gzip",)).decoded(chunks, lambda received: received):
            pass

    least = [min(seconds(work, time.process_time) for _ in range(5)) for work in (plain, decoder)]
    print(f"plain zlib, {len(body):,} bytes    {least[0]:8.3f} s of CPU")
    print(f"the decoder                       {least[1]:8.3f} s of CPU   {least[1] / least[0]:.2f} of it")


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.monotonic) -> float:
    """Return how long some work takes."""
    begun = clock()
    work()
    return clock() - begun


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=1_000)
    parser.add_argument("--concurrency", type=int, default=8)
    options = parser.parse_args()
    measure_pages(options.pages, options.concurrency)
    measure_gzip()


if __name__ == "__main__":
    main()
